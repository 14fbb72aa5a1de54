# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What site.yml asks at its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from testhosts import FLOATING, MIRRORS, active, are_well, connect, playbook, until

#: Drops VRRP on the host, as a firewall does that nobody told of it.
TABLE = "inet test_vrrp"
DROP = (
    f"nft add table {TABLE} && nft add chain {TABLE} in '{{ type filter hook input priority -300; }}'"
    f" && nft add rule {TABLE} in meta l4proto 112 drop"
)


@pytest.fixture
def no_vrrp() -> Iterator[None]:
    until(are_well)
    for name in MIRRORS:
        connect(name).check_output(DROP)
    until(lambda: len(active()) == 2)
    yield
    for name in MIRRORS:
        connect(name).check_output(f"nft delete table {TABLE}")
    until(are_well)


def test_two_active_nodes_are_no_success(no_vrrp: None, tmp_path: Path) -> None:
    look = {"name": "modelops.hf_mirror.mirror_keepalived", "tasks_from": "ask"}
    play = {"hosts": "mirrors", "become": True, "tasks": [{"ansible.builtin.include_role": look}]}
    (tmp_path / "ask.yml").write_text(json.dumps([play]))
    done = playbook(str(tmp_path / "ask.yml"), "-e", "__mirror_keepalived_looks=2")
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert f"have the address {FLOATING}" in said and "drop VRRP (IP protocol 112)" in said, done.stdout
