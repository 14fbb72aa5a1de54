# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the other node of a pair answers: see ``world`` for what holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st
from unit.fuzz import known
from unit.fuzz.documents import CATALOGUES, OF_PEER, Document
from unit.fuzz.peer_world import PeerWorld
from unit.fuzz.profile import SEED, batches
from unit.fuzz.world import BATCH, harmless


@pytest.fixture(scope="module")
def world(world_of: Callable[[type[PeerWorld]], PeerWorld]) -> PeerWorld:
    return world_of(PeerWorld)


@pytest.mark.parametrize("first", range(0, len(known.OF_PEER), BATCH))
def test_known_answers_of_a_peer_do_no_harm(world: PeerWorld, first: int) -> None:
    harmless(world.follow_hostile, known.OF_PEER[first : first + BATCH])


@pytest.mark.parametrize("document", known.CATALOGUES, ids=repr)
def test_known_catalogues_do_no_harm(world: PeerWorld, document: Document) -> None:
    harmless(world.follow_hostile, [document])


@seed(SEED)
@batches(few=2, many=250)
@given(st.lists(OF_PEER, min_size=BATCH, max_size=BATCH))
def test_no_answer_of_a_peer_does_harm(world: PeerWorld, documents: list[Document]) -> None:
    harmless(world.follow_hostile, documents)


@seed(SEED)
@batches(few=6, many=3000)
@given(CATALOGUES)
def test_no_catalogue_does_harm(world: PeerWorld, document: Document) -> None:
    harmless(world.follow_hostile, [document])
