# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that molecule made, for tests that look at them and run playbooks on them."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polling
import yaml
from testinfra.backend import base
from testinfra.backend.podman import PodmanBackend
from testinfra.host import Host

TOP = Path(__file__).parents[1]
INVENTORY = Path(os.environ.get("TEST_INVENTORY") or TOP / "extensions" / "molecule" / "inventory")
PODMAN = str(TOP / "tests" / "hosts" / "bin" / "podman")
NODE_STATE = "/run/hf-mirror-keepalived/state"
_GROUPS: dict[str, Any] = yaml.safe_load((INVENTORY / "hosts.yml").read_text(encoding="utf-8"))
_HOSTS = {name: host for group in _GROUPS.values() for name, host in group["hosts"].items()}


def _addresses(group: str) -> dict[str, str]:
    hosts = _GROUPS.get(group, {}).get("hosts", {})
    return {name: host["test_host_address"] for name, host in hosts.items()}


HUB = f"http://{_addresses('hub')['hub1']}"
MIRRORS, CLIENTS, FACES = _addresses("mirrors"), _addresses("hub_clients"), _addresses("facefusion")
#: The address that moves between the mirrors.
FLOATING = "10.89.78.100"


def container(name: str) -> str:
    return str(_HOSTS[name]["ansible_host"])


class _Backend(PodmanBackend):
    """testinfra's backend, by our way in."""

    def run_local(self, command: str, *args: str) -> base.CommandResult:
        return super().run_local(command.replace("podman", PODMAN, 1), *args)


@functools.cache
def connect(name: str) -> Host:
    backend = _Backend(container(name))
    host = Host(backend)
    backend.set_host(host)
    return host


def podman(*arguments: str) -> str:
    return subprocess.run([PODMAN, *arguments], check=True, capture_output=True, text=True).stdout


def power_on(name: str) -> None:
    """Start a host that was killed."""
    podman("start", container(name))
    # as up.yml does, or the services get no credentials
    podman("exec", container(name), "mount", "--make-rshared", "/")


def active() -> list[str]:
    """Return the mirrors that have the floating address."""
    return [name for name in MIRRORS if connect(name).run("/usr/local/lib/hf-mirror/is-active").rc == 0]


def states() -> list[str]:
    """Return what keepalived made of the mirrors."""
    said = [connect(name).run("cat %s", NODE_STATE).stdout for name in MIRRORS]
    return sorted(json.loads(one)["state"] for one in said if one)


def are_well() -> bool:
    """Say whether one mirror is active, and the other could be."""
    return states() == ["active", "standby"] and len(active()) == 1


@contextlib.contextmanager
def drained(*names: str) -> Iterator[None]:
    """Let mirrors not be active for a while."""
    for name in names:
        connect(name).check_output("touch /etc/hf-mirror/drained")
    try:
        until(lambda: not {*active()} & {*names})
        yield
    finally:
        for name in names:
            connect(name).check_output("rm /etc/hf-mirror/drained")


@contextlib.contextmanager
def configuration_kept(*names: str) -> Iterator[None]:
    """Give mirrors back the configuration and the whitelist that a run with others leaves there."""
    for name in names:
        connect(name).check_output("rm -rf /run/kept && cp -a /etc/hf-mirror /run/kept")
    try:
        yield
    finally:
        for name in names:
            connect(name).check_output("rm -rf /etc/hf-mirror && cp -a /run/kept /etc/hf-mirror")


@contextlib.contextmanager
def hub_switched_off() -> Iterator[None]:
    """Stop the Hub's host for a while."""
    podman("stop", "--time", "2", container("hub1"))
    try:
        state = json.loads(podman("inspect", container("hub1")))[0]["State"]
        assert not state["Running"]
        yield
    finally:
        podman("start", container("hub1"))
        hub = connect("hub1")
        until(lambda: hub.run("curl -fs %s", HUB).rc == 0)


def playbook(
    name: str, *arguments: str, inventory: Path = INVENTORY, tree: Path = TOP
) -> subprocess.CompletedProcess[str]:
    """Run one of the collection's playbooks on the hosts, as an operator does, from this clone or from another one."""
    command = ["ansible-playbook", "-i", str(inventory), str(tree / name), *arguments]
    # molecule's own settings are not the operator's
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_CONFIG": str(tree / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(command, cwd=tree, env=environment, check=False, capture_output=True, text=True, timeout=600)


def recap(output: str) -> dict[str, dict[str, int]]:
    """Read the play recap: host -> ok, changed, failed and the others."""
    _before, title, counted = output.rpartition("PLAY RECAP")
    assert title, f"it ended before it began: {output}"
    lines = counted.splitlines()[1:]
    found = {}
    for line in lines:
        host, _colon, counts = line.partition(":")
        if _colon:
            found[host.strip()] = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", counts)}
    return found


def until(what: Callable[[], Any], seconds: float = 60) -> Any:
    """Poll hosts, where each look takes a while, until something is true, and return it."""
    return polling.until(what, seconds, pause=0.2)
