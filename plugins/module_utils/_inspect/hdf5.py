# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HDF5: Keras keeps a model's layers in it as JSON, PyTables pickles."""

from __future__ import annotations

from .keras import Layers
from .refused import Refused
from .stream import Stream

MAGIC = b"\x89HDF\r\n\x1a\n"
#: A heap can be packed, and hide what is in it: nobody writes such, but anybody can. Version 0, eight bytes an id.
_HEAP, _HEAP_HEAD = b"FRHP\0", 9
_OVERLAP = 64
#: It may begin further behind, each time twice as far; this is as far as is looked where nobody can go back.
_FIRST_BLOCK, _LAST_BLOCK = 512, 512 << 10


def refuse_behind(stream: Stream) -> None:
    """Raise Refused where readers of HDF5 find one behind something else."""
    offset = _FIRST_BLOCK
    try:
        while stream.is_seekable or offset <= _LAST_BLOCK:
            stream.rewind()
            stream.skip(offset)
            if stream.take(len(MAGIC)) == MAGIC:
                raise Refused("has an HDF5 file behind something else")
            offset *= 2
    except EOFError:
        return


def check(stream: Stream) -> None:
    """Raise Refused where it holds layers that are code, or pickles, or what can't be looked into."""
    layers = Layers()
    tail = b""
    for piece in stream.rest():
        text = tail + piece
        layers.look(piece, "is an HDF5 file")
        if b"PYTABLES_FORMAT_VERSION" in text or b"pandas_type" in text:
            raise Refused("is an HDF5 file of PyTables, whose attributes are pickles")
        at = text.find(_HEAP)
        while at >= 0 and at + _HEAP_HEAD <= len(text):
            if text[at + 7 : at + 9] != b"\0\0":
                raise Refused("is an HDF5 file with a packed heap, which can't be looked into")
            at = text.find(_HEAP, at + 1)
        tail = text[-_OVERLAP:]
