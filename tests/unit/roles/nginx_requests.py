# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that no client would send, made of pieces, and answers as they came over the wire."""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from hypothesis import strategies as st

#: Names of places in a store and of nginx' own, and what paths are broken with.
WORDS = [
    *["_hub", "file", "pin", "document", "refs", "view-file", "denied", "no-revision", "no-view", "unavailable"],
    *["_peer", "catalogue.json", "pool", "upstream", "hub", "blobs", "snapshots", ".mirror", "rev", "trash"],
    *["history.json", "info.json", "info.blobs.json", "tree", ".mirror.flat.json", ".mirror.recursive.json", "gated"],
    *["staging", "ledger", "locks", "store.json", "views", "refs.json", "beside.txt", "etc", "passwd", "proc", "self"],
    *["api", "models", "datasets", "spaces", "resolve", "raw", "revision", "paths-info", "whoami-v2", "main", "HEAD"],
    *["pr", "convert", "1", "agent-harnesses", "..", ".", "...", "", "~", "%", "?", "#", ";", "*", "\\", "-", "--"],
    *["\0", "\n", "\r\n", " ", "a" * 300, "a" * 5000, "/" * 5000, "../" * 40, "é模型", "\udcff", "$hub_repo", "${uri}"],
    *["constructor", "__proto__", "undefined", "null", "index.html", "commits", "auth-check"],
]
METHODS = [
    *["GET"] * 30,
    *["HEAD"] * 15,
    *["POST"] * 10,
    *["PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PROPFIND", "PURGE", "COPY", "get", "G", "", "A" * 99],
]
VERSIONS = [*[" HTTP/1.1"] * 40, *["", " HTTP/0.9", " HTTP/1.0", " HTTP/1.2", " HTTP/2.0", " HTTP/9.9", " FTP/1.1"]]
SLASHES = [*["/"] * 60, "//", "/./", "/../", "%2F", "%2f", "%252F", "%5c", "/%2e/", "/%2e%2e/"]
HOSTS = [
    *["Host: mirror.example"] * 50,
    "Host: [::1]:80",
    "Host: ",
    "Host: a b",
    "Host: ../..",
    "X: y",
    "Host: a\r\nHost: b",
]
HEADERS = [
    *[f"Range: bytes={r}" for r in ("0-3", "5-", "-5", "-0", "0-1,5-6", "9-2", "a-b", "99999999999999999999-", "0-")],
    *[
        "Range: lines=1-2",
        "If-Range: Sun, 09 Sep 2001 01:46:40 GMT",
        'If-Range: "x"',
        "If-None-Match: *",
        "If-Match: *",
    ],
    *["If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT", "If-Unmodified-Since: Sun, 09 Sep 1990 01:46:40 GMT"],
    *[
        "Accept-Encoding: gzip, br",
        "Accept-Encoding: *;q=0",
        "Accept: text/html",
        "Cookie: a=b",
        "Expect: 100-continue",
    ],
    *["X-Original-URL: /store.json", "X-Rewrite-URL: /_hub/file", "X-Accel-Redirect: /_hub/file", "X-HTTP-Method: PUT"],
    *[
        "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-Host: evil.example",
        "X-Real-IP: 192.0.2.1",
        "Forwarded: for=192.0.2.1",
    ],
    *["Authorization: Bearer", "Authorization: Basic", "Authorization: Basic !!!", "Authorization: Bearer é\x01"],
    *["Authorization: Basic /////w==", "Authorization: Digest x", f"Authorization: Bearer {'a' * 3000}"],
    *["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "Destination: /x", "Depth: infinity", f"X: {'a' * 9000}"],
]
QUERIES = [
    *["blobs=true", "recursive=true", "recursive=1", "expand=1", "full=true", "limit=1", "limit=-1", "limit=1e9"],
    *[
        "cursor=",
        "cursor=%00",
        "cursor=zzz",
        "search=%0d%0a",
        "search=a",
        "author=..",
        "author=org",
        "%",
        "%zz=%ff",
        "&&=",
    ],
    *["__proto__=1", "constructor=1", "limit[]=1", "x=../../store.json", "é=模型", "a" * 3000],
]
BODIES = [
    *[
        b"",
        b"paths=config.json",
        b"paths=..%2F..%2Fhistory.json&paths=%00&paths=onnx",
        b"paths=%ff%fe%2Fx",
        b"[1",
        b"null",
    ],
    *[b'{"paths": ["config.json", "../info.json", ".mirror.flat.json"]}', b'{"paths": [{"toString": 1}, null, 1, []]}'],
    *[
        b'{"paths": "\xff"}',
        b'{"paths": ["\\u0000/x", "\\ud800/x", "/", "//config.json//"]}',
        b"\0" * 100,
        b"a" * 20_000,
    ],
    *[b'{"paths": ["' + b"a/" * 3000 + b'x"]}', b'{"paths": ["' + b"n" * 300 + b'/x"]}'],
]
KINDS = ["application/x-www-form-urlencoded", "application/json", "application/json; charset=x", "text/plain"]


def _percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogateescape"))


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe="/;*~-.$")


SPELLINGS: list[Callable[[str], str]] = [
    *[_quoted] * 30,
    lambda text: text,
    _percent,
    lambda text: _quoted(_quoted(text)),
    lambda text: _percent(_percent(text)),
    lambda text: _quoted(text).replace(".", "%2e"),
    lambda text: _percent(text[:1]) + _quoted(text[1:]),
]


@dataclass(frozen=True)
class Request:
    """A request in pieces. ``parts`` are a slash, a spelling and a word each."""

    method: str
    parts: tuple[tuple[str, Callable[[str], str], str], ...]
    query: str
    version: str
    headers: tuple[str, ...]
    kind: str
    body: bytes

    @property
    def wire(self) -> bytes:
        """The request as it is sent."""
        target = "".join(slash + spell(word) for slash, spell, word in self.parts) or "/"
        lines = [f"{self.method} {target}{self.query}{self.version}", *self.headers, "Connection: close"]
        if self.body:
            lines += [f"Content-Type: {self.kind}", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + self.body

    @property
    def is_bare(self) -> bool:
        """Whether its first line names no version, so that the answer has neither status nor headers."""
        return not re.search(rb" [A-Z]+/\d\.\d$", self.wire.splitlines()[0])

    def about(self, name: str, other: str) -> Request:
        """Return the same request with another name in its place, whatever is encoded how."""
        parts = tuple((slash, spell, word.replace(name, other)) for slash, spell, word in self.parts)
        body = self.body.replace(name.encode(), other.encode())
        return replace(self, parts=parts, query=self.query.replace(name, other), body=body)

    def spellings(self, name: str) -> list[bytes]:
        """Return how the request spells the words that have a name."""
        found = [spell(word) for _slash, spell, word in self.parts if name in word]
        return [text.encode("utf-8", "surrogateescape") for text in [*found, name]]


@st.composite
def requests(draw: st.DrawFn, addresses: Sequence[str], words: Sequence[str], queries: Sequence[str] = ()) -> Request:
    """Make up a request: an address that is good, with some of it replaced, or a path of any words."""
    word = st.sampled_from([*words, *words, *WORDS]) | st.text(max_size=8)
    path = (
        draw(st.sampled_from(addresses)).split("/")[1:] if draw(st.integers(0, 4)) else draw(st.lists(word, max_size=8))
    )
    for _edit in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(path)))
        path[place : place + draw(st.integers(0, 1))] = draw(st.lists(word, max_size=2))
    parts = tuple((draw(st.sampled_from(SLASHES)), draw(st.sampled_from(SPELLINGS)), word) for word in path)
    query = draw(st.lists(st.sampled_from([*queries, *QUERIES]), max_size=2))
    return Request(
        draw(st.sampled_from(METHODS)),
        parts,
        "?" + "&".join(query) if query else "",
        draw(st.sampled_from(VERSIONS)),
        (draw(st.sampled_from(HOSTS)), *draw(st.lists(st.sampled_from(HEADERS), max_size=2))),
        draw(st.sampled_from(KINDS)),
        draw(st.sampled_from(BODIES)) if draw(st.booleans()) else b"",
    )


@dataclass(frozen=True)
class Answer:
    """An answer; ``status`` is 0 where the request was none of HTTP/1 and the body came bare."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    raw: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def exchange(port: int, wire: bytes) -> bytes:
    """Send bytes on a new connection, and return all that comes until the server closes it."""
    received = []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        # what is refused early is not read to its end
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(wire)
        with contextlib.suppress(ConnectionResetError):
            while data := connection.recv(1 << 16):
                received.append(data)
    return b"".join(received)


class _Wire(io.BytesIO):
    def makefile(self, _mode: str) -> _Wire:
        return self

    def close(self) -> None:
        """Stay readable: what follows an answer is looked at."""


def parse(raw: bytes, method: str) -> Answer:
    """Read an answer strictly: what a lenient client might take for a header more is an error."""
    raw = raw.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    if not raw.startswith(b"HTTP/"):
        return Answer(0, (), raw, raw)
    head = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    bad = [line for line in head[1:] if not re.fullmatch(rb"[A-Za-z-]+: ?[^\r\n\0]*", line)]
    assert not bad, f"not a header: {bad}"
    wire = _Wire(raw)
    response = http.client.HTTPResponse(wire, method=method)  # type: ignore[arg-type]
    response.begin()
    body = response.read()
    assert wire.read() == b"", "something follows the answer"
    return Answer(response.status, tuple(response.getheaders()), body, raw)
