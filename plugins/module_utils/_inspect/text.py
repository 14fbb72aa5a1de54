# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text: whatever is UTF-8, or UTF-16 that says so. JSON, JSON lines, YAML, Markdown, tables and word lists are text."""

from __future__ import annotations

import codecs
import re

from .configuration import check_json, check_yaml, refuse_calls
from .keras import Layers
from .refused import Refused
from .stream import NO_TEXT, Stream

_OVERLAP = 64
#: A configuration is looked at as a whole up to here.
_WHOLE = 1 << 20
#: Without these XML is neither HTML nor SVG to a browser, and stays what it is. OpenVINO writes none of them.
_MAY_HOLD_SCRIPTS = re.compile("xmlns|<!DOCTYPE|<!ENTITY|xml-stylesheet")


def check(stream: Stream, name: str) -> None:
    """Raise an error where it is no text, Refused where it is code, or names code that a loader runs."""
    head = stream.head(4)
    encoding = "utf-16" if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8"
    if head.startswith(b"#!"):
        raise Refused("is a script")
    decoder = codecs.getincrementaldecoder(encoding)()
    layers = Layers(strict=name.rpartition("/")[2] == "config.json")
    suffix = name.rpartition(".")[2].lower()
    is_yaml, is_config = suffix in ("yaml", "yml"), suffix in ("yaml", "yml", "json")
    kept, tail, size = [], "", 0
    for piece in stream.rest():
        text = decoder.decode(piece)
        if NO_TEXT.search(text):
            raise ValueError("a control character is no text")
        layers.look(text.encode(errors="replace"), "is a text")
        if suffix == "xml" and _MAY_HOLD_SCRIPTS.search(tail + text):
            raise Refused("is XML that may hold scripts, by its names from elsewhere")
        size += len(text)
        if is_config and size <= _WHOLE:
            kept.append(text)
        elif is_yaml:
            raise Refused(f"is YAML of more than {_WHOLE >> 20} MiB, which is not looked into")
        elif is_config:
            refuse_calls(tail + text)
        tail = text[-_OVERLAP:]
    decoder.decode(b"", final=True)
    whole = "".join(kept)
    if is_yaml:
        check_yaml(whole, stream.budget)
    elif is_config and size > _WHOLE:
        refuse_calls(whole)
    elif is_config:
        check_json(whole)
