# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packed contents (gzip, bzip2, xz, zlib), unpacked as they are read, in little memory."""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from dataclasses import dataclass
from typing import Any, Callable

from .refused import Limit, Refused
from .stream import Stream

#: xz says in its head how much memory it needs to be unpacked: up to 4 GiB. Its highest level asks for 65 MiB.
_XZ_MEMORY = 128 << 20
#: What is unpacked at once grows from less than any loader reads, so that none gets further in a broken content.
_FIRST, _MOST = 512, 64 << 10
#: Where joblib's old format has its content, maybe behind a blank.
_ZFILE = 21
_GZIP_END, _GZIP_HEAD = 8, 1 << 20
#: Zeros of this length are .lzma, with nothing in it.
_EMPTY_LZMA = 18

_PROBLEMS = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


class Zlib:
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


class _Gzip:
    """gzip as Python's own module reads it.

    It passes over what zlib refuses in the head, and gives out what there is before it looks at the checksum.
    """

    def __init__(self) -> None:
        self._head = self._end = self.unused_data = b""
        self._it: Zlib | None = None
        self.needs_input, self.eof = True, False

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Unpack on."""
        if self._it is None:
            self._head += data
            begin = _behind_gzip_head(self._head)
            if begin is None:
                return b""
            self._it, data, self._head = Zlib(-15), self._head[begin:], b""
        out = b""
        if not self._it.eof:
            out = self._it.decompress(data, max_length)
            self.needs_input = self._it.needs_input
            data = self._it.unused_data
        if self._it.eof:
            self._end += data
            self.eof = len(self._end) >= _GZIP_END
            self.needs_input = not self.eof
            self.unused_data = self._end[_GZIP_END:]
        return out


def _behind_gzip_head(head: bytes) -> int | None:
    """Return where the head ends, None where more of it is needed."""
    if not _GZIP.startswith(head[:3]) or len(head) > _GZIP_HEAD:
        raise zlib.error("no head of gzip")
    at = 10
    if len(head) < at:
        return None
    flags = head[3]
    if flags & 4:
        if len(head) < at + 2:
            return None
        at += 2 + int.from_bytes(head[at : at + 2], "little")
    for flag in (8, 16):
        if flags & flag:
            at = head.find(b"\0", at) + 1
            if not at:
                return None
    at += flags & 2
    return at if len(head) >= at else None


def _xz() -> Any:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


def _alone() -> Any:
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_XZ_MEMORY)


def _zlib() -> Any:
    return Zlib(15)


@dataclass(frozen=True)
class _Packing:
    """A way of packing, and how it begins.

    ``is_certain``: what begins so and unpacks is packed, and nothing else. ``has_magic``: and it must unpack.
    """

    begins: re.Pattern[bytes]
    make: Callable[[], Any]
    is_certain: bool = True
    has_magic: bool = False


_GZIP = b"\x1f\x8b\x08"
_PACKINGS = (
    _Packing(re.compile(_GZIP), _Gzip, has_magic=True),
    _Packing(re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), bz2.BZ2Decompressor, has_magic=True),
    _Packing(re.compile(rb"\xfd7zXZ\0"), _xz, has_magic=True),
    _Packing(re.compile(rb"\x5d\0"), _xz),
    _Packing(re.compile(rb"\x5d\0"), _alone, is_certain=False),
    # joblib takes this for zlib; other readers go by a sum in the first two bytes, which much else has by chance
    _Packing(re.compile(rb"\x78"), _zlib),
    _Packing(re.compile(rb"[\x08-\x68]", re.DOTALL), _zlib, is_certain=False),
    # .lzma has no magic: Python's lzma takes whatever has likely numbers in its head
    _Packing(re.compile(rb"[\0-\xe0]", re.DOTALL), _xz, is_certain=False),
)
#: joblib before 0.10: a length as a text, in whatever way Python reads one, and maybe a blank. Then zlib.
_OLD_JOBLIB = _Packing(re.compile(rb"ZF"), _zlib, is_certain=False)
#: What can't be looked into: Python unpacks none of it.
_CLOSED = {
    b"\x04\x22\x4d\x18": "lz4",
    b"\x02\x21\x4c\x18": "lz4",
    **{bytes([first]) + b"\xb5\x2f\xfd": "zstd" for first in range(0x22, 0x29)},
    # what both of them pass over, and read on behind it
    **{bytes([first]) + b"\x2a\x4d\x18": "zstd or lz4" for first in range(0x50, 0x60)},
    # a newer liblzma unpacks it without being asked
    b"LZIP": "lzip",
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


@dataclass(frozen=True)
class Unpacked:
    """What is packed in a content. ``is_certain``: it is that and nothing else."""

    content: Stream
    is_certain: bool


def unpack(stream: Stream) -> Unpacked | None:
    """Return what is packed in a content, or None where nothing is."""
    head = stream.head(_ZFILE + 1)
    for packing in (_OLD_JOBLIB, *_PACKINGS):
        if packing.begins.match(head):
            stream.rewind()
            if packing is _OLD_JOBLIB:
                stream.read(_ZFILE + head.endswith(b" ", _ZFILE))
            unpacked = _Reader(stream, packing)
            try:
                unpacked.begin()
            except _PROBLEMS as problem:
                if packing.has_magic:
                    raise unreadable(problem) from None
                continue
            if not packing.is_certain and unpacked.is_empty:
                continue
            return Unpacked(Stream(unpacked, stream.budget), packing.is_certain)
    stream.rewind()
    return None


def unreadable(problem: Exception) -> Refused:
    """Return the judgement of what is packed and broken."""
    return Refused(f"is packed and could not be read to its end ({type(problem).__name__} {problem})")


class _Reader:
    """One packed stream after the other, as all readers of these take them."""

    def __init__(self, stream: Stream, packing: _Packing) -> None:
        self._stream, self._packing, self._it = stream, packing, packing.make()
        self._chunk = _FIRST
        self._output = self._rest = b""
        self._zeros = 0
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

    @property
    def is_empty(self) -> bool:
        """Say whether nothing was in it, after it was begun."""
        return self._is_done and not self._output

    def read(self, size: int) -> bytes:
        """Return up to so many bytes. Raises Refused where it is broken."""
        out, self._output = self._output[:size], self._output[size:]
        try:
            while not out and not self._is_done:
                out = self._on(size)
        except _PROBLEMS as problem:
            if self._packing.is_certain:
                raise unreadable(problem) from None
            self._is_done = True  # it is something else, by all appearance
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
        following = rest.lstrip(b"\0")
        self._zeros += len(rest) - len(following)
        if not following:
            return b""
        following += self._stream.read(_MOST) if len(following) < _FIRST else b""
        begins = [following]
        if isinstance(self._it, lzma.LZMADecompressor):  # to Python's lzma zeros are .lzma with nothing in it
            begins.insert(0, bytes(self._zeros % _EMPTY_LZMA) + following)
        self._zeros = 0
        for begin in begins:
            it = self._packing.make()
            try:
                out: bytes = it.decompress(begin, size)
            except _PROBLEMS:
                continue
            self._it, self._rest = it, it.unused_data
            return out
        self._is_done = True  # what stands there is nothing packed
        return b""
