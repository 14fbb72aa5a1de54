# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports for servers that can't be told to choose one."""

from __future__ import annotations

import random
import socket

#: Not those that the kernel gives to clients meanwhile.
_PORTS = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Return so many ports, each another one, for servers that are started later."""
    # not seeded, as the tests of this process and those beside it may be
    candidates = random.SystemRandom().sample(_PORTS, len(_PORTS))
    found: list[int] = []
    while len(found) < count:
        port = candidates.pop()
        if _is_free(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
