# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One store, one upstream and one process of the engine for each kind of hostility."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import memory
import pytest
from unit.fuzz.engine_process import Engine
from unit.fuzz.hub_world import HubWorld
from unit.fuzz.peer_world import PeerWorld
from unit.fuzz.upstream import Upstream, serving
from unit.fuzz.world import NEIGHBOURS, NEW, OLD, names_of


@pytest.fixture(scope="session")
def world_of() -> Iterator[Callable[[type[HubWorld | PeerWorld]], HubWorld | PeerWorld]]:
    """Make a world."""
    with ExitStack() as stack:

        def make(kind: type[HubWorld | PeerWorld]) -> HubWorld | PeerWorld:
            folder = Path(tempfile.mkdtemp(prefix="hf-mirror-fuzz-", dir=memory.folder()))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            upstream = stack.enter_context(serving(Upstream([*NEIGHBOURS, *NEW, *OLD], names_of(folder))))
            return kind(folder, upstream, stack.enter_context(Engine()))

        yield make
