# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that molecule made, for tests that look at them and run playbooks on them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import testinfra
from testinfra.host import Host

TOP = Path(__file__).parents[1]
INVENTORY = TOP / "extensions" / "molecule" / "inventory"
PODMAN = str(TOP / "tests" / "hosts" / "bin" / "podman")
MIRRORS = {"mirror12": "10.89.78.11", "mirror13": "10.89.78.12"}
CLIENTS = {"client12": "10.89.78.31", "client13": "10.89.78.32"}


def container(name: str) -> str:
    return f"hf-mirror-test-{name}"


def connect(name: str) -> Host:
    return testinfra.get_host(f"podman://{container(name)}")


def podman(*arguments: str) -> str:
    return subprocess.run([PODMAN, *arguments], check=True, capture_output=True, text=True).stdout


def playbook(name: str, *arguments: str, inventory: Path = INVENTORY) -> subprocess.CompletedProcess[str]:
    """Run one of the collection's playbooks on the hosts, as an operator does."""
    command = ["ansible-playbook", "-i", str(inventory), str(TOP / name), *arguments]
    # molecule's own settings are not the operator's
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_CONFIG": str(TOP / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(command, cwd=TOP, env=environment, check=False, capture_output=True, text=True, timeout=300)
