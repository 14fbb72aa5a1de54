# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a mirror that is more than one host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nodes
short_description: Say which nodes a mirror has, and where
version_added: 0.1.0
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

from collections.abc import Mapping
from typing import Any

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        """Return where the nodes are."""
        self.set_options(var_options=variables, direct=kwargs)
        of, here = self.get_option("of"), variables["inventory_hostname"]
        names = [*dict.fromkeys([*(variables["groups"].get("mirrors") or []), here])]
        hosts = {name: variables["hostvars"][name] for name in names}
        own = _address(hosts[here])
        known = {_address(host): name for name, host in hosts.items() if _address(host)}
        nodes = [str(one) for one in hosts[here].get("mirror_keepalived_nodes") or known]
        if of == "all":
            return nodes
        if not hosts[here].get("mirror_keepalived_address"):
            return []
        peers = [node for node in nodes if node != own]
        if of == "peers":
            return peers
        return [_url(peer, known.get(peer, peer), hosts[known.get(peer, here)]) for peer in peers]


def _address(host: Mapping[str, Any]) -> str:
    fact = (host.get("ansible_facts") or {}).get("default_ipv4") or {}
    return str(host.get("mirror_keepalived_node_address") or fact.get("address") or "")


def _url(address: str, name: str, host: Mapping[str, Any]) -> str:
    """Return the URL of a node, whose settings are those of ``host``."""
    tls = host.get("mirror_nginx_tls", "off")
    if tls in (False, "off"):
        scheme, usual, port = "http", 80, host.get("mirror_nginx_port", 80)
    else:
        scheme, usual, port = "https", 443, host.get("mirror_nginx_tls_port", 443)
        # the role's own CA names the address, and somebody else's the host
        address = address if tls == "own_ca" else name
    return f"{scheme}://{address}" if int(port) == usual else f"{scheme}://{address}:{port}"
