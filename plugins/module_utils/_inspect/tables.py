# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables: Parquet and Arrow. An old kind of column in them is a pickle, which PyArrow before 14.0.1 loads."""

from __future__ import annotations

import base64
from typing import Any

from .refused import Refused
from .stream import LONGEST, Stream

PARQUET, ARROW, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
_PICKLED = b"arrow.py_extension_type"
#: Parquet has Arrow's schema in Base64, where a name looks like this, by where it begins.
_IN_BASE64 = [base64.b64encode(bytes(shift) + _PICKLED)[(shift * 8 + 5) // 6 : -4] for shift in range(3)]


def check_parquet(stream: Stream) -> None:
    """Raise Refused where the end does not lie in the file, or names a column that is a pickle."""
    _check(_tail(stream, PARQUET, 8))


def check_arrow(stream: Stream) -> None:
    """Check a file of Arrow, which has its schema at both ends."""
    _check(stream.head(LONGEST // 4))
    _check(_tail(stream, ARROW, 10))


def check_arrow_stream(stream: Stream) -> None:
    """Check a stream of Arrow, which datasets keeps: its first message is the schema."""
    stream.take(4)
    size = stream.number(4, signed=True)
    if size <= 0:
        raise ValueError("no schema")
    schema = stream.take(size)
    if not 0 < int.from_bytes(schema[:4], "little") < size:
        raise ValueError("no schema")
    _check(schema)


def _tail(stream: Stream, magic: bytes, length: int) -> bytes:
    """Return the description at the end of a file, which says its own size."""
    file: Any = stream.file()
    try:
        end = file.seek(0, 2)
        file.seek(max(0, end - length))
        tail = file.read()
        size = int.from_bytes(tail[:4], "little")
        if not tail.endswith(magic) or not 0 < size <= end - length - len(magic):
            raise ValueError("no end")
        file.seek(end - length - size)
        description: bytes = file.read(size)
    finally:
        file.close()
    return description


def _check(schema: bytes) -> None:
    if any(name in schema for name in (_PICKLED, *_IN_BASE64)):
        raise Refused("is a table with a column that is a pickle (arrow.py_extension_type)")
