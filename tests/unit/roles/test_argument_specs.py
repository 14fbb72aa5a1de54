# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role says the same in its defaults, its argument spec and its README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted((Path(__file__).parents[3] / "roles").iterdir())


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_specs_and_readme_agree(role: Path) -> None:
    defaults = read(role / "defaults/main.yml") or {}
    entry_points = read(role / "meta/argument_specs.yml")["argument_specs"]
    options = entry_points["main"]["options"]
    assert set(defaults) == {name for name, option in options.items() if not option.get("required")}
    for name, option in options.items():
        assert name.startswith(f"{role.name}_")
        assert f"`{name}`" in (role / "README.md").read_text(encoding="utf-8")
        # what a template makes is described in words
        if "{{" not in str(defaults.get(name, "")):
            assert option.get("default") == defaults.get(name)
    for entry_point in entry_points.values():
        assert entry_point["options"] == options


def test_there_are_roles() -> None:
    assert len(ROLES) >= 3
