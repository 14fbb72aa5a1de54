# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How two nodes agree: pure, so tried with whatever two histories may say."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.follow_plan import plan_follow, plan_removal
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.history import (
    Entry,
    merge_history,
    merge_marks,
    rejected,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.piece import Piece
from hypothesis import given
from hypothesis import strategies as st

REPO = Repo("model", "org/name")
A, B, C = "a" * 40, "b" * 40, "c" * 40


def entry(serial: int, commit: str, time: str = "2026-01-01", **more: Any) -> Entry:
    return {"serial": serial, "commit": commit, "time": time, "actor": "x", **more}


ENTRIES = st.builds(entry, st.integers(1, 6), st.sampled_from([A, B, C, ""]), st.sampled_from(["1", "2", "3"]))
HISTORIES = st.lists(ENTRIES, unique_by=lambda one: one["serial"]).map(lambda h: sorted(h, key=lambda e: e["serial"]))
MARKS = st.dictionaries(
    st.sampled_from([A, B, C]), st.fixed_dictionaries({"time": st.sampled_from("123"), "off": st.booleans()})
)


@given(HISTORIES, HISTORIES, HISTORIES)
def test_histories_merge_alike_wherever_and_however_often(one: Any, two: Any, three: Any) -> None:
    merged = merge_history(one, two)
    assert merged == merge_history(two, one)
    assert merged == merge_history(merged, two) == merge_history(one, merged)
    assert merge_history(merged, three) == merge_history(one, merge_history(two, three))
    for history in (one, two):
        assert not history or merged[-1]["serial"] >= history[-1]["serial"], "no ref goes to a lower serial"


@given(MARKS, MARKS)
def test_marks_merge_alike(one: Any, two: Any) -> None:
    merged = merge_marks(one, two)
    assert merged == merge_marks(two, one) == merge_marks(merged, two)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], set()),
        ([entry(1, A), entry(2, B)], set()),
        ([entry(1, A), entry(2, B), entry(3, A, rollback=True)], {B}),
        ([entry(1, A), entry(2, B), entry(3, A, rollback=True), entry(4, C)], {B}),
        ([entry(1, A), entry(2, B), entry(3, A, rollback=True), entry(4, B)], set()),
        ([entry(1, A), entry(2, B), entry(3, A, rollback=True), entry(4, B), entry(5, A, rollback=True)], {B}),
    ],
)
def test_what_was_rolled_back(entries: list[Entry], expected: set[str]) -> None:
    assert rejected(entries) == expected


def piece(history: list[Entry], commits: dict[str, str], **more: Any) -> Piece:
    return Piece({"main": history}, commits, **more)


FIRST, SECOND = [entry(1, A)], [entry(1, A), entry(2, B)]

CASES: dict[str, tuple[Piece, Piece, dict[str, Any]]] = {
    "nothing is here": (Piece(), piece(FIRST, {A: "1"}), {"seal": (A,), "histories": {"main": FIRST}}),
    "all is here": (piece(FIRST, {A: "1"}), piece(FIRST, {A: "1"}), {}),
    "a new commit": (
        piece(FIRST, {A: "1"}),
        piece(SECOND, {A: "1", B: "1"}),
        {"seal": (B,), "histories": {"main": SECOND}},
    ),
    "sealed, not published": (piece(FIRST, {A: "1"}), piece(FIRST, {A: "1", B: "1"}), {"seal": (B,)}),
    "it lists more now": (piece(FIRST, {A: "1"}), piece(FIRST, {A: "2"}), {"seal": (A,)}),
    "this node is ahead": (piece(SECOND, {A: "1", B: "1"}), piece(FIRST, {A: "1"}), {}),
    "retired there": (
        piece(SECOND, {A: "1", B: "1"}),
        piece(SECOND, {A: "1", B: "1"}, retired=(A,)),
        {"retire": (A,)},
    ),
    "named there again": (
        piece(SECOND, {A: "1", B: "1"}, retired=(A,)),
        piece(SECOND, {A: "1", B: "1"}),
        {"spare": (A,)},
    ),
    "not there any more": (piece(SECOND, {A: "1", B: "1"}), piece(SECOND, {B: "1"}), {"retire": (A,)}),
    "waits there": (
        piece(FIRST, {A: "1", B: "1"}),
        piece(FIRST, {A: "1", B: "1"}, pending={"main": B}),
        {"pending": {"main": B}},
    ),
    "withdrawn there": (
        piece(FIRST, {A: "1"}),
        piece([*FIRST, entry(2, "")], {A: "1"}),
        {"histories": {"main": [*FIRST, entry(2, "")]}},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_to_be_done(case: str) -> None:
    mine, theirs, expected = CASES[case]
    plan = plan_follow(REPO, mine, theirs, set())
    done = {name: getattr(plan, name) for name in ("seal", "histories", "pending", "retire", "spare", "collect")}
    assert {name: value for name, value in done.items() if value} == expected


@pytest.mark.parametrize(("there", "over", "collected"), [((A,), (), True), ((), (A,), True), ((), (), False)])
def test_what_the_peer_collected_goes_and_what_it_lost_has_a_grace_here(
    there: tuple[str, ...], over: tuple[str, ...], collected: bool
) -> None:
    mine = piece(SECOND, {A: "1", B: "1"}, retired=(A,) if over else ())
    plan = plan_follow(REPO, mine, piece(SECOND, {B: "1"}, collected=there), over)
    assert plan.collect == ((A,) if collected else ())
    assert plan.retire == (() if collected else (A,))


def test_what_was_collected_here_is_not_brought_back_for_the_rest_of_its_grace_there() -> None:
    mine, theirs = piece(SECOND, {B: "1"}, collected=(A,)), piece(SECOND, {A: "1", B: "1"}, retired=(A,))
    plan = plan_follow(REPO, mine, theirs, ())
    assert not plan.seal and not plan.retire
    assert plan_follow(REPO, mine, piece([*SECOND, entry(3, A)], {A: "1", B: "1"}), ()).seal == (A,)


@pytest.mark.parametrize(
    ("mine", "history", "removes"),
    [
        (FIRST, [*FIRST, entry(2, "")], True),
        (SECOND, [*FIRST, entry(2, "", "2025")], False),
        (SECOND, [*SECOND, entry(3, "")], True),
        ([*SECOND, entry(3, C)], [*FIRST, entry(2, "")], False),
        ([*FIRST, entry(2, "")], [*FIRST, entry(2, "")], False),
        ([*FIRST, entry(2, "", "2025")], [*FIRST, entry(2, "")], False),
        ([*FIRST, entry(2, "")], [*FIRST, entry(2, ""), entry(3, C), entry(4, "")], True),
    ],
    ids=[
        "taken away",
        "published at the same time, and later",
        "taken away later",
        "published since",
        "listed again",
        "taken away by both, and listed again",
        "listed again there, too, and taken away again",
    ],
)
def test_a_repository_that_was_taken_away(mine: list[Entry], history: list[Entry], removes: bool) -> None:
    assert plan_removal(REPO, piece(mine, {A: "1"}), {"main": history}).remove == removes


def test_what_is_pinned_here_stays_although_the_peer_has_it_no_more() -> None:
    pinned = {"pins": {A: {"time": "2", "actor": "x"}}}
    mine = piece(SECOND, {A: "1", B: "1"}, marks=pinned, retired=(A,))
    assert not plan_follow(REPO, mine, piece(SECOND, {B: "1"}, collected=(A,)), (A,)).collect
    unpinned = {"pins": {A: {"time": "3", "off": True}}}
    assert plan_follow(REPO, mine, piece(SECOND, {B: "1"}, marks=unpinned), (A,)).collect == (A,)
