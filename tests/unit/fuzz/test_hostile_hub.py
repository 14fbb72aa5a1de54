# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a Hub answers about one repository: see ``world`` for what holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st
from unit.fuzz import known
from unit.fuzz.documents import OF_HUB, Document
from unit.fuzz.hub_world import HubWorld
from unit.fuzz.profile import SEED, batches
from unit.fuzz.world import BATCH, harmless


@pytest.fixture(scope="module")
def world(world_of: Callable[[type[HubWorld]], HubWorld]) -> HubWorld:
    return world_of(HubWorld)


@pytest.mark.parametrize("first", range(0, len(known.OF_HUB), BATCH))
def test_known_answers_of_a_hub_do_no_harm(world: HubWorld, first: int) -> None:
    harmless(world.sync_hostile, known.OF_HUB[first : first + BATCH])


@seed(SEED)
@batches(few=4, many=600)
@given(st.lists(OF_HUB, min_size=BATCH, max_size=BATCH))
def test_no_answer_of_a_hub_does_harm(world: HubWorld, documents: list[Document]) -> None:
    harmless(world.sync_hostile, documents)
