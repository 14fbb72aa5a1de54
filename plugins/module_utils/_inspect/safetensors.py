# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""safetensors: a header in JSON, then nothing but the tensors' bytes."""

from __future__ import annotations

import json
import math
from typing import Any

from .refused import Refused
from .stream import Stream

#: The largest header that is read. The format takes 100 MB; the largest models need a few.
HEADER = 10_000_000
#: Brackets in it: a tensor has three. What is read of it stays small in memory.
_BRACKETS = 600_000
_DIMENSIONS = 64
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def check(stream: Stream) -> None:
    """Raise Refused where the header does not describe the rest, to the byte."""
    try:
        header_size = stream.number(8)
        if header_size > HEADER:
            raise Refused(f"is a safetensors file with a header of {header_size} bytes, {HEADER} are the most")
        text = stream.take(header_size)
        if text.count(b"[") + text.count(b"{") > _BRACKETS:
            raise Refused("is a safetensors file with more tensors than are looked at")
        header = json.loads(text.decode(), object_pairs_hook=_once)
        del text
        _check_tensors(header, stream.length() - 8 - header_size)
    except (ValueError, EOFError, KeyError, TypeError, RecursionError) as problem:
        raise Refused(f"is a safetensors file with a wrong header ({problem or 'it is cut short'})") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _check_tensors(header: Any, size: int) -> None:
    if not isinstance(header, dict):
        raise ValueError("it is no object")
    about = header.pop("__metadata__", {})
    if not isinstance(about, dict) or not all(isinstance(value, str) for value in about.values()):
        raise ValueError("its metadata are no texts")
    spans = sorted(_span(name, tensor) for name, tensor in header.items())
    at = 0
    for begin, end in spans:
        if begin != at:
            raise ValueError(f"its tensors do not follow each other at {at}")
        at = end
    if at != size:
        raise ValueError(f"it describes {at} bytes of {size}")


def _span(name: str, tensor: Any) -> tuple[int, int]:
    """Return where a tensor's bytes are."""
    if set(tensor) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name[:100]!r} has other fields")
    begin, end = tensor["data_offsets"]
    if not all(map(_is_number, (*tensor["shape"], begin, end))):
        raise ValueError(f"{name[:100]!r} has a wrong number")
    bits = _BITS.get(tensor["dtype"])
    if bits is None or begin > end or len(tensor["shape"]) > _DIMENSIONS:
        raise ValueError(f"{name[:100]!r} is no tensor that is known")
    if math.prod(tensor["shape"]) * bits != (end - begin) * 8:
        raise ValueError(f"{name[:100]!r} has not the size of its shape")
    return begin, end
