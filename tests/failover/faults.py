# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken away from the active node of the pair, and how it comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from testhosts import FLOATING, connect, container, podman, power_on

#: Seconds without an answer that a takeover may cost: what is dead says nothing, what is sick has to be asked.
DEAD, SICK = 1.0, 2.0
#: The hosts are containers, which have one.
INTERFACE = "eth0"


class Fault(NamedTuple):
    """How to take a node away, and how to end that."""

    begin: Callable[[str], object]
    end: Callable[[str], object]
    goal: float
    #: Whether the other node has to take over. None: the node may be well again before it is found to be sick.
    moves: bool | None = True
    #: Seconds after which it ends, where nobody could finish before.
    lasts: float | None = None
    #: Clients, and how their connections may end: they don't try that again, and no server can mend it.
    ends: tuple[tuple[str, str], ...] = ()


def on_host(command: str) -> Callable[[str], object]:
    return lambda name: connect(name).check_output(command)


def signal(name: str, service: str) -> Callable[[str], object]:
    return on_host(f"systemctl kill --signal {name} {service}")


def nothing(name: str) -> None:
    """The node has to mend itself."""


def _black_hole(*ways: str) -> Fault:
    """Nothing gets through the interface, whatever sends it: keepalived announces addresses past all other hooks."""
    chains = "; ".join(
        f"add chain netdev hole {way} {{ type filter hook {way} device {INTERFACE} priority 0; policy drop; }}"
        for way in ways
    )
    # Who sends but hears nothing believes to be alone. That is not noticed, so that clients wait for its end.
    unseen = "egress" not in ways
    return Fault(
        on_host(f"nft 'add table netdev hole; {chains}'"),
        on_host("nft delete table netdev hole"),
        DEAD,
        moves=not unseen,
        lasts=10 if unseen else None,
    )


def _small_disk(name: str) -> None:
    """Put the store on a disk of its own, and fill that."""
    connect(name).check_output(
        "mkdir -p /mnt/full && mount -t tmpfs -o mode=755 tmpfs /mnt/full && chown hf-mirror: /mnt/full"
        " && cp -a /srv/hf-mirror/. /mnt/full && mount --bind /mnt/full /srv/hf-mirror"
        " && mount -o remount,size=$(($(du -sk /mnt/full | cut -f 1) + 4096))k /mnt/full"
        " && ! head -c 1G /dev/zero 2>/dev/null > /srv/hf-mirror/.other"
    )


def power_off(name: str) -> None:
    """Let a host be gone at once: a kernel whose processes are killed would still close their connections."""
    connect(name).check_output(f"ip link set {INTERFACE} down")
    podman("kill", container(name))


_GATEWAY = FLOATING.rpartition(".")[0] + ".1"
FAULTS = {
    "host killed": Fault(power_off, power_on, DEAD),
    "link down": Fault(
        on_host(f"ip link set {INTERFACE} down"),
        # the route went with it, and no network service is in here
        on_host(f"ip link set {INTERFACE} up && ip route replace default via {_GATEWAY}"),
        DEAD,
    ),
    "nothing gets out": _black_hole("egress"),
    "nothing gets in": _black_hole("ingress"),
    "nothing gets in or out": _black_hole("ingress", "egress"),
    "keepalived killed": Fault(signal("KILL", "keepalived"), nothing, DEAD),
    # The kernel closes its connections.
    "nginx killed": Fault(
        signal("KILL", "nginx"), nothing, SICK, moves=None, ends=(("hub 0.36.2", "ChunkedEncodingError"),)
    ),
    "nginx stopped": Fault(signal("STOP", "nginx"), signal("CONT", "nginx"), SICK),
    "store gone": Fault(on_host("mv /srv/hf-mirror /srv/away"), on_host("mv -T /srv/away /srv/hf-mirror"), SICK),
    "disk full": Fault(
        _small_disk,
        on_host("umount --lazy /srv/hf-mirror /mnt/full"),
        SICK,
        # It serves what it has.
        moves=False,
    ),
    "handed over": Fault(on_host("touch /etc/hf-mirror/drained"), on_host("rm /etc/hf-mirror/drained"), DEAD),
}
