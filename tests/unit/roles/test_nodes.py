# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes a mirror has: what the inventory and the facts say of them."""

from __future__ import annotations

import ipaddress
import re
import runpy
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.template import trust_as_template
from ansible_collections.modelops.hf_mirror.plugins.lookup.nodes import LookupModule
from unit.roles.role_variables import TOP, templar, variables_of

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


WRONG: dict[str, tuple[dict[str, dict[str, Any]], str]] = {
    "two hosts, one address": (
        {"a": ONE, "b": TWO, "c": host(mirror_keepalived_node_address="10.0.0.2")},
        "b and c have the same address 10.0.0.2: give each of them, as mirror_keepalived_node_address",
    ),
    "the address of every virtual machine": (
        {"a": host("10.0.2.15"), "b": host("10.0.2.15")},
        "a and b have the same address 10.0.2.15",
    ),
    "nodes as a text": (
        {"a": host("10.0.0.1", mirror_keepalived_nodes="10.0.0.1"), "b": TWO},
        "mirror_keepalived_nodes of a must be a list of addresses",
    ),
    "nodes of another type": (
        {"a": host("10.0.0.1", mirror_keepalived_nodes=["10.0.0.1", 2]), "b": TWO},
        "mirror_keepalived_nodes of a must be a list of addresses",
    ),
    "a port that is none": (
        {"a": ONE, "b": host("10.0.0.2", mirror_nginx_port="abc")},
        "mirror_nginx_port of b must be a number from 1 to 65535, not 'abc'",
    ),
    "a port beyond": (
        {"a": ONE, "b": host("10.0.0.2", mirror_nginx_tls="files", mirror_nginx_tls_port=84430)},
        "mirror_nginx_tls_port of b must be a number from 1 to 65535, not 84430",
    ),
    "floating addresses": (
        {"a": host("10.0.0.1", mirror_keepalived_address=["10.0.0.100/24"]), "b": TWO},
        "mirror_keepalived_address of a must be a text with one address",
    ),
    "addresses of a node": (
        {"a": ONE, "b": host(mirror_keepalived_node_address=["10.0.0.2"])},
        "mirror_keepalived_node_address of b must be a text with one address",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said(what: str) -> None:
    hosts, words = WRONG[what]
    with pytest.raises(AnsibleError, match=re.escape(words)):
        ask("urls", **hosts)


@pytest.mark.parametrize(
    ("peer", "is_wrong"),
    [
        ("http://10.0.0.2", False),
        ("https://two.example.com:8443", False),
        ("http://10.0.0.1", True),
        ("http://10.0.0.1:8080/", True),
        ("http://192.168.7.1", True),
        ("http://10.0.0.100", True),
        ("https://ONE.example.com", True),
        ("http://one", True),
        ("http://localhost:80", True),
        ("http://127.0.0.1", True),
        ("http://[::1]", True),
        ("http://[fd00::100]", True),
    ],
)
def test_nobody_follows_oneself(peer: str, is_wrong: bool) -> None:
    peers = ["http://10.0.0.3", peer]
    about = variables_of(
        "mirror_sync", mirror_sync_peers=peers, mirror_keepalived_address_v6="fd00::100/64", **FLOATING
    )
    about["ansible_facts"] = {**about["ansible_facts"], "all_ipv4_addresses": ["10.0.0.1", "192.168.7.1"]}
    found = templar(about).template(trust_as_template("{{ __mirror_sync_wrong_peers }}"))
    assert found == ([peer] if is_wrong else [])


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("10.0.0.100/24", True),
        ("10.0.0.100/32", True),
        ("10.0.0.100/25", True),
        ("10.0.0.0/24", False),
        ("10.0.0.255/24", False),
        ("10.0.0.255/32", False),
        ("10.0.0.127/25", False),
        ("10.0.1.100/24", False),
        ("10.9.0.1/31", True),
    ],
)
def test_a_floating_address_is_one_that_a_host_can_have(address: str, fits: bool) -> None:
    probe = runpy.run_path(str(TOP / "roles/mirror_keepalived/files/probe.py"))
    known = [ipaddress.IPv4Interface("10.0.0.1/24"), ipaddress.IPv4Interface("10.9.0.0/31")]
    assert probe["fits"](address, known) is fits


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
