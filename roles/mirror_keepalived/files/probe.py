# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the network that a floating address is to be on: probe.py INTERFACE ADDRESS ROUTER_ID NODE... as root.

Prints JSON: the ``networks`` of the interface, whether the address ``fits`` one of them, ``rivals`` that use the same
router id, and the nodes that are ``unreachable``. Changes nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable

SECONDS = 3.0  # that many adverts come in it, and a neighbour that is asked for is given up
PROTOCOL, GROUP = 112, "224.0.0.18"
#: A program for the kernel: of IPv4 packets only those of VRRP, for a mirror has much else to do.
FILTER = [(0x30, 0, 0, 9), (0x15, 0, 1, PROTOCOL), (0x06, 0, 0, 0xFFFF), (0x06, 0, 0, 0)]
SO_ATTACH_FILTER = 26


def networks(interface: str) -> list[ipaddress.IPv4Interface]:
    """Return the addresses of an interface, with their networks."""
    command = ["ip", "-json", "-4", "address", "show", "dev", interface]
    (found,) = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return [ipaddress.IPv4Interface(f"{one['local']}/{one['prefixlen']}") for one in found["addr_info"]]


def fits(address: str, known: Iterable[ipaddress.IPv4Interface]) -> bool:
    """Say whether an address with its prefix is one that a host of one of these networks can have."""
    mine = ipaddress.IPv4Interface(address)
    return is_host(mine) and any(
        mine.network.subnet_of(one.network) and is_host(ipaddress.IPv4Interface((mine.ip, one.network.prefixlen)))
        for one in known
    )


def is_host(address: ipaddress.IPv4Interface) -> bool:
    """Say whether an address is neither that of its network nor the one that reaches all of it."""
    ends = (address.network.network_address, address.network.broadcast_address)
    return address.network.prefixlen > 30 or address.ip not in ends


def rivals(interface: str, router_id: int, nodes: list[str]) -> list[str]:
    """Return who else sends adverts with a router id, as a firewall would not let us hear it."""
    found = set()
    joined = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    member = struct.pack("4s4si", socket.inet_aton(GROUP), bytes(4), socket.if_nametoindex(interface))
    joined.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    heard = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in FILTER))
    heard.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(FILTER), ctypes.addressof(code)))
    heard.bind((interface, 0x0800))
    until = time.monotonic() + SECONDS
    while (left := until - time.monotonic()) > 0:
        heard.settimeout(left)
        try:
            packet = heard.recv(65535)
        except socket.timeout:
            break
        start = (packet[0] & 15) * 4
        if packet[9] == PROTOCOL and len(packet) > start + 1 and packet[start + 1] == router_id:
            found.add(socket.inet_ntoa(packet[12:16]))
    return sorted(found - set(nodes))


def call(node: str) -> None:
    """Have the kernel look for a node."""
    # what came of it is looked at later
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"", (node, 9))


def is_unreachable(node: str) -> bool:
    """Say whether the kernel found no way to a node, or nobody who has its address."""
    if subprocess.run(["ip", "route", "get", node], check=False, capture_output=True).returncode:
        return True
    told = subprocess.run(["ip", "neighbour", "show", "to", node], check=False, capture_output=True, text=True).stdout
    return told.strip().endswith(("FAILED", "INCOMPLETE"))


def main(interface: str, address: str, router_id: str, *nodes: str) -> None:
    """Look, and print what was found."""
    known = networks(interface)
    for node in nodes:
        call(node)
    answer = {
        "networks": [str(one.network) for one in known],
        "fits": fits(address, known),
        "rivals": rivals(interface, int(router_id), list(nodes)),
        "unreachable": [node for node in nodes if is_unreachable(node)],
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
