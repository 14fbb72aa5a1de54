# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MessagePack: flax keeps its weights in it."""

from __future__ import annotations

from .refused import Refused
from .stream import Stream

_VALUES, _DEEPEST = 500_000, 64
#: First byte -> (bytes of the length, what more there is, fixed bytes). Lists and maps are told by themselves.
_FIXED = {
    0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
    0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17,
}  # fmt: skip
_SIZED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_EXTENSION = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_LISTS, _MAPS = {0xDC: 2, 0xDD: 4}, {0xDE: 2, 0xDF: 4}


def begins(head: bytes) -> bool:
    """Say whether it may be a map or a list of MessagePack."""
    return bool(head) and (0x80 <= head[0] <= 0x9F or head[0] in _LISTS or head[0] in _MAPS)


def check(stream: Stream) -> None:
    """Raise an error where it is none to its last byte, Refused where msgpack_numpy would read a pickle in it."""
    left = [1]  # how many values are open, at each depth
    before, values = b"", 0
    while left:
        if not left[-1]:
            left.pop()
            continue
        left[-1] -= 1
        values += 1
        stream.budget.step()
        if values > _VALUES or len(left) > _DEEPEST:
            raise Refused("is MessagePack with more values, or more in each other, than are looked at")
        kept, count = _value(stream)
        if count is not None:
            left.append(count)
        if before == b"kind" and kept == b"O":
            raise Refused("is MessagePack with a pickle of NumPy objects in it")
        before = kept
    if not stream.is_at_end():
        raise ValueError("it has a rest")


def _value(stream: Stream) -> tuple[bytes, int | None]:
    """Pass over a value; return it where it is a short text, and how many are in it where it holds others."""
    first = stream.byte()
    if first < 0x80 or first >= 0xE0:
        return b"", None
    if first < 0x90:
        return b"", (first & 15) * 2
    if first < 0xA0:
        return b"", first & 15
    if first < 0xC0:
        return stream.take(first & 31), None
    if first in _FIXED:
        stream.skip(_FIXED[first])
        return b"", None
    if first in _LISTS:
        return b"", _number(stream, _LISTS[first])
    if first in _MAPS:
        return b"", _number(stream, _MAPS[first]) * 2
    if first in _SIZED:
        size = _number(stream, _SIZED[first])
        if size < 32:
            return stream.take(size), None
        stream.skip(size)
        return b"", None
    if first in _EXTENSION:
        stream.skip(_number(stream, _EXTENSION[first]) + 1)
        return b"", None
    raise ValueError(f"a byte {first}")


def _number(stream: Stream, size: int) -> int:
    return int.from_bytes(stream.take(size), "big")
