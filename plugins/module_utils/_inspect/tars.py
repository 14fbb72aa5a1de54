# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tars: the files in them, one after the other."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Any

from .names import check_name
from .refused import Refused
from .stream import Stream

_BLOCK = 512
_INVALID_HEADER = tarfile.InvalidHeaderError  # type: ignore[attr-defined]


class _Header(tarfile.TarInfo):
    """A header, or the end: what is neither ends a tar for some readers, others pass over it."""

    @classmethod
    def fromtarfile(cls, tarfile: Any) -> Any:
        """Return it. Raises Refused."""
        try:
            return super().fromtarfile(tarfile)
        except _INVALID_HEADER:
            raise Refused("is a tar with something in it that is no header, which readers take differently") from None


def is_tar(stream: Stream) -> bool:
    """Say whether a content begins as a tar: with a header that fits its checksum."""
    head = stream.head(_BLOCK)
    try:
        return bool(head.strip(b"\0")) and bool(tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape"))
    except (tarfile.HeaderError, ValueError):
        return False


def in_tar(stream: Stream, check_names: bool) -> Iterator[tuple[str, Stream]]:
    """Return the files in a tar. ``check_names``: raise Refused for what would be unpacked elsewhere.

    Some readers go on behind its end: what they find there is found here, too.
    """
    mode: Any = "r:" if stream.is_seekable else "r|"
    file: Any = stream.file() if stream.is_seekable else stream
    with tarfile.open(fileobj=file, mode=mode, ignore_zeros=True, tarinfo=_Header) as archive:
        while True:
            info = archive.next()
            if info is None:
                return
            archive.members = []  # type: ignore[attr-defined]  # or it keeps all that it ever saw
            stream.budget.member()
            if check_names:
                check_name(info.name)
                if info.issym() or info.islnk():
                    check_name(info.linkname)
            if info.isfile():
                source = archive.extractfile(info)
                if source is not None:
                    yield info.name, Stream(source, stream.budget, info.size, stream.is_seekable)
