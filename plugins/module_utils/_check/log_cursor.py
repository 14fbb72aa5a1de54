# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a log from where it was read to, over rotation: no line twice, and no line again that was read."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .._border.history import number_of
from .._border.json import AnswerProblem, mapping
from .access_log import lines_of, open_parts

#: Bytes of the first line that tell a file from another one with its inode.
_HEAD = 4096


@dataclass(frozen=True)
class Cursor:
    """How far a log was read: the ``inode`` of a file, what its first line hashes to, and the bytes of it."""

    inode: int
    head: str
    offset: int

    @classmethod
    def from_json(cls, value: Any) -> Cursor:
        """Read what was written of one. Raises NameProblem."""
        told = mapping(value, "a cursor")
        if not isinstance(told.get("head"), str):
            raise AnswerProblem("a cursor has no head")
        inode, offset = (number_of(told.get(name), name, least=0) for name in ("inode", "offset"))
        return cls(inode, told["head"], offset)


@dataclass
class NewLines:
    """The lines of a log from a cursor on, oldest first; from its current file where there is none.

    ``cursor`` is where the next one goes on: what is read was the whole of all lines before it. ``is_gap``: what the
    cursor stands in is gone, or is another one, so nobody knows how many lines were not read.
    """

    file: Path
    cursor: Cursor | None
    is_gap: bool = False

    def __iter__(self) -> Iterator[bytes]:
        """Read them. Raises AccessLogError where that can't be."""
        with contextlib.ExitStack() as opened:
            # what is compressed has another inode, and was not written to for a day
            parts = [stream for path, stream in open_parts(self.file, opened) if path.suffix != ".gz"]
            for stream, offset in reversed(self._unread(parts)):
                yield from self._read(stream, offset)

    def _unread(self, parts: list[BinaryIO]) -> list[tuple[BinaryIO, int]]:
        """Return what is to be read, the newest first, and from where."""
        if self.cursor is None:
            return [(parts[0], 0)] if parts else []
        found: list[tuple[BinaryIO, int]] = []
        for stream in parts:
            status = os.fstat(stream.fileno())
            is_it = status.st_ino == self.cursor.inode and self.cursor.head in ("", _head(stream))
            if is_it and status.st_size >= self.cursor.offset:
                return [*found, (stream, self.cursor.offset)]
            found.append((stream, 0))
        self.is_gap = True
        return found[:1]

    def _read(self, stream: BinaryIO, offset: int) -> Iterator[bytes]:
        # nginx writes on to the older file until it was told of a new one: who stands in that goes on there
        if self.cursor is not None and not _head(stream):
            return
        stream.seek(offset)
        inode, head = os.fstat(stream.fileno()).st_ino, _head(stream)
        self.cursor = Cursor(inode, head, offset)
        for line in lines_of(stream):
            if not line.endswith(b"\n"):
                continue  # nginx is writing it, or it is none of nginx' lines
            self.cursor = Cursor(inode, head, stream.tell())
            yield line


def _head(stream: BinaryIO) -> str:
    """Return what the first line hashes to; nothing where there is none yet."""
    at = stream.tell()
    stream.seek(0)
    line = stream.readline(_HEAD)
    stream.seek(at)
    return hashlib.sha256(line).hexdigest() if line.endswith(b"\n") or len(line) == _HEAD else ""
