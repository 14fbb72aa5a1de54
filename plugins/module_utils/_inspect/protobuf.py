# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of Protocol Buffers, walked through without their schema in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .refused import Refused
from .stream import Stream

#: Kinds of fields.
VARINT, FIXED = 0, 5
#: Fields of one message with all that is in it.
_FIELDS = 1_000_000
_DEEPEST = 64

#: Number of a field -> the fields of the message in it; a text instead is the name under which it is handed out, a
#: number the kind that it must have: readers pass over what they don't expect, and others may find theirs there.
Schema = Mapping[int, Any]


class Walk:
    """A walk through one message: the fields that a schema names with a text are handed out."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream, self._size = stream, size
        self._left = _FIELDS

    def fields(self, schema: Schema, known: int = 0) -> Iterator[tuple[str, bytes]]:
        """Return (name, content) of fields. With ``known`` no field of the message has a higher number."""
        return self._fields(schema, self._size, 0, known)

    def _fields(self, schema: Schema, end: int, depth: int, known: int) -> Iterator[tuple[str, bytes]]:
        stream = self._stream
        if depth > _DEEPEST:
            raise Refused(f"has messages in each other deeper than {_DEEPEST}")
        while stream.position < end:
            self._left -= 1
            stream.budget.step()
            if self._left < 0:
                raise Refused(f"has more than {_FIELDS} fields")
            key = self._varint()
            number, kind = key >> 3, key & 7
            inner = schema.get(number)
            expected = inner if isinstance(inner, int) else 2
            if not number or (known and number > known) or (inner is not None and kind != expected):
                raise ValueError(f"a field {number} of kind {kind}")
            if kind == 0:
                self._varint()
            elif kind in (1, 5):
                stream.skip(8 if kind == 1 else 4)
            elif kind == 2:
                size = self._varint()
                if stream.position + size > end:
                    raise EOFError
                if isinstance(inner, str):
                    yield inner, stream.take(size)
                elif inner is None or isinstance(inner, int):
                    stream.skip(size)
                else:
                    yield from self._fields(inner, stream.position + size, depth + 1, 0)
            else:
                raise ValueError(f"a field of kind {kind}")
        if stream.position > end:
            raise EOFError

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._stream.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number of more than 64 bits")
