# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that is off stops no other host of site.yml."""

from __future__ import annotations

import sys
from pathlib import Path

import ansible_process
import yaml
from ports import free_ports

from testhosts import recap

TOP = Path(__file__).parents[3]


def test_a_client_that_is_away_fails_in_its_place(tmp_path: Path) -> None:
    (closed,) = free_ports(1)
    away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": closed}
    here = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    hosts = {"away": away, "here": here}
    inventory = tmp_path / "inventory.yml"
    about = {"hub_clients": {"hosts": hosts, "vars": {"hub_client_endpoint": "http://mirror.example.com"}}}
    inventory.write_text(yaml.safe_dump(about))
    said = ansible_process.play(["--check", "-i", inventory, TOP / "playbooks/site.yml"]).said
    counts = recap(said)
    assert (counts["away"]["unreachable"], counts["away"]["failed"]) == (1, 0), said
    assert (counts["here"]["unreachable"], counts["here"]["failed"]) == (0, 0), said
    assert "site_away" not in said, "nobody is warned of a group that is ours"
