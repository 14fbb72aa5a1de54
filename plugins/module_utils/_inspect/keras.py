# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keras' layers in JSON: some are code, written down as bytes."""

from __future__ import annotations

import re

from .refused import Refused

_ESCAPED = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
_CLASS = b'"class_name"'
_LAMBDA = re.compile(rb'"(Lambda|__lambda__)"')
#: In Keras' own archives a function, or a class of another module than Keras, is looked up and called by its name.
_FUNCTION = re.compile(rb'"class_name"\s*:\s*"function"|"module"\s*:\s*"(?!keras|builtins")')


class Layers:
    """What was seen in the pieces of a text, each of which begins with the end of the one before."""

    def __init__(self, strict: bool = False) -> None:
        self._strict = strict
        self._has_class = self._has_code = self._has_function = False

    def look(self, text: bytes) -> None:
        """Look at a piece."""
        if b"\\u00" in text:
            text = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text)
        self._has_class = self._has_class or _CLASS in text
        self._has_code = self._has_code or bool(_LAMBDA.search(text))
        self._has_function = self._has_function or bool(self._strict and _FUNCTION.search(text))

    def check(self, what: str) -> None:
        """Raise Refused where a layer is code. ``what`` says what was looked at."""
        if self._has_class and self._has_code:
            raise Refused(f"{what} with a Lambda layer of Keras, which is code")
        if self._has_class and self._has_function:
            raise Refused(f"{what} of Keras that names a function of Python, which is called")
