# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations in JSON and YAML: some name code that a loader runs. They are read, for a text has many spellings."""

from __future__ import annotations

import json
import re
from typing import Any

from .budget import Budget
from .refused import Refused

try:
    import yaml
except ImportError:
    _HAS_YAML = False
else:
    _HAS_YAML = True

_ESCAPED = re.compile(r"\\(?:x|u00|U000000)([2-7][0-9a-fA-F])")
#: What names code, where a configuration can't be read as one.
_CALLS = re.compile(r"\b_target_\b|\bauto_map\b")
#: Hydra calls what is under ``_target_``, others what is under ``target`` in YAML: a module and a name, or a variable.
_HYDRA, _TARGET = "_target_", "target"
_CALLED = re.compile(r"\s*[A-Za-z_]\w*\.\w|.*\$\{", re.DOTALL)
#: transformers takes code from another repository where it is named so, sentence-transformers under these.
_AUTO_MAP, _TYPES = "auto_map", ("type", "types")
_ELSEWHERE = re.compile(r"[^\s/]+/[^\s/]*--\w")
#: Tags that are no more than kinds of values. Others make objects of Python, in loaders that allow it.
_TAGS = {
    None,
    "!",
    *(
        f"tag:yaml.org,2002:{name}"
        for name in ("str", "int", "float", "bool", "null", "seq", "map", "set", "omap", "pairs", "binary", "timestamp")
    ),
}
#: What YAML may have: a part of it takes PyYAML a tenth of a millisecond.
_PARTS, _DEEPEST = 100_000, 100
_SAYS_CALL = "is a configuration that names what is called when it is read ({})"


def refuse_calls(text: str) -> None:
    """Raise Refused where a configuration that is not read as a whole has a word for code in it."""
    found = _CALLS.search(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), text))
    if found:
        raise Refused(f"is a configuration that names code ({found[0]}), and can't be read as a whole")


class _Object(list):  # type: ignore[type-arg]
    """An object of JSON: its pairs, of which some may have the same key."""


def check_json(text: str) -> None:
    """Raise Refused where JSON names code."""
    try:
        # a number is made of none: one of a million digits takes minutes
        root = json.loads(text.lstrip("\ufeff"), object_pairs_hook=_Object, parse_int=len, parse_float=len)
    except (ValueError, RecursionError):
        refuse_calls(text)
        return
    ahead: list[tuple[Any, str]] = [(root, "")]
    while ahead:
        value, under = ahead.pop()
        if isinstance(value, _Object):
            for key, inner in value:
                if key == _HYDRA:
                    raise Refused(_SAYS_CALL.format(_HYDRA))
                ahead.append((inner, key if key in (_AUTO_MAP, *_TYPES) else under))
        elif isinstance(value, list):
            ahead += [(inner, under) for inner in value]
        elif isinstance(value, str) and ((under == _AUTO_MAP and "--" in value) or (under and _ELSEWHERE.match(value))):
            raise Refused(f"is a configuration that takes code from another repository ({under})")


def check_yaml(text: str, budget: Budget) -> None:
    """Raise Refused where YAML names code, or can't be read."""
    if not _HAS_YAML:
        raise Refused("is YAML, which can't be looked into without PyYAML")
    try:
        _Walk(budget).through(text)
    except yaml.YAMLError as problem:
        what = getattr(problem, "problem", None) or problem
        raise Refused(f"is YAML that can't be read ({ascii(str(what))[1:100]})") from None


class _Walk:
    """Follows what PyYAML reads, without making anything of it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._texts: dict[str, str | None] = {}
        #: What is open: a mapping has its key once that was there, a list has none.
        self._open: list[_Open] = []

    def through(self, text: str) -> None:
        for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
            self._budget.check_time()
            if number > _PARTS:
                raise Refused(f"is YAML of more than {_PARTS} parts, which is not looked into")
            if isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                self._open.pop()
            elif isinstance(event, yaml.AliasEvent):
                self._one(self._texts.get(str(event.anchor)))
            elif isinstance(event, yaml.NodeEvent):
                self._node(event)

    def _node(self, event: Any) -> None:
        if event.tag not in _TAGS:
            raise Refused(f"is YAML with the tag {ascii(event.tag)[1:-1][:60]}, which some loaders make an object of")
        text = event.value if isinstance(event, yaml.ScalarEvent) else None
        if event.anchor:
            self._texts[event.anchor] = text
        self._one(text)
        if text is None:
            self._open.append(_Open(isinstance(event, yaml.MappingStartEvent)))
            if len(self._open) > _DEEPEST:
                raise Refused(f"is YAML that is nested more than {_DEEPEST} deep, which is not looked into")

    def _one(self, text: str | None) -> None:
        """Note a key or a value; None for what is no text."""
        if not self._open or not self._open[-1].is_mapping:
            return
        here = self._open[-1]
        here.is_key = not here.is_key
        if here.is_key:
            here.key = text
            if text == _HYDRA:
                raise Refused(_SAYS_CALL.format(_HYDRA))
        elif here.key == _TARGET and text is not None and _CALLED.match(text):
            raise Refused(_SAYS_CALL.format(_TARGET))


class _Open:
    def __init__(self, is_mapping: bool) -> None:
        self.is_mapping, self.is_key = is_mapping, False
        self.key: str | None = None
