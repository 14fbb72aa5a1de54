# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks' variables have the playbook's name in front; the old names are refused with the new one."""

from __future__ import annotations

import sys
from pathlib import Path

import ansible_process
import pytest
import yaml

TOP = Path(__file__).parents[3]
#: Where a playbook runs: on this machine, but it is refused before it does anything.
INVENTORY = {
    "mirrors": {"hosts": {"m": {"ansible_connection": "local", "note": "the inventory's own", "host": "rack 7"}}},
    "facefusion_gateway": {"hosts": {"m": {}}},
}


def play(folder: Path, name: str, *variables: str) -> str:
    """Run a playbook that has to be refused; what it said, in one line."""
    inventory = folder / "inventory.yml"
    inventory.write_text(yaml.safe_dump(INVENTORY))
    extra = [word for one in (f"ansible_python_interpreter={sys.executable}", *variables) for word in ("-e", one)]
    done = ansible_process.play(["-i", inventory, *extra, TOP / f"playbooks/{name}.yml"])
    assert done.code != 0
    return " ".join(done.said.split())


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("promote", "commit=abcdef0", "commit was renamed: use -e promote_commit="),
        ("purge", "what=a/b", "what was renamed: use -e purge_name="),
        ("uninstall", "confirm=true", "confirm was renamed: use -e uninstall_confirm="),
        ("facefusion_maintenance", "host=gpu1", "host was renamed: use -e maintenance_host="),
    ],
)
def test_an_old_name_is_refused_with_the_new_one(tmp_path: Path, name: str, old: str, new: str) -> None:
    assert new in play(tmp_path, name, old)


def test_what_an_inventory_calls_so_is_its_own_affair(tmp_path: Path) -> None:
    said = play(tmp_path, "purge")
    assert "was renamed" not in said and "Set what to purge and why: -e purge_name=" in said


def test_no_playbook_takes_a_bare_name() -> None:
    for file in sorted((TOP / "playbooks").glob("*.yml")):
        for one in yaml.safe_load(file.read_text()):
            names = list(one.get("vars", {}))
            assert all(name.startswith((file.stem, "maintenance_", "drill", "mirror_")) for name in names), file.name
