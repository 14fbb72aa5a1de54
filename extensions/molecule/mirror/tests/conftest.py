# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests on hosts start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testinfra.host import Host

import testhosts
from hub.repos import Library
from testhosts import CLIENTS, MIRRORS, TOP, connect


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
    with testhosts.hub_switched_off():
        yield
