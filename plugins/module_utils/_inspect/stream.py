# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A content, or a file in an archive, that is read forward in little memory."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from .budget import Budget
from .refused import Limit

#: What is read at once, and how much of the beginning can be read again where nothing else can be.
_CHUNK, _HEAD = 64 << 10, 1 << 20
#: The longest piece that anybody may ask for at once: a length in a hostile content can be anything.
LONGEST = 16 << 20
#: A small message of Protocol Buffers (TensorFlow, Core ML) is UTF-8, but for these. Others separate or colour texts.
NO_TEXT = re.compile("[\\0-\\x08\\x0e-\\x1a]")


class Stream:
    """Bytes that are read forward, and once more from the start.

    ``source`` has ``read``, and ``seek`` where ``seekable``. ``size`` is None where nobody knows it yet.
    """

    def __init__(self, source: Any, budget: Budget, size: int | None = None, seekable: bool = False) -> None:
        self._source, self.budget, self.size, self._seekable = source, budget, size, seekable
        self._buffer, self._start, self._at = b"", 0, 0

    @property
    def position(self) -> int:
        """How far it was read."""
        return self._start + self._at

    def _fill(self) -> bool:
        """Read on, and say whether there was more."""
        piece: bytes = self._source.read(_CHUNK)
        self.budget.read(len(piece))
        if self._start == 0 and len(self._buffer) < _HEAD:
            self._buffer += piece
        elif piece:
            self._start += len(self._buffer)
            self._buffer, self._at = piece, self._at - len(self._buffer)
        return bool(piece)

    def read(self, size: int) -> bytes:
        """Return up to so many bytes, fewer at the end only."""
        if size > LONGEST:
            raise Limit(f"has a piece of {size} bytes where none is longer than {LONGEST >> 20} MiB")
        pieces: list[bytes] = []
        while size:
            piece = self._buffer[self._at : self._at + size]
            if not piece and not self._fill():
                break
            self._at += len(piece)
            size -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def take(self, size: int) -> bytes:
        """Return so many bytes. Raises EOFError."""
        piece = self.read(size)
        if len(piece) < size:
            raise EOFError
        return piece

    def byte(self) -> int:
        """Return the next byte. Raises EOFError."""
        if self._at >= len(self._buffer) and not self._fill():
            raise EOFError
        value = self._buffer[self._at]
        self._at += 1
        return value

    def number(self, size: int, signed: bool = False) -> int:
        """Return a little-endian number of so many bytes. Raises EOFError."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def skip(self, size: int) -> None:
        """Pass over so many bytes. Raises EOFError."""
        if self.size is not None and self.position + size > self.size:
            raise EOFError
        ahead = min(size, len(self._buffer) - self._at)
        self._at, size = self._at + ahead, size - ahead
        if size and self._seekable:
            self.seek(self.position + size)
        while size and not self._seekable:
            size -= len(self.take(min(size, _CHUNK)))

    def seek(self, position: int) -> None:
        """Go on elsewhere, where that is possible at all."""
        self._source.seek(position)
        self._buffer, self._start, self._at = b"", position, 0

    @property
    def is_seekable(self) -> bool:
        """Say whether it can be read anywhere without being in memory."""
        return self._seekable

    def rewind(self) -> None:
        """Go back to the start. Raises Limit where that can't be done any more."""
        if self._start == 0:
            self._at = 0
        elif self._seekable:
            self.seek(0)
        else:
            raise Limit(f"would have to be read twice, which more than {_HEAD >> 20} MiB of it can't be")

    def head(self, size: int = 1024) -> bytes:
        """Return what it begins with. It stands at its start then."""
        self.rewind()
        head = self.read(size)
        self.rewind()
        return head

    def line(self, size: int, is_longer: bool = True) -> bytes:
        """Return a line without its end, no more than so many bytes of it; pass over the rest. Raises EOFError.

        So it does where a line is longer that may not be.
        """
        line = b""
        while True:
            if self._at >= len(self._buffer) and not self._fill():
                raise EOFError
            end = self._buffer.find(b"\n", self._at)
            line += self._buffer[self._at : end if end >= 0 else None][: max(0, size - len(line))]
            if end >= 0:
                self._at = end + 1
                return line
            self._at = len(self._buffer)
            if len(line) == size and not is_longer:
                raise EOFError

    def rest(self) -> Iterator[bytes]:
        """Return what follows, in pieces."""
        while True:
            piece = self.read(_CHUNK)
            if not piece:
                return
            yield piece

    def length(self) -> int:
        """Return the size, if need be by reading all of it. It stands anywhere then."""
        if self.size is None:
            for _piece in self.rest():
                pass
            self.size = self.position
        return self.size

    def is_at_end(self) -> bool:
        """Say whether nothing follows."""
        return self._at >= len(self._buffer) and not self._fill()

    def file(self) -> File:
        """Return it as a file that can be read anywhere. Raises Limit where it is too long for that.

        It stands nowhere then: rewind it before it is read again.
        """
        if self._seekable:
            self.seek(0)
            self._start = 1  # so that rewinding seeks, too
            return File(self._source, self.length(), self.budget)
        self.rewind()
        spooled = io.BytesIO()
        for piece in self.rest():
            self.budget.spool(len(piece))
            spooled.write(piece)
        return File(spooled, spooled.tell(), self.budget, spooled.tell())


class File:
    """A file for Python's own readers of archives, which ask for whatever length an archive says."""

    def __init__(self, source: Any, size: int, budget: Budget, spooled: int = 0) -> None:
        self._source, self._size, self._budget, self._spooled = source, size, budget, spooled
        source.seek(0)

    def close(self) -> None:
        """Give the memory back."""
        self._budget.spool(-self._spooled)
        self._spooled = 0

    def seekable(self) -> bool:
        """Say so."""
        return True

    def tell(self) -> int:
        """Return where it stands."""
        position: int = self._source.tell()
        return position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go elsewhere."""
        self._budget.step()
        position: int = self._source.seek(offset, whence)
        return position

    def read(self, size: int | None = -1) -> bytes:
        """Read. Raises Limit where that is more than an archive's own parts may have."""
        left = max(0, self._size - self.tell())
        size = left if size is None or size < 0 else min(size, left)
        if size > LONGEST:
            raise Limit(f"has a part of {size} bytes that is no file, {LONGEST >> 20} MiB are the most")
        self._budget.read(size)
        piece: bytes = self._source.read(size)
        return piece
