# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a log from where it was read to, over rotation: no line twice, and no line again that was read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .access_log import lines_of, open_parts


@dataclass(frozen=True)
class Cursor:
    """How far a log was read: the ``inode`` of the file that was the current one, and the bytes of it."""

    inode: int
    offset: int


@dataclass
class NewLines:
    """The lines of a log from a cursor on, oldest first; from its current file where there is none.

    ``cursor`` is where the next one goes on: what is read was the whole of all lines before it. ``is_gap``: what the
    cursor stands in is gone, so nobody knows how many lines were not read.
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
            if status.st_ino == self.cursor.inode:
                # one that is shorter than it was is another one, or was emptied
                return [*found, (stream, self.cursor.offset if status.st_size >= self.cursor.offset else 0)]
            found.append((stream, 0))
        self.is_gap = True
        return found[:1]

    def _read(self, stream: BinaryIO, offset: int) -> Iterator[bytes]:
        stream.seek(offset)
        inode = os.fstat(stream.fileno()).st_ino
        for line in lines_of(stream):
            if not line.endswith(b"\n"):
                continue  # nginx is writing it, or it is none of nginx' lines
            offset = stream.tell()
            yield line
        self.cursor = Cursor(inode, offset)
