# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pair can't be built with: each a sentence, before anything is touched."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testhosts import CLIENTS, FLOATING, MIRRORS, PODMAN, connect, container, playbook, recap

NODES = list(MIRRORS.values())
RIVAL, RIVAL_ID = "client13", 77
#: One setting that is wrong for each host of an inventory, all of which are the same machine; and what is said of it.
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "well": ({}, ""),
    "interface": (
        {"keepalived_interface": "eth7"},
        "must be an interface of interface, one of eth0, lo, not 'eth7'",
    ),
    "prefix": ({"keepalived_address": FLOATING}, "must be an IPv4 address with its prefix"),
    "outside": (
        {"keepalived_address": "10.89.77.100/24"},
        "is not a host address in the networks of eth0 of outside: 10.89.78.0/24",
    ),
    "own": ({"keepalived_address": f"{NODES[1]}/24"}, "is a mirror's own address: choose one that no host has"),
    "number": (
        {"keepalived_router_id": 256},
        "must be a number from 1 to 255, not '256'",
    ),
    "rival": (
        {"keepalived_router_id": RIVAL_ID},
        f"{RIVAL_ID} is used on this network by {CLIENTS[RIVAL]}:",
    ),
    "single": ({"keepalived_nodes": NODES[:1]}, "needs two: leave mirror_keepalived_address empty"),
    "first": ({"keepalived_priority": 50}, "first and second have the same mirror_keepalived_priority 50"),
    "second": ({"keepalived_priority": 50}, "second and first have the same mirror_keepalived_priority 50"),
    "alone": ({"sync_peers": []}, "alone would not replicate the active node"),
    "still": ({"sync_follow": False}, "still would not replicate the active node"),
    "stranger": (
        {"keepalived_node_address": "10.89.78.55"},
        "stranger's own 10.89.78.55 (mirror_keepalived_node",
    ),
}
PLAY = """
- hosts: mirrors
  tasks:
    - ansible.builtin.include_role:
        name: modelops.hf_mirror.mirror_keepalived
        tasks_from: %s
"""


@pytest.fixture
def rival() -> Iterator[None]:
    """Another router on the network, that tells everybody."""
    host, mark = connect(RIVAL), "/run/rival"
    send = (
        "import os, socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)\n"
        f"while os.path.exists('{mark}'):"
        f" s.sendto(bytes([0x31, {RIVAL_ID}]) + bytes(10), ('224.0.0.18', 0)); time.sleep(0.5)"
    )
    host.check_output("touch %s", mark)
    with subprocess.Popen([PODMAN, "exec", container(RIVAL), "python3", "-c", send]) as sending:
        yield
        host.check_output("rm %s", mark)
        assert sending.wait() == 0


def sentence(output: str) -> str:
    return " ".join(output.split())


def look(hosts: dict[str, dict[str, Any]], folder: Path) -> subprocess.CompletedProcess[str]:
    """Have the role look at hosts, which are the same machine if they don't say otherwise."""
    machine = {
        "ansible_connection": "test_host",
        "ansible_host": container("mirror12"),
        "ansible_podman_executable": PODMAN,
        "ansible_python_interpreter": "/usr/bin/python3",
        "mirror_keepalived_address": f"{FLOATING}/24",
        "mirror_keepalived_nodes": NODES,
        "mirror_sync_peers": ["http://10.89.78.12"],
        "mirror_sync_follow": True,
    }
    inventory, play = folder / "hosts.json", folder / "play.yml"
    inventory.write_text(json.dumps({"mirrors": {"hosts": hosts, "vars": machine}}))
    play.write_text(PLAY % "preflight")
    return playbook(str(play), "--forks", str(len(hosts)), inventory=inventory)


def test_each_is_refused_in_a_sentence(tmp_path: Path, rival: None) -> None:
    hosts = {name: {f"mirror_{key}": value for key, value in wrong.items()} for name, (wrong, _words) in CASES.items()}
    done = look(hosts, tmp_path)
    counts, said = recap(done.stdout), sentence(done.stdout)
    for name, (_wrong, words) in CASES.items():
        assert words in said, name
        assert (counts[name]["failed"], counts[name]["changed"]) == (int(words != ""), 0), name


def test_a_pair_is_built_with_all_its_nodes_and_changed_without_some(tmp_path: Path) -> None:
    away = {
        "new": {"ansible_host": container("client12"), "mirror_keepalived_nodes": [CLIENTS["client12"], "10.89.78.99"]},
        "built": {"mirror_keepalived_nodes": [*NODES, "10.89.78.99"]},
    }
    done = look(away, tmp_path)
    counts, said = recap(done.stdout), sentence(done.stdout)
    assert "new can't reach 10.89.78.99: mirror_keepalived_nodes must be the addresses of mirrors that are up" in said
    assert "built can't reach 10.89.78.99, and continues without it" in said
    assert (counts["new"]["failed"], counts["built"]["failed"]) == (1, 0)


def test_site_yml_refuses_it_before_anything_is_touched() -> None:
    fingerprint = "find /etc /srv/hf-mirror/hub /opt/hf-mirror -newer %s ! -name '__pycache__'"
    mark = "/run/before-the-refusal"
    for name in MIRRORS:
        connect(name).check_output("touch %s", mark)
    done = playbook("site.yml", "-e", "mirror_keepalived_interface=eth7", "-e", "mirror_nginx_connections=7")
    assert done.returncode != 0
    assert "mirror_keepalived_interface must be an interface of mirror12" in sentence(done.stdout)
    for name in MIRRORS:
        assert connect(name).check_output(fingerprint, mark) == ""


def test_what_keepalived_refuses_is_shown_and_the_old_configuration_kept(tmp_path: Path) -> None:
    play = tmp_path / "play.yml"
    play.write_text(PLAY % "main")
    config = "/etc/keepalived/keepalived.conf"
    before = {name: connect(name).file(config).content_string for name in MIRRORS}
    done = playbook(str(play), "-e", "mirror_keepalived_address_v6=1:2/64")
    assert done.returncode != 0
    said = sentence(done.stdout)
    assert "keepalived rejected the new configuration of this host, so the old one was kept" in said
    assert "invalid IP 1:2/64" in said
    assert {name: connect(name).file(config).content_string for name in MIRRORS} == before
