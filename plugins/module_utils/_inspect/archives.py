# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives (zip, tar): the files in them, one after the other."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from typing import Any

from .refused import Refused
from .stream import Stream

#: How a file in a zip may be packed: not at all, deflate, bzip2. Others ask for as much memory as they like.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_BLOCK = 512


def is_zip(stream: Stream) -> bool:
    """Say whether a content begins as a zip."""
    return stream.head(4) in (b"PK\3\4", b"PK\5\6", b"PK\7\x08")


def ends_as_zip(stream: Stream) -> bool:
    """Say whether a content ends as a zip: many readers look there alone, and anything may stand before it."""
    return stream.is_seekable and zipfile.is_zipfile(stream.file())


def is_tar(stream: Stream) -> bool:
    """Say whether a content begins as a tar: with a header that fits its checksum."""
    head = stream.head(_BLOCK)
    try:
        return bool(head.strip(b"\0")) and bool(tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape"))
    except (tarfile.HeaderError, ValueError):
        return False


def in_zip(stream: Stream, check_names: bool) -> Iterator[tuple[str, Stream]]:
    """Return the files in a zip. ``check_names``: raise Refused for what would be unpacked elsewhere."""
    file: Any = stream.file()
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                stream.budget.member()
                if check_names:
                    _check_name(info.filename)
                if info.compress_type not in _METHODS:
                    raise Refused(f"has {info.filename[:100]} in it, packed in a way that can't be looked into")
                if not info.is_dir() or info.file_size:
                    with archive.open(info) as source:
                        yield info.filename, Stream(source, stream.budget, info.file_size)
    finally:
        file.close()


def in_tar(stream: Stream, check_names: bool) -> Iterator[tuple[str, Stream]]:
    """Return the files in a tar, likewise."""
    mode: Any = "r:" if stream.is_seekable else "r|"
    file: Any = stream.file() if stream.is_seekable else stream
    with tarfile.open(fileobj=file, mode=mode) as archive:
        while True:
            info = archive.next()
            if info is None:
                return
            archive.members = []  # type: ignore[attr-defined]  # or it keeps all that it ever saw
            stream.budget.member()
            if check_names:
                _check_name(info.name)
                if info.issym() or info.islnk():
                    _check_name(info.linkname)
            if info.isfile():
                source = archive.extractfile(info)
                if source is not None:
                    yield info.name, Stream(source, stream.budget, info.size, stream.is_seekable)


def _check_name(name: str) -> None:
    """Refuse what would be unpacked elsewhere."""
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or not parts[0] or parts[0].endswith(":"):
        raise Refused(f"has {ascii(name)[:100]} in it, which leads out of the folder that it is unpacked to")
