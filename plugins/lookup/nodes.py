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

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        """Return where the nodes are."""
        self.set_options(var_options=variables, direct=kwargs)
        of, here = self.get_option("of"), variables["inventory_hostname"]
        nodes = {name: variables["hostvars"][name] for name in variables["groups"].get("mirrors") or [here]}
        if of == "all":
            return [address for address in map(_address, nodes.values()) if address]
        if not nodes.get(here, {}).get("mirror_keepalived_address"):
            return []
        peers = {name: node for name, node in nodes.items() if name != here and _address(node)}
        return list(_urls(peers)) if of == "urls" else [_address(node) for node in peers.values()]


def _address(node: Mapping[str, Any]) -> str:
    fact = (node.get("ansible_facts") or {}).get("default_ipv4") or {}
    return str(node.get("mirror_keepalived_node_address") or fact.get("address") or "")


def _urls(peers: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, node in peers.items():
        tls = node.get("mirror_nginx_tls", "off")
        if tls in (False, "off"):
            yield _url("http", _address(node), node.get("mirror_nginx_port", 80), 80)
        else:
            # the role's own CA names the address, and somebody else's the host
            host = _address(node) if tls == "own_ca" else name
            yield _url("https", host, node.get("mirror_nginx_tls_port", 443), 443)


def _url(scheme: str, host: str, port: Any, usual: int) -> str:
    return f"{scheme}://{host}" if int(port) == usual else f"{scheme}://{host}:{port}"
