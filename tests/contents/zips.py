# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Zips in which one reader finds a harmless text, another one something else."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

_END, _ENTRY, _LOCAL = struct.Struct("<4s4H2LH"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H")
NAME, TEXT = "archive/data.pkl", b"nothing but a text"


def zipped(content: bytes, name: str = NAME, method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


def parts(whole: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the files, the directory and the end of a zip without a comment."""
    *_rest, size, offset, _comment = _END.unpack(whole[len(whole) - _END.size :])
    return whole[:offset], whole[offset : offset + size], whole[offset + size :]


def with_end(
    files: bytes,
    directory: bytes,
    offset: int | None = None,
    comment: bytes = b"",
    behind: bytes = b"",
    size: int | None = None,
) -> bytes:
    """Return a zip of one file; ``offset`` is where its end says that the directory is."""
    at = len(files) if offset is None else offset
    end = _END.pack(b"PK\5\6", 0, 0, 1, 1, len(directory) if size is None else size, at, len(comment))
    return files + directory + behind + end + comment


def _changed(record: bytes, at: int, content: bytes) -> bytes:
    return record[:at] + content + record[at + len(content) :]


def by_places(whole: bytes) -> bytes:
    """Read the first file as PyTorch does: each place counts from the first byte."""
    end = whole.rindex(b"PK\5\6")
    at = _END.unpack(whole[end:][: _END.size])[6]
    if at == 0xFFFFFFFF:
        (large,) = struct.unpack("<Q", whole[end - 12 : end - 4])
        (at,) = struct.unpack("<Q", whole[large + 48 : large + 56])
    header = _ENTRY.unpack(whole[at : at + _ENTRY.size])[-1]
    return forward(whole[header:])


def forward(whole: bytes) -> bytes:
    """Read the first file as whoever reads from the front."""
    _magic, _need, _flags, method, *_rest, packed, _size, name, extra = _LOCAL.unpack(whole[: _LOCAL.size])
    data = whole[_LOCAL.size + name + extra :]
    return zlib.decompressobj(-15).decompress(data) if method else data[:packed]


def second(whole: bytes) -> bytes:
    """Read the second file from the front."""
    return forward(whole[whole.index(b"PK\3\4", 4) :])


def in_python(whole: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return archive.read(archive.infolist()[0])


def _large(size: int, offset: int, at: int) -> bytes:
    """Return an end for large numbers, which stands at ``at``."""
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, offset)
    return end + struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)


def by_pytorch(content: bytes, name: str = "archive/data/0") -> bytes:
    """Return a zip as PyTorch writes it: padded, sizes behind the content, an end for large numbers always."""
    said = struct.pack("<3L", zlib.crc32(content), len(content), len(content))
    about = struct.pack("<5H", 0, 0x808, 0, 0, 0)
    names = struct.pack("<H", len(name))
    padding = b"FB" + struct.pack("<H", 10) + b"Z" * 10
    files = b"PK\3\4" + about + bytes(12) + names + struct.pack("<H", len(padding)) + name.encode() + padding + content
    files += b"PK\7\x08" + said
    directory = b"PK\1\2" + bytes(2) + about + said + names + bytes(16) + name.encode()
    return with_end(files, directory, behind=_large(len(directory), len(files), len(files + directory)))


class Unseekable(io.RawIOBase):
    """Takes bytes, as a pipe does."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self.content += bytes(piece)
        return len(piece)


def fine_zips(content: bytes) -> dict[str, bytes]:
    """Return zips of all the ways in which a content is written by what people use."""
    pipe, appended, empty = Unseekable(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        archive.writestr("folder/", "")
        archive.writestr("a", content)
    # as numpy.savez does
    with (
        zipfile.ZipFile(appended, "w", zipfile.ZIP_BZIP2) as archive,
        archive.open("large.npy", "w", force_zip64=True) as file,
    ):
        file.write(content)
    with zipfile.ZipFile(appended, "a") as archive:
        archive.writestr("数据.txt", content)
        archive.comment = b"a comment"
    zipfile.ZipFile(empty, "w").close()
    return {
        "pytorch.zip": by_pytorch(content),
        "pipe.zip": pipe.content,
        "appended.zip": appended.getvalue(),
        "empty.zip": empty.getvalue(),
        "zip.zip": zipped(zipped(content), "inner.zip"),
        "pytorch.zip.zip": zipped(by_pytorch(content), "inner.zip"),
    }


def zips(plain: bytes) -> list[tuple[str, bytes, Callable[[bytes], bytes]]]:
    """Return zips in which some reader finds ``plain``: a name, the zip, that reader."""
    (files, directory, _end), (other, listed, _other_end) = parts(zipped(plain)), parts(zipped(TEXT))
    packed, of_packed, _end = parts(zipped(plain, method=zipfile.ZIP_DEFLATED))
    before, text = files + directory, zipped(TEXT)

    def at(place: int, entry: bytes = listed) -> bytes:
        return _changed(entry, 42, struct.pack("<L", place))

    large = before + other + at(len(files) - len(other))
    behind = before + other + at(len(before))
    return [
        # Python takes the distance of its end from where that says the directory is for something that stands before
        ("two.pt", with_end(before + other, at(len(files) - len(other)), len(files)), by_places),
        ("two-large.pt", with_end(large + _large(len(listed), len(files), len(large)), b"", 0xFFFFFFFF), by_places),
        ("two-zips.pt", zipped(plain) + text, forward),
        ("two-zips-turned.pt", text + zipped(plain), in_python),
        ("before-the-first.zip", with_end(files + other, at(len(files))), forward),
        ("before-the-first-uncounted.zip", files + text, forward),
        ("before-the-directory.zip", with_end(other + files, listed), second),
        ("behind-the-directory.zip", with_end(other, listed, behind=files), second),
        ("behind-the-end.zip", text + files, second),
        ("end-in-the-comment.pt", with_end(files, directory, comment=text), forward),
        (
            "cut-end-in-the-comment.zip",
            b"text" + with_end(files, directory, comment=b"PK\5\6"),
            lambda c: forward(c[4:]),
        ),
        (
            "two-ends.pt",
            with_end(
                behind + _large(len(listed), len(before + other), len(behind)), b"", len(files), size=len(directory)
            ),
            by_places,
        ),
        ("other-name.zip", with_end(_changed(files, 30, b"x"), directory), forward),
        (
            "other-method.zip",
            with_end(packed, _changed(_changed(of_packed, 10, bytes(2)), 24, of_packed[20:24])),
            forward,
        ),
        ("other-size.zip", with_end(files, _changed(directory, 20, bytes(8))), forward),
        (
            "other-unpacked-size.zip",
            with_end(_changed(packed, 22, b"\1\0\0\0"), _changed(of_packed, 24, b"\1\0\0\0")),
            forward,
        ),
    ]
