# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role says the same in its defaults, its argument spec and its README."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted((Path(__file__).parents[3] / "roles").iterdir())
#: Files of tasks that take other options than the role.
OTHERS = {"drain", "undrain", "uninstall", "uninstall_preflight"}


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}


def main(entry_points: dict[str, Any]) -> Any:
    """Return the entry point of a role, or the first one where it does nothing by itself."""
    return entry_points.get("main", next(iter(entry_points.values())))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_specs_and_readme_agree(role: Path) -> None:
    defaults = read(role / "defaults/main.yml") or {}
    entry_points = read(role / "meta/argument_specs.yml")["argument_specs"]
    options = main(entry_points)["options"]
    assert set(defaults) == {name for name, option in options.items() if not option.get("required")}
    for name, option in options.items():
        # what a template makes is described in words
        if "{{" not in str(defaults.get(name, "")):
            assert option.get("default") == defaults.get(name)
    for name, entry_point in entry_points.items():
        assert name in OTHERS or "main" not in entry_points or entry_point["options"] == options
        for option in entry_point["options"]:
            assert option.startswith(f"{role.name}_")
            assert re.search(f"`{option}[`:]", (role / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_what_may_be_given_is_in_the_specs(role: Path) -> None:
    """Also what has no default, and is for one file of tasks only."""
    entry_points = read(role / "meta/argument_specs.yml")["argument_specs"]
    for file in (role / "tasks").iterdir():
        given = re.findall(rf"(?<!_)\b({role.name}_\w+) \| default\(", file.read_text(encoding="utf-8"))
        assert set(given) <= set(entry_points.get(file.stem, main(entry_points))["options"]), file.name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_secrets_are_not_shown(role: Path) -> None:
    def check(options: dict[str, Any]) -> None:
        for name, option in options.items():
            if re.search("password|tokens?$", name) and option["type"] in ("str", "dict"):
                assert option.get("no_log"), name
            check(option.get("options", {}))

    check(main(read(role / "meta/argument_specs.yml")["argument_specs"])["options"])


def test_there_are_roles() -> None:
    assert len(ROLES) >= 3
