# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes a mirror has: what the inventory and the facts say of them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.template import trust_as_template
from ansible_collections.modelops.hf_mirror.plugins.lookup.nodes import LookupModule
from unit.roles.role_variables import templar, variables_of

FLOATING = {"mirror_keepalived_address": "10.0.0.100/24"}


def host(address: str = "", **settings: Any) -> dict[str, Any]:
    facts = {"ansible_facts": {"default_ipv4": {"address": address}}} if address else {}
    return {**facts, **FLOATING, **settings}


ONE, TWO, THREE = (host(f"10.0.0.{number}") for number in (1, 2, 3))


def ask(of: str, **hosts: dict[str, Any]) -> list[str]:
    """Ask on the first of the hosts."""
    lookup = LookupModule()
    variables = {"inventory_hostname": next(iter(hosts)), "groups": {"mirrors": [*hosts]}, "hostvars": hosts}
    lookup.get_option = lambda _name: of
    lookup.set_options = lambda **_options: None
    return lookup.run([], variables)


@pytest.mark.parametrize(
    ("hosts", "nodes", "peers"),
    [
        ({"a": ONE}, ["10.0.0.1"], []),
        (
            {"a": ONE, "b": TWO, "c": THREE},
            ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
            ["http://10.0.0.2", "http://10.0.0.3"],
        ),
        # one that is away and of which nothing is known
        ({"a": ONE, "b": host()}, ["10.0.0.1"], []),
        (
            {"a": ONE, "b": host(mirror_keepalived_node_address="10.1.0.2")},
            ["10.0.0.1", "10.1.0.2"],
            ["http://10.1.0.2"],
        ),
        # what the inventory says wins
        (
            {"a": host("10.0.0.1", mirror_keepalived_nodes=["10.0.0.1", "10.0.0.9"])},
            ["10.0.0.1", "10.0.0.9"],
            ["http://10.0.0.9"],
        ),
        (
            {"a": ONE, "b": host("10.0.0.2", mirror_nginx_port="8080")},
            ["10.0.0.1", "10.0.0.2"],
            ["http://10.0.0.2:8080"],
        ),
        ({"a": ONE, "b": host("10.0.0.2", mirror_nginx_tls="own_ca")}, ["10.0.0.1", "10.0.0.2"], ["https://10.0.0.2"]),
        (
            {"a": ONE, "b.example.com": host("10.0.0.2", mirror_nginx_tls="files", mirror_nginx_tls_port=8443)},
            ["10.0.0.1", "10.0.0.2"],
            ["https://b.example.com:8443"],
        ),
    ],
    ids=["alone", "three", "unknown", "given", "all given", "port", "own CA", "files"],
)
def test_who_is_a_node_and_how_it_is_called(
    hosts: dict[str, dict[str, Any]], nodes: list[str], peers: list[str]
) -> None:
    assert ask("all", **hosts) == nodes
    assert ask("urls", **hosts) == peers
    assert ask("peers", **hosts) == [node for node in nodes if node != "10.0.0.1"]


def test_without_a_floating_address_nobody_has_peers() -> None:
    mirrors = {name: {**node, "mirror_keepalived_address": ""} for name, node in {"a": ONE, "b": TWO}.items()}
    assert ask("all", **mirrors) == ["10.0.0.1", "10.0.0.2"]
    assert ask("urls", **mirrors) == ask("peers", **mirrors) == []


@pytest.mark.parametrize(
    ("states", "settled"),
    [
        ({"a": "active", "b": "standby"}, True),
        ({"a": "standby", "b": "standby"}, False),
        ({"a": "active", "b": "active"}, False),
        ({"a": "active", "b": "it does not answer"}, True),
        # the other one of two is in no inventory of ours
        ({"a": "standby"}, True),
        ({"a": "active"}, True),
        ({"a": "this node is drained"}, False),
    ],
)
def test_a_pair_is_settled_when_just_one_is_active(states: dict[str, str], settled: bool) -> None:
    nodes = ["10.0.0.1", "10.0.0.2"]
    about = variables_of("mirror_keepalived", mirror_keepalived_states=states, mirror_keepalived_nodes=nodes)
    assert templar(about).template(trust_as_template("{{ __mirror_keepalived_is_settled | bool }}")) is settled
