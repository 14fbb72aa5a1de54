# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses are inside a network: of a host itself, of its link, of a site.

A public upstream that sends there asks this host to send requests into the operator's network for it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Union

from .errors import MirrorError
from .names import shown

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

#: "This host", RFC 1918, carriers' own (RFC 6598: some clouds have their metadata there), loopback, link-local; the
#: same of IPv6, with its unique local ones. 198.18.0.0/15 is none: proxies give names fake addresses in it.
_INSIDE = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "::/128",
            "::1/128",
            "64:ff9b:1::/48",
            "fc00::/7",
            "fe80::/10",
            "fec0::/10",
        ),
    )
)
#: Where the last 32 bits are an address of IPv4: compatible, mapped, translated, and NAT64's (RFC 6052).
_EMBEDDING = tuple(ipaddress.IPv6Network(one) for one in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"))
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")


def network(text: str) -> Network:
    """Return the network that a text names (``10.1.0.0/16``, or one address). Raises MirrorError."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise MirrorError(f"{shown(text)} is no network such as 10.1.0.0/16: give its first address") from None


def is_inside(address: str, but: Iterable[Network] = ()) -> bool:
    """Say whether an address is inside and in none of the networks that are excepted."""
    given = ipaddress.ip_address(address.partition("%")[0])
    forms = [given, *_embedded(given)]
    excepted = any(one in network for one in forms for network in but)
    return not excepted and any(one in network for one in forms for network in _INSIDE)


def _embedded(address: Address) -> list[Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    if address in _SIX_TO_FOUR:
        return [ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF)]
    # :: and ::1 are addresses of their own
    small = int(address) < 2
    return (
        []
        if small or not any(address in one for one in _EMBEDDING)
        else [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    )
