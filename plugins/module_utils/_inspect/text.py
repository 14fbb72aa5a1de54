# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text: whatever is UTF-8, or UTF-16 that says so. JSON, JSON lines, YAML, Markdown, tables and word lists are text."""

from __future__ import annotations

import codecs
import re

from .keras import Layers
from .refused import Refused
from .stream import Stream

_OVERLAP = 64
#: YAML and a model's configuration are looked at as a whole.
_WHOLE = 1 << 20
_ESCAPED = re.compile(r"\\(?:x|u00|U000000)([2-7][0-9a-fA-F])")
#: Tags that are no more than kinds of values. Others make objects of Python, in loaders that allow it.
_TAG = re.compile(r"(?:^|[\s\[{,:?\-])(![^\s,\[\]{}]*)|^%TAG", re.MULTILINE)
_PLAIN_TAGS = {
    "!",
    *(f"!!{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map", "set", "omap", "pairs")),
    "!!binary",
    "!!timestamp",
}
#: Hydra calls what is under ``_target_``, others what is under ``target`` in YAML.
_HYDRA = re.compile(r"\b_target_\b")
_TARGET = re.compile(r"\btarget[\"']?\s*:(?:\s|#.*\n)*[\"']?[A-Za-z_]\w*\.\w")
_CALLS = re.compile(r"\b_target_\b|\"auto_map\"")
#: transformers takes code from another repository where it is named so.
_AUTO_MAP = re.compile(r"\"auto_map\"\s*:\s*\{[^}]*--")


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
        if "\0" in text:
            raise ValueError("a zero byte is no text")
        layers.look(text.encode(errors="replace"), "is a text")
        size += len(text)
        if is_config and size <= _WHOLE:
            kept.append(text)
        elif is_yaml:
            raise Refused(f"is YAML of more than {_WHOLE >> 20} MiB, which is not looked into")
        elif is_config and _CALLS.search(_ESCAPED.sub(_unescape, tail + text)):
            raise Refused(f"is a configuration that names code, and has more than {_WHOLE >> 20} MiB")
        tail = text[-_OVERLAP:]
    decoder.decode(b"", final=True)
    if is_config:
        _check_config(_ESCAPED.sub(_unescape, "".join(kept)), is_yaml)


def _unescape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _check_config(text: str, is_yaml: bool) -> None:
    if _HYDRA.search(text):
        raise Refused("is a configuration that names what is called when it is read (_target_)")
    if _AUTO_MAP.search(text):
        raise Refused("is a configuration that takes code from another repository (auto_map)")
    for found in _TAG.finditer(text) if is_yaml else ():
        if found[1] not in _PLAIN_TAGS:
            raise Refused(f"is YAML with the tag {ascii(found[0].strip())[:60]}, which some loaders make an object of")
    if is_yaml and _TARGET.search(text):
        raise Refused("is YAML that names what is called when it is read (target)")
