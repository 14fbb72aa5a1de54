# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of a file on their way out, spoiled as ordered, whichever origin sends them.

The honest answer is Starlette's FileResponse. A fault changes the request's Range before, or wraps ASGI's ``send``
around the answer; each wrapper does one thing, so faults add up. Faults are for GET: HEAD stays honest.
"""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.responses import FileResponse, PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from hub.faults import Bandwidth, ConnectionCut, Cut, Drip, Faults, FileKey, Flip, Length, Range, Stall, Unsteady

#: How often a second a limited connection brings bytes.
_TICKS = 20


class BlobResponse(FileResponse):
    """A file streamed from disk in pieces large enough to be quick.

    It watches for the client to go, and cancels its own sending then: a wrapper that waits needs no look-out.
    """

    chunk_size = 1024 * 1024


async def deliver(
    response: BlobResponse, key: FileKey, faults: Faults, scope: Scope, receive: Receive, send: Send
) -> None:
    """Send the bytes of file ``key``, with what was ordered done to them."""
    if scope["method"] == "GET":
        size = int(response.headers["content-length"])
        if (unsteady := faults.find(Unsteady, key)) and unsteady.spend():
            seconds, end = unsteady.draw()
            await faults.pause(seconds)
            if end == "refused":
                await PlainTextResponse("Service Unavailable\n", 503)(scope, receive, send)
                return
            if end == "cut":
                send = _after(Cut(unsteady.target, 1, size // 2), send, _cut)
        send = _paced(key, faults, send)  # nearest to the wire: it sees what the others made
        if length := faults.find(Length, key):
            send = _resized(length, send)
        if size and (flip := faults.find(Flip, key)):
            send = _flipped(flip, size // 2, send)
        scope, send = _misunderstood(key, faults, scope, send)
    await response(scope, receive, send)


def _misunderstood(key: FileKey, faults: Faults, scope: Scope, send: Send) -> tuple[Scope, Send]:
    asked = dict(scope["headers"]).get(b"range")
    fault = faults.find(Range, key)
    if asked is None or fault is None or not fault.spend():
        return scope, send
    if fault.mode == "ignore-with-range":
        return scope, _with_status_200(send)
    headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
    if fault.mode == "shift":
        headers.append((b"range", re.sub(rb"\d+", _shift, asked, count=1)))
    return {**scope, "headers": headers}, send


def _shift(number: re.Match[bytes]) -> bytes:
    """Begin one byte earlier, or where that can't be, later."""
    first = int(number.group())
    return b"%d" % (first - 1 if first else 1)


def _with_status_200(send: Send) -> Send:
    async def sent(message: Message) -> None:
        await send({**message, "status": 200} if message.get("status") == 206 else message)

    return sent


def _flipped(fault: Flip, at: int, send: Send) -> Send:
    """Invert the lowest bit of the byte ``at`` in the file, where an answer has it."""
    position = 0

    async def flipped(message: Message) -> None:
        nonlocal position
        if message["type"] == "http.response.start":
            position = _first_byte(message)
        else:
            body = message["body"]
            index = at - position
            position += len(body)
            if 0 <= index < len(body) and fault.spend():
                message = {**message, "body": body[:index] + bytes([body[index] ^ 1]) + body[index + 1 :]}
        await send(message)

    return flipped


def _first_byte(start: Message) -> int:
    """Tell where in the file an answer begins (Content-Range of a 206)."""
    found = re.match(rb"bytes (\d+)-", dict(start["headers"]).get(b"content-range", b""))
    return int(found.group(1)) if found else 0


def _resized(fault: Length, send: Send) -> Send:
    """Promise another length and keep the promise: leave out the end, or go on with zeros."""
    left: int | None = None

    async def resized(message: Message) -> None:
        nonlocal left
        if message["type"] == "http.response.start":
            if message["status"] in (200, 206) and fault.spend():
                headers = MutableHeaders(raw=list(message["headers"]))
                left = max(int(headers["content-length"]) + fault.by, 0)
                headers["content-length"] = str(left)
                message = {**message, "headers": headers.raw}
        elif left is not None:
            body = message["body"][:left]
            if not message.get("more_body", False):
                body = body.ljust(left, b"\0")
            left -= len(body)
            message = {**message, "body": body}
        await send(message)

    return resized


def _paced(key: FileKey, faults: Faults, send: Send) -> Send:
    """Let a body end, stop or crawl."""

    async def stall(message: Message) -> None:
        await faults.pause(None)

    if bandwidth := faults.find(Bandwidth, key):
        send = _in_pieces(max(bandwidth.bytes_per_second // _TICKS, 1), 1 / bandwidth.bytes_per_second, faults, send)
    if drip := faults.find(Drip, key):
        send = _after(drip, send, _in_pieces(1, drip.interval, faults, send))
    if stop := faults.find(Stall, key):
        send = _after(stop, send, stall)
    if end := faults.find(Cut, key):
        send = _after(end, send, _cut)
    return send


async def _cut(message: Message) -> None:
    raise ConnectionCut


def _after(fault: Cut | Stall | Drip, send: Send, then: Send) -> Send:
    """Send the first bytes of a body one way and, once it turns out to be longer, the rest another."""
    sent = 0
    fired = False

    async def parted(message: Message) -> None:
        nonlocal sent, fired
        if message["type"] == "http.response.start":
            await send(message)
            return
        body = message["body"]
        if not fired and sent + len(body) > fault.after and fault.spend():
            fired = True
            first, body = body[: fault.after - sent], body[fault.after - sent :]
            await send({**message, "body": first, "more_body": True})
        sent += len(body)
        await (then if fired else send)({**message, "body": body})

    return parted


def _in_pieces(size: int, seconds_per_byte: float, faults: Faults, send: Send) -> Send:
    """Send bodies piece by piece, none faster than it may be."""

    async def slow(message: Message) -> None:
        body = message.get("body", b"")
        for start in range(0, len(body), size):
            piece = body[start : start + size]
            await faults.pause(len(piece) * seconds_per_byte)
            await send({**message, "body": piece, "more_body": True})
        if not message.get("more_body", False):  # the start of an answer passes here, too
            await send({**message, "body": b""} if body else message)

    return slow
