# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NumPy's arrays: numbers, or Python objects, which are a pickle."""

from __future__ import annotations

import ast
import re
from typing import Any

from .refused import Refused
from .stream import Stream

MAGIC = b"\x93NUMPY"
#: NumPy's own limit for headers that it does not trust.
_HEADER = 10_000
_DEEPEST = 32
#: Numbers, text and raw bytes; O, for objects, is not among them.
_PLAIN = re.compile(r"[<>|=]?(?:[?biufcSaUVmM]\d{0,9}|[mM]8\[[0-9A-Za-zμ]+\]|b1)")


def check(stream: Stream) -> None:
    """Raise Refused where an array may hold objects."""
    stream.take(len(MAGIC))
    major, _minor = stream.take(2)
    size = stream.number(2 if major == 1 else 4)
    if size > _HEADER:
        raise Refused(f"is a NumPy array with a header of {size} bytes, {_HEADER} are the most")
    text = stream.take(size).decode("utf-8" if major > 2 else "latin-1")
    # not before it is known to be shallow: Python's parser takes brackets in brackets to heart
    if sum(map(text.count, "([{")) > _DEEPEST * 8 or re.search(r"[-+~\s]{64}", text.strip()):
        raise Refused("is a NumPy array whose header can't be read")
    try:
        header: Any = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise Refused("is a NumPy array whose header can't be read") from None
    if not isinstance(header, dict) or not _is_plain(header.get("descr")):
        raise Refused("is a NumPy array that may hold Python objects, which are a pickle")


def _is_plain(descr: Any, depth: int = 0) -> bool:
    """Say whether a type has no object in it."""
    if depth > _DEEPEST:
        return False
    if isinstance(descr, str):
        return bool(_PLAIN.fullmatch(descr))
    if isinstance(descr, tuple):  # a type and its shape
        return len(descr) == 2 and _is_plain(descr[0], depth + 1)
    if isinstance(descr, list):  # fields: name, type and maybe a shape
        return all(isinstance(one, tuple) and len(one) in (2, 3) and _is_plain(one[1], depth + 1) for one in descr)
    return False
