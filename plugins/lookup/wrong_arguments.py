# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a role's variables, by its own argument spec."""

from __future__ import annotations

DOCUMENTATION = r"""
name: wrong_arguments
short_description: Say which variables of a role are not what its argument spec says
version_added: 0.9.0
author:
  - modelops.hf_mirror contributors (@modelops)
description:
  - Returns a sentence for each variable of the running role that is of another type than C(meta/argument_specs.yml)
    says, and, if there is none, what ansible-core's own validation has to say.
  - ansible-core validates a copy in which a text may stand for a list, and the role goes on with the text. Here a list
    must be a list and a mapping a mapping, also inside of others, and null stands for neither.
  - A text may stand for a number, or for true and false, as C(-e NAME=VALUE), INI inventories and surveys send them, if
    the filters C(bool), C(int) and C(float) make the same of it as the argument spec does.
options:
  _terms:
    description: The entry point of the role, as C(meta/argument_specs.yml) calls it.
    required: true
"""

EXAMPLES = r"""
- name: Validate the variables
  ansible.builtin.assert:
    that: query('modelops.hf_mirror.wrong_arguments', 'main') | length == 0
    fail_msg: "{{ query('modelops.hf_mirror.wrong_arguments', 'main') | join('\n') }}"
"""

RETURN = r"""
_raw:
  description: The sentences. No value of a text, list or dictionary is in them, because it may be a secret.
  type: list
  elements: str
"""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.lookup import LookupBase
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.names import kind_of, shown

_WANTED = {
    "bool": "true or false",
    "dict": "a mapping",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "path": "a path",
    "raw": "a value",
    "str": "a text",
}
#: What the filter bool knows. Argument specs know more, such as y, which would be false to the filter.
_FLAGS = {"true", "false", "yes", "no", "on", "off", "1", "0"}
_INTEGER = r"-?(?:0|[1-9][0-9]*)"
_HINT = (
    """Lists are written as [a, b] and mappings as {a: b}, empty ones as [] and {}; """
    """on the command line as JSON, -e '{"NAME": ["a", "b"]}'."""
)


def problems_of(options: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with ``values`` by the ``options`` of an argument spec."""
    given = {name: values[name] for name in options if name in values}
    found = list(_mistyped({"options": options}, given, ""))
    if found:
        return [*found, _HINT] if any(_WANTED[kind] in line for line in found for kind in ("list", "dict")) else found
    return list(ArgumentSpecValidator(options).validate(given).error_messages)


def _mistyped(option: Mapping[str, Any], values: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield what is of the wrong type among the members of a dictionary."""
    for name, member in option.get("options", {}).items():
        if name in values:
            yield from _mistyped_value(member.get("type", "str"), member, values[name], f"{place}{name}")


def _mistyped_value(kind: str, option: Mapping[str, Any], value: Any, name: str) -> Iterator[str]:
    if not _fits(kind, value):
        yield f"{name} must be {_WANTED[kind]}, not {_shown(kind, value)}."
    elif kind == "list":
        for number, item in enumerate(value):
            yield from _mistyped_value(option.get("elements", "raw"), option, item, f"{name}[{number}]")
    elif kind == "dict":
        yield from _mistyped(option, value, f"{name}.")


def _fits(kind: str, value: Any) -> bool:
    if kind == "bool":
        return value.lower() in _FLAGS if isinstance(value, str) else isinstance(value, int) and value in (0, 1)
    if kind == "int":
        if isinstance(value, str):
            return bool(re.fullmatch(_INTEGER, value))
        return not isinstance(value, bool) and isinstance(value, int)
    if kind == "float":
        if isinstance(value, str):
            return bool(re.fullmatch(rf"{_INTEGER}(?:\.[0-9]+)?", value))
        return not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)
    if kind == "list":
        return isinstance(value, list)
    if kind == "dict":
        return isinstance(value, Mapping)
    # a number or true is a text to Ansible, and to templates
    return value is not None and (kind == "raw" or not isinstance(value, (list, Mapping)))


def _shown(kind: str, value: Any) -> str:
    if kind in ("bool", "float", "int"):  # which are no secrets
        if isinstance(value, str):
            return f"the text {shown(value)}"
        if isinstance(value, (int, float)):
            return str(value).lower()
    return kind_of(value)


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[str]:
        """Return what is wrong with the variables of an entry point."""
        spec = Path(variables["role_path"]) / "meta" / "argument_specs.yml"
        (entry_point,) = terms
        options = yaml.safe_load(spec.read_text(encoding="utf-8"))["argument_specs"][entry_point]["options"]
        values = {name: self._templar.template(variables[name]) for name in options if name in variables}
        return problems_of(options, values)
