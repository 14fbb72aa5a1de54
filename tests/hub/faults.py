# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Hub can do wrong, on command. Every fault is in this file; ``reset`` forgets them all.

A fault belongs to one file of one repository and acts where the file's bytes leave, whichever origin sends them: it
wraps ASGI's ``send`` around the honest answer. A new kind of fault is a field here and a few lines in ``spoil``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from starlette.types import Message, Send

#: (repo_type, repo_id, path)
FileKey = tuple[str, str, str]


class ConnectionCut(Exception):
    """Raised out of ``send``: the server then closes the connection although more bytes were promised."""


@dataclass
class Cut:
    """End each of the next ``times`` bodies after ``after`` bytes."""

    after: int
    times: int


@dataclass
class Faults:
    """The faults now in force."""

    flips: set[FileKey] = field(default_factory=set)
    cuts: dict[FileKey, Cut] = field(default_factory=dict)

    def reset(self) -> None:
        """Be honest again."""
        self.flips.clear()
        self.cuts.clear()

    def spoil(self, key: FileKey, size: int, send: Send) -> Send:
        """Return a ``send`` that does to the body of file ``key`` what was ordered."""
        flip_at = size // 2 if key in self.flips and size else -1
        cut = self.cuts.get(key)
        if flip_at < 0 and cut is None:
            return send
        position = sent = 0

        async def spoiled(message: Message) -> None:
            nonlocal position, sent
            if message["type"] == "http.response.start":
                position = _first_byte(message)
            elif message["type"] == "http.response.body":
                body: bytes = message.get("body", b"")
                if position <= flip_at < position + len(body):
                    body = _flip(body, flip_at - position)
                position += len(body)
                if cut is not None and cut.times > 0 and sent + len(body) > cut.after:
                    cut.times -= 1
                    await send({**message, "body": body[: cut.after - sent], "more_body": True})
                    raise ConnectionCut
                sent += len(body)
                message = {**message, "body": body}
            await send(message)

        return spoiled


def _flip(body: bytes, at: int) -> bytes:
    """Invert the lowest bit of one byte; the size stays."""
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


def _first_byte(start: Message) -> int:
    """Tell where in the file an answer begins (Content-Range of a 206)."""
    for name, value in start.get("headers", ()):
        if name.lower() == b"content-range":
            found = re.match(rb"bytes (\d+)-", value)
            return int(found.group(1)) if found else 0
    return 0
