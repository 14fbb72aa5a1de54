# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GGUF: what is known of a model, a table of its tensors, then their bytes."""

from __future__ import annotations

import re
from typing import Any

from .refused import Refused
from .stream import Stream

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_KEYS, _TENSORS = 100_000, 100_000
_LONGEST_KEY, _LONGEST_TEMPLATE, _ELEMENTS, _DEEPEST, _DIMENSIONS = 65_535, 1 << 20, 2_000_000, 4, 8
#: Bytes of each kind of value; a text and a list say their own.
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_TEXT, _LIST = 8, 9
#: Some loaders run a model's chat template unguarded: one that reaches for Python's insides is none.
_TEMPLATE = b"chat_template"
_INSIDES = re.compile(rb"__[a-z]|\|\s*attr\b|\\x5f|\\u005f")


def check(stream: Stream) -> None:
    """Raise Refused where a length leads out of the content, or a template may run code."""
    try:
        _Walk(stream).check()
    except (EOFError, ValueError) as problem:
        raise Refused(f"is a GGUF file with a wrong head ({problem or 'it is cut short'})") from None


class _Walk:
    def __init__(self, stream: Stream) -> None:
        self._stream, self._left = stream, _ELEMENTS

    def check(self) -> None:
        stream = self._stream
        stream.take(len(MAGIC))
        version, tensors, keys = stream.number(4), stream.number(8), stream.number(8)
        if version not in _VERSIONS:
            raise ValueError(f"its version is {version}")
        if tensors > _TENSORS or keys > _KEYS:
            raise ValueError(f"it has {tensors} tensors and {keys} keys")
        alignment = 32
        for _number in range(keys):
            key = self._text(_LONGEST_KEY)
            kind = stream.number(4)
            if _TEMPLATE in key:
                self._check_template(kind)
            elif key == b"general.alignment" and kind == 4:
                alignment = stream.number(4)
            else:
                self._skip(kind, 0)
        offsets = [self._tensor() for _number in range(tensors)]
        if not alignment or max(offsets, default=0) + stream.position > stream.length() + alignment:
            raise ValueError("a tensor lies outside of it")

    def _check_template(self, kind: int) -> None:
        if kind != _TEXT:
            self._skip(kind, 0)
        elif _INSIDES.search(self._text(_LONGEST_TEMPLATE)):
            raise Refused("is a GGUF file whose chat template reaches for Python's insides, which some loaders run")

    def _text(self, longest: int) -> bytes:
        size = self._stream.number(8)
        if size > longest:
            raise ValueError(f"it has a name or template of {size} bytes")
        return self._stream.take(size)

    def _skip(self, kind: int, depth: int) -> None:
        """Pass over a value."""
        stream = self._stream
        if kind in _SIZES:
            stream.skip(_SIZES[kind])
        elif kind == _TEXT:
            stream.skip(stream.number(8))
        elif kind == _LIST and depth < _DEEPEST:
            inner, count = stream.number(4), stream.number(8)
            if inner in _SIZES:
                stream.skip(_SIZES[inner] * count)
                return
            self._left -= count
            if self._left < 0:
                raise ValueError(f"it has lists of more than {_ELEMENTS} values")
            for _number in range(count):
                stream.budget.step()
                self._skip(inner, depth + 1)
        else:
            raise ValueError(f"it has a value of kind {kind}")

    def _tensor(self) -> int:
        """Return where a tensor begins."""
        stream: Any = self._stream
        stream.budget.step()
        self._text(_LONGEST_KEY)
        dimensions = stream.number(4)
        if dimensions > _DIMENSIONS:
            raise ValueError(f"it has a tensor of {dimensions} dimensions")
        stream.skip(8 * dimensions + 4)
        offset: int = stream.number(8)
        return offset
