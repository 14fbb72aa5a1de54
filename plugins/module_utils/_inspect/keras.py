# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keras' layers in JSON: some are code, written down as bytes."""

from __future__ import annotations

import re

from .refused import Refused

_BLANKS = b" \t\r\n"
_ESCAPED = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
_LAMBDA = re.compile(rb'"class_name":"(?:Lambda|__lambda__)"')
#: In Keras' own archives a function, or a class of another module than Keras, is looked up and called by its name.
_FUNCTION = re.compile(rb'"class_name":"function"|"module":"(?!keras|builtins")')
#: Longer than any of them, each character escaped.
_OVERLAP = 256


class Layers:
    """What is seen in a text, piece by piece. ``strict``: it is the configuration of a model of Keras, if any."""

    def __init__(self, strict: bool = False) -> None:
        self._strict = strict
        self._has_class = self._has_function = False
        self._tail = b""

    def look(self, piece: bytes, what: str) -> None:
        """Look at the next piece. Raises Refused where a layer is code; ``what`` says what is looked at."""
        text = self._tail + piece.translate(None, _BLANKS)
        self._tail = text[-_OVERLAP:]
        if b"\\u00" in text:
            text = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text)
        if _LAMBDA.search(text):
            raise Refused(f"{what} with a Lambda layer of Keras, which is code")
        if self._strict:
            self._has_class = self._has_class or b'"class_name"' in text
            self._has_function = self._has_function or bool(_FUNCTION.search(text))
            if self._has_class and self._has_function:
                raise Refused(f"{what} of Keras that names a function of Python, which is called")
