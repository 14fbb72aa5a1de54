# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SentencePiece models: pieces of words and how often they are."""

from __future__ import annotations

from .protobuf import FIXED, VARINT, Walk
from .stream import Stream

#: Pieces with score and type, trainer, normalizer, self test, denormalizer. TensorFlow's graphs have texts for scores.
_MODEL = {1: {1: "piece", 2: FIXED, 3: VARINT}, 2: {}, 3: {}, 4: {}, 5: {}}
_KNOWN = 5


def check(stream: Stream) -> None:
    """Raise an error where it is none."""
    size = stream.length()
    stream.rewind()
    pieces = 0
    for _name, piece in Walk(stream, size).fields(_MODEL, _KNOWN):
        piece.decode()
        pieces += 1
    if not pieces:
        raise ValueError("no pieces")
