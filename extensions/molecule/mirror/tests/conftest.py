# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests on hosts start from."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from hub.repos import Library
from testhosts import CLIENTS, MIRRORS, TOP, connect, container, podman


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
    assert hub.run("for _ in $(seq 100); do curl -fs http://10.89.78.10/ && exit 0; sleep 0.2; done; exit 1").rc == 0
