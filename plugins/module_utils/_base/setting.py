# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A setting: one thing that an operator decides, described once as a field of a dataclass.

From the description come the checks of the configuration, the options of the command, the argument specs and the
documentation of the modules, and the tables of the docs.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from typing import Any, Callable

from .errors import MirrorError
from .names import shown

_KEY = "setting"
_MARKUP = re.compile(r"\b[CVOE]\(([^()]*)\)")


@dataclass(frozen=True)
class Setting:
    """What a value must be, and what it does.

    ``help`` is sentences in Ansible's markup, the first of which is that of ``--help``. ``type`` is one of Ansible's.
    A number is one of ``unit``, ``least`` to ``most``; ``zero`` says what 0 stands for where it is none of these.
    ``check`` returns what is wrong with a value of any other type. ``metavar`` stands for the value on the command
    line, where it is an option, ``option`` is its name where that is another one. ``is_in_file``: the configuration
    file has it as a key.
    """

    help: tuple[str, ...]
    type: str = "str"
    name: str = ""
    default: Any = None
    is_required: bool = False
    unit: str = ""
    least: int = 0
    most: int = 0
    zero: str = ""
    choices: tuple[str, ...] = ()
    is_secret: bool = False
    check: Callable[[Any], str | None] | None = None
    metavar: str = ""
    option: str = ""
    is_in_file: bool = True

    def problem(self, value: Any) -> str | None:
        """Return what is wrong with a value, or None. A secret is not shown."""
        if self.check:
            return self.check(value)
        if self.type == "int":
            return self._number(value)
        if self.type == "bool":
            return None if isinstance(value, bool) else f"is {shown(value)}, it must be true or false"
        if self.choices:
            return None if value in self.choices else f"is {shown(value)}, it must be {' or '.join(self.choices)}"
        if self.type == "path":
            return None if isinstance(value, str) and value else "must be a path"
        return None

    def _number(self, value: Any) -> str | None:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if is_number and (self.least <= value <= self.most or (self.zero and value == 0)):
            return None
        return f"is {shown(value)}, it must be a number of {self.unit}, {self.limits}"

    @property
    def limits(self) -> str:
        """Say between which limits a number is."""
        return f"{self.least} to {self.most}{f', or 0 for {self.zero}' if self.zero else ''}"

    @property
    def flag(self) -> str:
        """Return the option of the command."""
        return f"--{(self.option or self.name).replace('_', '-')}"

    def line(self, quote: str = "") -> str:
        """Say what it does in one line, with ``quote`` around what has markup."""
        text = _MARKUP.sub(rf"{quote}\1{quote}", self.help[0]).rstrip(".")
        return text[0].lower() + text[1:] if text[1:2].islower() else text

    def module_option(self, **more: Any) -> dict[str, Any]:
        """Return the option in the argument spec of a module."""
        option: dict[str, Any] = {"type": self.type}
        if self.type == "list":
            option["elements"] = "str"
        if self.is_required:
            option["required"] = True
        elif self.default is not None:
            option["default"] = list(self.default) if self.type == "list" else self.default
        if self.choices:
            option["choices"] = list(self.choices)
        if self.is_secret:
            option["no_log"] = True
        return {**option, **more}

    def documentation(self, **more: Any) -> dict[str, Any]:
        """Return the same option as a module's documentation has it."""
        sentences = [*self.help, *([f"From {self.limits}."] if self.type == "int" else [])]
        option = {name: value for name, value in self.module_option(**more).items() if name != "no_log"}
        return {"description": sentences, **option}


def setting(*help: str, default: Any = None, **described: Any) -> Any:
    """Return the field of a dataclass that is a setting; without a default, but for None, it is required."""
    about = Setting(help=help, **described)
    metadata = {_KEY: about}
    if about.is_required:
        return dataclasses.field(metadata=metadata)  # pylint: disable=invalid-field-call
    return dataclasses.field(  # pylint: disable=invalid-field-call
        default=default, repr=not about.is_secret, metadata=metadata
    )


def settings_of(described: Any) -> Mapping[str, Setting]:
    """Return the settings that are fields of a dataclass, by name."""
    found = {}
    for field in dataclasses.fields(described):
        about: Setting | None = field.metadata.get(_KEY)
        if about:
            default = None if field.default is MISSING else field.default
            found[field.name] = dataclasses.replace(about, name=field.name, default=default)
    return found


def problems_of(settings: Mapping[str, Setting], values: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with several values, those left out that are None or no settings."""
    told = {
        name: settings[name].problem(value) for name, value in values.items() if name in settings and value is not None
    }
    return [f"{name} {problem}" for name, problem in told.items() if problem]


def check(settings: Mapping[str, Setting], values: Mapping[str, Any]) -> None:
    """Raise MirrorError where something is not within its limits."""
    problems = problems_of(settings, values)
    if problems:
        raise MirrorError("; ".join(problems))
