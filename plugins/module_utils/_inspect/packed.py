# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packed contents (gzip, bzip2, xz, zlib), unpacked as they are read, in little memory."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Any, Callable

from .refused import Limit, Refused
from .stream import Stream

#: xz says in its head how much memory it needs to be unpacked: up to 4 GiB. Its highest level asks for 65 MiB.
_XZ_MEMORY = 128 << 20
#: What is unpacked at once grows from less than any loader reads, so that none gets further in a broken content.
_FIRST, _MOST = 512, 64 << 10
_ZFILE = 21

_PROBLEMS = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


class _Zlib:
    """zlib's own, with what those of bz2 and lzma say of themselves."""

    def __init__(self, window: int) -> None:
        self._it = zlib.decompressobj(window)
        self._ahead = b""
        self.needs_input = True

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Unpack on."""
        out = self._it.decompress(self._ahead + data, max_length)
        self._ahead = self._it.unconsumed_tail
        self.needs_input = not self._ahead and len(out) < max_length
        return out

    @property
    def eof(self) -> bool:
        """Whether the end was there."""
        return self._it.eof

    @property
    def unused_data(self) -> bytes:
        """What follows the end."""
        return self._it.unused_data


def _xz() -> Any:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


#: name, how it begins, what unpacks it. joblib writes all of them, and begins zlib with 0x78.
_PACKINGS: tuple[tuple[str, bytes, Callable[[], Any]], ...] = (
    ("gzip", b"\x1f\x8b", lambda: _Zlib(31)),
    ("bzip2", b"BZh", bz2.BZ2Decompressor),
    ("xz", b"\xfd7zXZ\0", _xz),
    ("lzma", b"\x5d\0", _xz),
    ("zlib", b"\x78", lambda: _Zlib(15)),
)
#: What can't be looked into: Python unpacks none of it.
_CLOSED = {
    b"\x04\x22\x4d\x18": "lz4",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\xff\x06\0\0sNaPpY": "snappy",
    b"\x89LZO\0": "lzo",
}


def refuse_closed(stream: Stream) -> None:
    """Raise Refused where a content is packed in a way that can't be looked into."""
    head = stream.head(16)
    for begin, name in _CLOSED.items():
        if head.startswith(begin):
            raise Refused(f"is packed with {name}, which can't be looked into")


def unpack(stream: Stream) -> Stream | None:
    """Return what is packed in a content, or None where nothing is."""
    head = stream.head(_ZFILE + 1)
    skipped = 0
    if head.startswith(b"ZF0x"):  # joblib before 0.10: the length in hexadecimal, then zlib
        skipped = _ZFILE + head.endswith(b" ")
        head = b"\x78"
    for _name, begin, make in _PACKINGS:
        if head.startswith(begin):
            stream.take(skipped)
            unpacked = _Unpacked(stream, make)
            try:
                unpacked.begin()
            except _PROBLEMS:
                return None
            return Stream(unpacked, stream.budget)
    return None


class _Unpacked:
    """One packed stream after the other, as all readers of these take them."""

    def __init__(self, stream: Stream, make: Callable[[], Any]) -> None:
        self._stream, self._make, self._it = stream, make, make()
        self._chunk = _FIRST
        self._output = self._rest = b""
        self._is_done = False

    def begin(self) -> None:
        """Unpack the first bytes, which shows whether it is packed at all. Raises Limit, or one of _PROBLEMS."""
        try:
            while not self._output and not self._is_done:
                self._output = self._on(_FIRST)
        except lzma.LZMAError as problem:
            if "emory" in str(problem):
                raise Limit("is packed so that unpacking it takes more memory than it gets") from None
            raise

    def read(self, size: int) -> bytes:
        """Return up to so many bytes. Raises Refused where it is broken."""
        out, self._output = self._output[:size], self._output[size:]
        try:
            while not out and not self._is_done:
                out = self._on(size)
        except _PROBLEMS as problem:
            raise Refused(f"is packed and could not be read to its end ({type(problem).__name__} {problem})") from None
        return out

    def _on(self, size: int) -> bytes:
        """Return some of what comes next, maybe nothing yet."""
        if self._it.eof:
            return self._next(size)
        piece = b""
        if self._it.needs_input:
            piece = self._stream.read(self._chunk)
            self._chunk = min(self._chunk * 2, _MOST)
            if not piece:
                raise EOFError("its end is missing")
        out: bytes = self._it.decompress(piece, size)
        self._rest = self._it.unused_data
        return out

    def _next(self, size: int) -> bytes:
        """Begin with what follows, maybe after zeros."""
        rest, self._rest = self._rest or self._stream.read(_MOST), b""
        self._is_done = not rest
        rest = rest.lstrip(b"\0")
        if not rest:
            return b""
        following = self._make()
        try:
            out: bytes = following.decompress(rest, size)
        except _PROBLEMS:  # what stands there is nothing packed
            self._is_done = True
            return b""
        self._it, self._rest = following, following.unused_data
        return out
