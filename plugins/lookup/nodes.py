# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a mirror that is more than one host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nodes
short_description: Say which nodes a mirror has, and where
version_added: 0.9.0
author:
  - modelops.hf_mirror contributors (@modelops)
description:
  - Returns the IPv4 addresses of the hosts of the group C(mirrors), in its order, or of the running host alone where
    there is no such group. With a floating address (C(mirror_keepalived_address)) they are the nodes of one mirror.
    Where the inventory has C(mirror_keepalived_nodes) it is these.
  - The address of a host is its C(mirror_keepalived_node_address), else that of its default route, which is a fact.
    A host of which neither is known is left out.
options:
  of:
    description:
      - V(all) the nodes, or the V(peers) of the running host, which are none where there is no floating address.
        V(urls) are the peers' URLs, which with TLS have the name of a peer's certificate.
    type: str
    choices: [all, peers, urls]
    default: all
"""

EXAMPLES = r"""
- name: Show where this host's peers are
  ansible.builtin.debug:
    msg: "{{ query('modelops.hf_mirror.nodes', of='urls') }}"
"""

RETURN = r"""
_raw:
  description: Addresses or URLs.
  type: list
  elements: str
"""

import itertools
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        """Return where the nodes are."""
        self.set_options(var_options=variables, direct=kwargs)
        of, here = self.get_option("of"), variables["inventory_hostname"]
        names = [*dict.fromkeys([*(variables["groups"].get("mirrors") or []), here])]
        hosts = {name: variables["hostvars"][name] for name in names}
        addresses = {name: _address(name, host) for name, host in hosts.items()}
        own, known = addresses[here], {address: name for name, address in addresses.items() if address}
        is_floating = bool(_text(here, hosts[here], "mirror_keepalived_address"))
        nodes = _nodes(here, hosts[here])
        if is_floating and not nodes:
            _refuse_one_address(addresses)
        nodes = nodes or [*known]
        if of == "all":
            return nodes
        if not is_floating:
            return []
        peers = [node for node in nodes if node != own]
        if of == "peers":
            return peers
        return [_url(peer, known.get(peer, peer), hosts[known.get(peer, here)]) for peer in peers]


def _address(name: str, host: Mapping[str, Any]) -> str:
    fact = (host.get("ansible_facts") or {}).get("default_ipv4") or {}
    return _text(name, host, "mirror_keepalived_node_address") or str(fact.get("address") or "")


def _refuse_one_address(addresses: Mapping[str, str]) -> None:
    for (one, its), (other, others) in itertools.combinations(addresses.items(), 2):
        if its and its == others:
            raise AnsibleError(
                f"{one} and {other} have the same address {its}: give each of them, as mirror_keepalived_node_address,"
                " one of its own by which the other nodes reach it"
            )


# Whoever asks may be any role, before the one whose argument spec has the variable.


def _text(name: str, host: Mapping[str, Any], variable: str) -> str:
    """Return a variable of a host, empty where it is not set. Raises AnsibleError where it is no text."""
    value = host.get(variable)
    if not isinstance(value, (str, type(None))):
        raise AnsibleError(f"{variable} of {name} must be a text with one address, not {value!r}")
    return str(value or "")


def _nodes(name: str, host: Mapping[str, Any]) -> list[str]:
    value = host.get("mirror_keepalived_nodes") or []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise AnsibleError(
            f"mirror_keepalived_nodes of {name} must be a list of addresses such as ['10.0.0.1', '10.0.0.2'],"
            f" not {value!r}"
        )
    return [str(one) for one in value]


def _port(name: str, host: Mapping[str, Any], variable: str, usual: int) -> int:
    value = host.get(variable, usual)
    if isinstance(value, bool) or not str(value).isdecimal() or not 0 < int(value) < 65536:
        raise AnsibleError(f"{variable} of {name} must be a number from 1 to 65535, not {value!r}")
    return int(value)


def _url(address: str, name: str, host: Mapping[str, Any]) -> str:
    """Return the URL of a node, whose settings are those of ``host``."""
    tls = host.get("mirror_nginx_tls", "off")
    if tls in (False, "off"):
        scheme, usual, port = "http", 80, _port(name, host, "mirror_nginx_port", 80)
    else:
        scheme, usual, port = "https", 443, _port(name, host, "mirror_nginx_tls_port", 443)
        # the role's own CA names the address, and somebody else's the host
        address = address if tls == "own_ca" else name
    return f"{scheme}://{address}" if port == usual else f"{scheme}://{address}:{port}"
