# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Zips: the files in them, where every reader finds the same ones.

A zip says the same things in several places: the record at its end where the directory is, the directory where the
files are, each file's own header what it is. Readers believe different ones of them (Python shifts all places by what
stands before a zip, PyTorch does not), so two of them may see two archives in one content. Python's zipfile is one such
reader; therefore the places are read here, and a zip passes only where they agree and leave no byte unexplained.
"""

from __future__ import annotations

import bz2
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from .budget import Budget
from .names import check_name, shown
from .packed import Zlib
from .refused import Refused
from .stream import File, Stream

LOCAL, DIRECTORY, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_SPANNED, _DESCRIPTOR, _LOCATOR, _END64 = b"PK\7\x08", b"PK\7\x08", b"PK\6\7", b"PK\6\6"
_LOCAL, _ENTRY, _RECORD = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")
_RECORD64, _PLACE64 = struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_ONES, _ONES16 = 0xFFFFFFFF, 0xFFFF
#: How a file in a zip may be packed: not at all, deflate, bzip2. Others ask for as much memory as they like.
_STORED, _DEFLATED, _BZIP2 = 0, 8, 12
#: Readers look for the record in the last 64 KiB and its own length, and some in a little more.
_TAIL = 128 << 10
_IS_ENCRYPTED, _HAS_DESCRIPTOR, _IS_UTF8 = 1 | 1 << 6 | 1 << 13, 1 << 3, 1 << 11
#: What in the flags changes how a file is read.
_FLAGS = _IS_ENCRYPTED | _HAS_DESCRIPTOR | _IS_UTF8 | 1 << 5
#: Further fields: the large numbers, and a second name that some readers prefer.
_LARGE, _OTHER_NAME = 1, 0x7075
#: What says that a file is a symbolic link, whose content is where it leads.
_KIND, _LINK = 0o170000, 0o120000
_LONGEST_LINK = 4096
_CHUNK = 64 << 10


def is_zip(stream: Stream) -> bool:
    """Say whether a content begins as a zip."""
    return stream.head(4) in (LOCAL, END, _SPANNED)


def in_zips(stream: Stream, check_names: bool) -> Iterator[tuple[str, Stream]]:
    """Return the files in all zips that a reader may find in a content.

    Many readers look at the end alone, and anything may stand before it. Raises Refused where a zip is ambiguous.
    ``check_names``: also where its names are.
    """
    begins = is_zip(stream)
    if not begins and not stream.is_seekable:
        return
    file = stream.file()
    try:
        for end in _ends(file, begins):
            for one in _entries(file, end, begins, stream.budget):
                if check_names:
                    check_name(one.name)
                    if one.other_name not in (None, one.raw_name):
                        raise _ambiguous(f"{one.shown} has two names")
                    if one.is_link:
                        check_name(_Content(file, one).read(_LONGEST_LINK).decode(errors="replace"))
                if one.packed or not one.name.endswith("/"):
                    size = one.size if one.method == _STORED else None
                    yield one.name, Stream(_Content(file, one), stream.budget, size)
    finally:
        file.close()


def _ambiguous(why: str) -> Refused:
    return Refused(f"is a zip that readers may read in different ways: {why}")


class _End(NamedTuple):
    """What the record at the end says. ``start``: where the zip begins, by which all places are counted."""

    start: int
    directory: int
    size: int
    files: int


class _Entry(NamedTuple):
    """What the directory says of a file. ``at``: where its header is, and where its bytes are."""

    raw_name: bytes
    other_name: bytes | None
    is_link: bool
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    header: int
    at: int = 0

    @property
    def name(self) -> str:
        """Its name, as Python reads it."""
        return self.raw_name.decode("utf-8" if self.flags & _IS_UTF8 else "cp437", "surrogateescape")

    @property
    def shown(self) -> str:
        """Its name, for a message."""
        return shown(self.name)


def _ends(file: File, begins: bool) -> Iterator[_End]:
    """Return what each record says that a reader may take for the end."""
    whole = file.seek(0, 2)
    first = max(0, whole - _TAIL)
    file.seek(first)
    tail = file.read()
    if not begins:
        at = tail.find(END)
        while at >= 0:
            end = _end(file, first + at, tail[at : at + _RECORD.size])
            if end:
                yield end
            at = tail.find(END, at + 1)
        return
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < _RECORD.size:
        raise Refused("is a zip that could not be read to its end")
    end = _end(file, first + at, tail[at : at + _RECORD.size])
    if end is None:
        raise _ambiguous("its directory is not where its end says")
    if end.start:
        raise _ambiguous("something stands before it, or between its parts")
    if at + _RECORD.size + int.from_bytes(tail[at + 20 : at + 22], "little") != len(tail):
        raise _ambiguous("something stands behind it")
    yield end


def _end(file: File, at: int, record: bytes) -> _End | None:
    """Return what a record says, None where no reader finds a directory by it."""
    if len(record) < _RECORD.size:
        return None
    _magic, disk, first_disk, here, count, size, offset, _comment = _RECORD.unpack(record)
    behind = at
    place = _read(file, at - _PLACE64.size, _PLACE64.size)
    if place.startswith(_LOCATOR):
        behind = at - _PLACE64.size - _RECORD64.size
        large = _read(file, behind, _RECORD64.size)
        if not large.startswith(_END64):
            raise _ambiguous("its end for large numbers is not where it is looked for")
        _magic, length, _made, _need, *disks, here64, count64, size64, offset64 = _RECORD64.unpack(large)
        pairs = (
            (here, here64, _ONES16), (count, count64, _ONES16), (size, size64, _ONES), (offset, offset64, _ONES),
            (disk, disks[0], _ONES16), (first_disk, disks[1], _ONES16),
        )  # fmt: skip
        if length != _RECORD64.size - 12 or any(small not in (big, ones) for small, big, ones in pairs):
            raise _ambiguous("its two ends differ")
        disk, first_disk, here, count, size, offset = *disks, here64, count64, size64, offset64
        _magic, place_disk, place_at, disk_count = _PLACE64.unpack(place)
        if place_disk or disk_count > 1 or place_at != offset + size:
            raise _ambiguous("its end for large numbers is not where it says")
    directory = behind - size
    is_there = directory >= 0 and (directory == behind or _read(file, directory, 4) == DIRECTORY)
    if offset != directory and _read(file, offset, 4) in (DIRECTORY, _END64):
        raise _ambiguous("it has two directories")
    if not is_there or (not size and behind == at and directory != offset):
        return None
    if disk or first_disk or here != count or offset > directory:
        raise _ambiguous("its end is at odds with itself")
    return _End(directory - offset, directory, size, count)


def _read(file: File, at: int, size: int) -> bytes:
    if at < 0:
        return b""
    file.seek(at)
    return file.read(size)


def _entries(file: File, end: _End, begins: bool, budget: Budget) -> Iterator[_Entry]:
    """Return the files, in the order in which they lie there, each beginning where the one before ends."""
    entries = sorted(_directory(_read(file, end.directory, end.size), end, budget), key=lambda one: one.header)
    # what stands before a zip may be counted by its places or not: both come to the same here
    at = entries[0].header if entries and not begins else end.start
    for one, following in zip(entries, [*(one.header for one in entries[1:]), end.directory]):
        if one.header != at:
            raise _ambiguous(f"{one.shown} does not begin where what stands before it ends")
        yield _placed(file, one, following)
        at = following
    if at != end.directory:
        raise _ambiguous("something stands before its directory")


def _directory(directory: bytes, end: _End, budget: Budget) -> list[_Entry]:
    entries = []
    at = 0
    if END in directory:
        raise _ambiguous("it has another end in its directory")
    while at < len(directory):
        if len(directory) - at < _ENTRY.size:
            raise _ambiguous("its directory is cut")
        budget.member()
        magic, _made, _need, flags, method, _time, _date, *numbers = _ENTRY.unpack_from(directory, at)
        checksum, packed, size, *lengths, disk, _inner, outer, header = numbers
        at += _ENTRY.size
        name, extra = directory[at : at + lengths[0]], directory[at + lengths[0] : at + lengths[0] + lengths[1]]
        at += sum(lengths)
        if magic != DIRECTORY or disk or at > len(directory) or not name or b"\0" in name:
            raise _ambiguous("its directory can't be read")
        is_link = outer >> 16 & _KIND == _LINK
        one = _Entry(name, None, is_link, flags, method, checksum, packed, size, header)
        further = _further(extra, one)
        size, packed, header = _large(further, (size, packed, header), one)
        if flags & _IS_ENCRYPTED:
            raise Refused(f"has {one.shown} in it, which is encrypted")
        if method not in (_STORED, _DEFLATED, _BZIP2):
            raise Refused(f"has {one.shown} in it, packed in a way that can't be looked into")
        if method == _STORED and packed != size:
            raise _ambiguous(f"{one.shown} has two sizes")
        other = further[_OTHER_NAME][5:] if _OTHER_NAME in further else None
        entries.append(one._replace(other_name=other, packed=packed, size=size, header=end.start + header))
    if len(entries) != end.files:
        raise _ambiguous("its end says another number of files than its directory has")
    return entries


def _further(extra: bytes, one: _Entry) -> dict[int, bytes]:
    """Return the further fields of a file."""
    found: dict[int, bytes] = {}
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind in (_LARGE, _OTHER_NAME) and (kind in found or len(extra) < 4 + size):
            raise _ambiguous(f"{one.shown} has odd further fields")
        found[kind] = extra[4 : 4 + size]
        extra = extra[4 + size :]
    return found


def _large(further: dict[int, bytes], numbers: tuple[int, ...], one: _Entry) -> list[int]:
    """Return numbers, each from the field for large ones where it stands there."""
    field = further.get(_LARGE, b"")
    out = []
    for number in numbers:
        if number == _ONES and field:
            if len(field) < 8:
                raise _ambiguous(f"{one.shown} has odd further fields")
            number, field = int.from_bytes(field[:8], "little"), field[8:]
        out.append(number)
    return out


def _placed(file: File, one: _Entry, following: int) -> _Entry:
    """Return an entry with the place of its bytes, after its own header said the same as the directory."""
    header = _read(file, one.header, _LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(LOCAL):
        raise _ambiguous(f"{one.shown} is not where the directory says")
    _magic, _need, flags, method, _time, _date, *numbers, name_length, extra_length = _LOCAL.unpack(header)
    rest = file.read(name_length + extra_length)
    checksum, packed, size = numbers
    size, packed = _large(_further(rest[name_length:], one), (size, packed), one)
    says = (("checksum", checksum, one.checksum), ("size", size, one.size), ("packed size", packed, one.packed))
    later = one.flags & _HAS_DESCRIPTOR
    differs = next((what for what, here, there in says if here != there and not (later and not here)), None)
    if rest[:name_length] != one.raw_name:
        differs = "name"
    elif method != one.method or (flags ^ one.flags) & _FLAGS:
        differs = "packing"
    if differs:
        raise _ambiguous(f"the directory and the header of {one.shown} differ in its {differs}")
    at = one.header + _LOCAL.size + len(rest)
    gap = following - at - one.packed
    if gap and (gap not in (12, 16, 20, 24) or _read(file, at + one.packed, gap) not in _descriptors(one)):
        raise _ambiguous(f"something stands behind {one.shown}")
    if later and not gap:
        raise _ambiguous(f"nothing stands behind {one.shown} where its sizes should be")
    return one._replace(at=at)


def _descriptors(one: _Entry) -> list[bytes]:
    """Return what may stand behind a file whose sizes were not known before."""
    if not one.flags & _HAS_DESCRIPTOR:
        return []
    short = struct.pack("<3L", one.checksum, one.packed & _ONES, one.size & _ONES)
    long = struct.pack("<LQQ", one.checksum, one.packed, one.size)
    return [short, _DESCRIPTOR + short, long, _DESCRIPTOR + long]


class _Content:
    """A file's bytes, unpacked as they are read. Where they end, they have the size and checksum that was said."""

    def __init__(self, file: File, one: _Entry) -> None:
        self._file, self._one, self._at, self._left = file, one, one.at, one.packed
        makes: dict[int, Any] = {_DEFLATED: lambda: Zlib(-15), _BZIP2: bz2.BZ2Decompressor}
        self._it = makes[one.method]() if one.method in makes else None
        self._count = self._checksum = 0

    def read(self, size: int) -> bytes:
        """Return up to so many bytes. Raises Refused where they are broken."""
        try:
            out = self._next(size)
        except (zlib.error, OSError, EOFError, ValueError) as problem:
            raise Refused(f"could not be read to its end ({type(problem).__name__} {problem})") from None
        self._count += len(out)
        self._checksum = zlib.crc32(out, self._checksum)
        if not out and (self._left, self._count, self._checksum) != (0, self._one.size, self._one.checksum):
            raise Refused("could not be read to its end (it has another size or checksum)")
        return out

    def _next(self, size: int) -> bytes:
        if self._it is None:
            return self._piece(size)
        out = b""
        while not out and not self._it.eof:
            piece = self._piece(_CHUNK) if self._it.needs_input else b""
            if self._it.needs_input and not piece:
                raise EOFError("its end is missing")
            out = self._it.decompress(piece, size)
        if not out and self._it.unused_data:
            raise ValueError("something stands behind it")
        return out

    def _piece(self, size: int) -> bytes:
        piece = _read(self._file, self._at, min(size, self._left))
        self._at += len(piece)
        self._left -= len(piece)
        return piece
