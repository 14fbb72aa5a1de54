# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts with a network of their own and nothing else: network namespaces of this machine, which only root can make."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

_CLONE_NEWNET = 0x4000_0000
_LIBC = ctypes.CDLL(None, use_errno=True)


def run(*command: str, given: str | None = None) -> None:
    """Run a command, in the namespace in which this thread is."""
    subprocess.run(command, check=True, input=given, text=True)


class Namespace:
    """One of them."""

    def __init__(self) -> None:
        self.name = f"hf-mirror-{uuid.uuid4().hex[:8]}"
        run("ip", "netns", "add", self.name)
        with self.inside():
            run("ip", "link", "set", "lo", "up")

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Have this thread, and what it starts, there. Sockets stay where they were opened."""
        with Path("/proc/thread-self/ns/net").open("rb") as before, Path("/run/netns", self.name).open("rb") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def connect(self, other: Namespace, number: int) -> None:
        """Lay a cable to another one: this has 10.0.NUMBER.1 and fd00:NUMBER::1, the other one 2 for 1."""
        ends = [f"veth{number}", f"other{number}"]
        run("ip", "link", "add", ends[0], "netns", self.name, "type", "veth", "peer", ends[1], "netns", other.name)
        for host, (namespace, end) in enumerate(zip([self, other], ends, strict=True), 1):
            with namespace.inside():
                run("ip", "address", "add", f"10.0.{number}.{host}/24", "dev", end)
                run("ip", "address", "add", f"fd00:{number}::{host}/64", "dev", end, "nodad")
                run("ip", "link", "set", end, "up")

    def close(self) -> None:
        """Take it away."""
        run("ip", "netns", "delete", self.name)


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
