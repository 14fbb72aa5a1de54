# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that molecule made, and what the stand-in Hub has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

TOP = Path(__file__).parents[4]
INVENTORY = TOP / "extensions" / "molecule" / "inventory"
sys.path.insert(0, str(TOP / "tests"))

from hub.repos import Library  # noqa: E402 - found by the line above

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
    environment = {**os.environ, "ANSIBLE_CONFIG": str(TOP / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(command, cwd=TOP, env=environment, check=False, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="session")
def library() -> Library:
    return Library(TOP / ".cache" / "hub-contents")


@pytest.fixture(params=sorted(CLIENTS))
def client(request: pytest.FixtureRequest) -> Host:
    return connect(request.param)


@pytest.fixture(params=sorted(MIRRORS))
def mirror(request: pytest.FixtureRequest) -> Host:
    return connect(request.param)


@pytest.fixture(scope="module")
def hub_switched_off() -> Iterator[None]:
    """Stop the Hub's host for a while."""
    podman("stop", "--time", "2", container("hub1"))
    state = json.loads(podman("inspect", container("hub1")))[0]["State"]
    assert not state["Running"]
    yield
    podman("start", container("hub1"))
    hub = connect("hub1")
    assert hub.run("for _ in $(seq 100); do curl -fs http://127.0.0.1/ && exit 0; sleep 0.2; done; exit 1").rc == 0
