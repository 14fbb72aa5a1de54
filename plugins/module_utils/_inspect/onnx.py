# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ONNX: a graph whose tensors may be in other files."""

from __future__ import annotations

import io
from typing import Any

from .protobuf import VARINT, Walk
from .refused import Refused
from .stream import NO_TEXT, Stream

# The numbers of the fields by which a tensor is reached, as onnx.proto has them; a graph can be an attribute of a node
# again. A tensor says where its data is by pairs of key and value.
_TENSOR = {13: "pair"}
_SPARSE = {1: _TENSOR, 2: _TENSOR}
_GRAPH: dict[int, Any] = {5: _TENSOR, 15: _SPARSE}
_ATTRIBUTE = {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE}
_NODE = {4: "operator", 5: _ATTRIBUTE}
_GRAPH[1] = _NODE
#: Versions, and texts about the producer, the domain and the model: TensorFlow would find its graph there.
_ABOUT: dict[int, Any] = {1: VARINT, 2: "about", 3: "about", 4: "about", 5: VARINT, 6: "about"}
_MODEL = {**_ABOUT, 7: _GRAPH, 20: {1: _GRAPH, 2: _GRAPH}, 25: {7: _NODE, 11: _ATTRIBUTE}}
#: No field of a model has a higher number.
_KNOWN = 26
_LONGEST_PAIR, _FILES = 4096, 10_000


def check(stream: Stream) -> set[str]:
    """Return the files that hold tensors. Raises Refused where one is not in the model's own folder or below."""
    size = stream.length()
    stream.rewind()
    files: set[str] = set()
    operators = 0
    for name, content in Walk(stream, size).fields(_MODEL, _KNOWN):
        if name == "operator":
            operators += 1
        elif name == "about":
            if NO_TEXT.search(content.decode()):
                raise ValueError("a control character is no text")
        else:
            files.update(_check_location(value.decode()) for value in _locations(content, stream))
        if len(files) > _FILES:
            raise Refused(f"is an ONNX model with data in more than {_FILES} files")
    if not operators:
        raise ValueError("no graph")
    return files


def _locations(pair: bytes, stream: Stream) -> list[bytes]:
    """Return what a pair says, if it says where data is, in whatever order, and however often."""
    if len(pair) > _LONGEST_PAIR:
        raise Refused(f"is an ONNX model that says {len(pair)} bytes about a tensor's data")
    fields = list(Walk(Stream(io.BytesIO(pair), stream.budget), len(pair)).fields({1: "key", 2: "value"}))
    is_location = ("key", b"location") in fields
    return [content for name, content in fields if is_location and name == "value"]


def _check_location(location: str) -> str:
    parts = location.split("/")
    if "\\" in location or ":" in location or ".." in parts or not parts[0] or not location.isprintable():
        raise Refused(f"is an ONNX model with data outside its folder ({ascii(location)[:100]})")
    return "/".join(part for part in parts if part != ".")
