# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stays, what is retired and what goes: tables; and the store's age, which no clock that jumps can spend."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import File, Listing, Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.plan import (
    CommitPlan,
    Publish,
    Removal,
    RepoFacts,
    RepoPlan,
    Retention,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.retention import foreseen, plan_retention, roots
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.wanted import Wanted
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.ledger import State

REPO = Repo("model", "a/b")
A, B, C, D = (digit * 40 for digit in "abcd")
HOUR, DAY = 3600.0, 86400.0


def facts(*history: str, **more: Any) -> RepoFacts:
    """A store in which main was published with these commits, all of which are here."""
    refs = {"main": history[-1]} if history else {}
    snapshots = {commit: {"x": commit[0] * 64} for commit in (A, B, C, D)}
    return RepoFacts(**{"refs": refs, "snapshots": snapshots, "history": {"main": history}, **more})


def main(keep: int) -> list[Wanted]:
    return [Wanted("a/b", keep=keep)]


@pytest.mark.parametrize(
    ("store", "wanted", "expected"),
    [
        (facts(A, B, C), main(1), {C}),
        (facts(A, B, C), main(2), {B, C}),
        (facts(A, B, C), main(9), {A, B, C}),
        # one commit counts once, where it was published last: people went back and forth
        (facts(A, B, A), main(2), {A, B}),
        (facts(A, B, A, B, A), main(1), {A}),
        (facts(A, B, C, B), main(2), {B, C}),
        # entries of one ref: the highest wins
        (facts(A, B, C), [*main(1), *main(3)], {A, B, C}),
        # nobody said how many: no entry, or one of another ref
        (facts(A, B, C), [], {A, B, C}),
        (facts(A, B, C), [Wanted("a/b", revision="v1", keep=1)], {A, B, C}),
        # by id and by people
        (facts(A, B, C, pins=frozenset({A})), main(1), {A, C}),
        (facts(A, B, C, listed=frozenset({B})), main(1), {B, C}),
        (facts(A, pending={"main": B, "v1": C}), main(1), {A, B, C}),
        # a ref that was taken away names nothing any more, whatever it named
        (facts(A, B, refs={}), main(2), set()),
        (facts(A, B, refs={"main": B, "v1": A}), main(1), {A, B}),
        (RepoFacts(), main(2), set()),
    ],
)
def test_roots(store: RepoFacts, wanted: list[Wanted], expected: set[str]) -> None:
    assert roots(store, wanted) == expected


def plan(store: RepoFacts, age: float, grace: float = 72 * HOUR, keep: int = 1) -> dict[str, tuple[str, ...]]:
    found = plan_retention(REPO, store, main(keep), age, grace)
    kinds = ("retire", "spare", "collect", "trim", "restart")
    return {kind: getattr(found, kind) for kind in kinds if getattr(found, kind)}


def only(*commits: str) -> dict[str, dict[str, str]]:
    return {commit: {"x": commit[0] * 64} for commit in commits}


@pytest.mark.parametrize(
    ("store", "age", "grace", "expected"),
    [
        (facts(A, B, snapshots=only(A, B)), 0, 72, {"retire": (A,)}),
        (facts(A, B, snapshots=only(A, B), retired={A: 0.0}), 0, 72, {}),
        (facts(A, B, snapshots=only(A, B), retired={A: 0.0}), 72 * HOUR - 1, 72, {}),
        (facts(A, B, snapshots=only(A, B), retired={A: 0.0}), 72 * HOUR, 72, {"collect": (A,)}),
        (facts(A, B, snapshots=only(A, B), retired={A: 5 * HOUR}), 72 * HOUR, 72, {}),
        (facts(A, B, snapshots=only(A, B), retired={A: 0.0}), 0, 0, {"collect": (A,)}),
        (facts(A, B, snapshots=only(A, B)), 0, 0, {"retire": (A,)}),
        # the ledger was lost: the grace begins anew
        (facts(A, B, snapshots=only(A, B), retired={A: 900 * HOUR}), 0, 72, {"retire": (A,)}),
        (facts(A, B, snapshots=only(A, B), retired={A: 900 * HOUR}), 0, 0, {"retire": (A,)}),
        # named again: by a rollback, a pin, or the whitelist
        (facts(A, B, A, snapshots=only(A, B), retired={A: 0.0}), 900 * HOUR, 72, {"retire": (B,), "spare": (A,)}),
        (facts(A, B, snapshots=only(A, B), retired={A: 0.0}, pins=frozenset({A})), 900 * HOUR, 72, {"spare": (A,)}),
        (facts(A, B, snapshots=only(A, B), retired={A: 0.0}, listed=frozenset({A})), 900 * HOUR, 72, {"spare": (A,)}),
        # sealed, and a run was killed before it published it
        (facts(A, snapshots=only(A, D)), 0, 72, {"retire": (D,)}),
        # links that are not listed any more
        # (the ledger was lost: the grace begins anew)
        (facts(B, snapshots=only(B), narrowed={B: 900 * HOUR}), 0, 72, {"restart": (B,)}),
        (facts(B, snapshots=only(B), narrowed={B: 900 * HOUR}), 0, 0, {"restart": (B,)}),
        (facts(B, snapshots=only(B), narrowed={B: 0.0}), 72 * HOUR - 1, 72, {}),
        (facts(B, snapshots=only(B), narrowed={B: 0.0}), 72 * HOUR, 72, {"trim": (B,)}),
        (facts(A, B, snapshots=only(A, B), narrowed={A: 0.0}, retired={A: 0.0}), 99 * HOUR, 72, {"collect": (A,)}),
        (
            facts(A, B, snapshots=only(A, B), narrowed={A: 0.0}, retired={A: 50 * HOUR}),
            99 * HOUR,
            72,
            {"trim": (A,)},
        ),
    ],
)
def test_plan_retention(store: RepoFacts, age: float, grace: float, expected: dict[str, tuple[str, ...]]) -> None:
    assert plan(store, age, grace * HOUR) == expected


@pytest.mark.parametrize("commit", [A, B, C, D])
def test_what_is_rooted_never_goes(commit: str) -> None:
    """Whatever it is rooted by, and however long ago it was retired."""
    for rooted in (
        facts(commit),
        facts(pins=frozenset({commit})),
        facts(listed=frozenset({commit})),
        facts(pending={"v1": commit}),
    ):
        everything = dict.fromkeys((A, B, C, D), 0.0)
        found = plan_retention(REPO, RepoFacts(**{**vars(rooted), "retired": everything}), main(1), 1e9, 0)
        assert found.spare == (commit,) and set(found.collect) == {A, B, C, D} - {commit}


def test_what_two_plans_have_in_common() -> None:
    """What was planned, and is still due when it is done."""
    planned = Retention(REPO, retire=(A, B), collect=(C,), spare=(), trim=(D,))
    due = Retention(REPO, retire=(B, C), collect=(), spare=(A,), trim=(D,))
    assert planned & due == Retention(REPO, retire=(B,), trim=(D,))
    assert not planned & Retention(REPO)


FILES = {"x": File(1, "1" * 40), "y": File(2, "2" * 40)}


def coming(commit: str, *paths: str, **more: Any) -> CommitPlan:
    return CommitPlan(REPO, Listing(commit, FILES), paths or ("x", "y"), [], **more)


@pytest.mark.parametrize(
    ("commit", "expected"),
    [
        (
            coming(B, publishes=[Publish(REPO, "main", A, B, 2)]),
            {"refs": {"main": B}, "history": {"main": (A, B)}, "pending": {"v1": C}},
        ),
        (
            coming(B, publishes=[Publish(REPO, "v1", None, B, 1)]),
            {"refs": {"main": A, "v1": B}, "history": {"main": (A,), "v1": (B,)}, "pending": {}},
        ),
        (coming(B, pending=["main"]), {"pending": {"main": B, "v1": C}}),
        (coming(B, list_it=True), {"listed": frozenset({B})}),
        (coming(A, "x", dropped=("y",)), {}),
    ],
)
def test_foreseen(commit: CommitPlan, expected: dict[str, Any]) -> None:
    """The facts that a plan leads to."""
    before = RepoFacts({"main": A}, {A: {"x": "0" * 40}}, {"main": (A,)}, {"main": 1}, {"v1": C})
    after = foreseen(before, RepoPlan(REPO, [commit]), Removal())
    name = commit.listing.commit
    assert after.snapshots == {**before.snapshots, name: {path: FILES[path].etag for path in commit.paths}}
    for field in ("refs", "history", "pending", "listed"):
        assert getattr(after, field) == expected.get(field, getattr(before, field)), field
    assert before.refs == {"main": A} and before.snapshots == {A: {"x": "0" * 40}}, "facts are values"


def test_what_is_removed_is_foreseen() -> None:
    before = facts(A, B, refs={"main": B, "v1": A}, listed=frozenset({C}), pending={"main": D})
    removal = Removal(refs=((REPO, "main"), (REPO, C), (Repo("model", "another/one"), "v1")))
    after = foreseen(before, RepoPlan(REPO), removal)
    assert after.refs == {"v1": A} and not after.listed and not after.pending
    assert roots(after, main(2)) == {A}


@pytest.mark.parametrize(
    ("times", "age"),
    [
        ([0, DAY, 2 * DAY], 2 * DAY),
        ([0, 0, 0], 0),
        # the clock jumps ahead: a pause counts for two days at most
        ([0, DAY, 400 * DAY], 3 * DAY),
        # and back: not at all
        ([0, DAY, -40 * DAY], DAY),
        ([0, DAY, -40 * DAY, -39 * DAY], 2 * DAY),
        ([0, 400 * DAY, DAY, 400 * DAY], 4 * DAY),
        # nothing ran for a month
        ([0, 30 * DAY], 2 * DAY),
        ([7 * DAY], 0),
    ],
)
def test_the_age_of_a_store(times: list[float], age: float) -> None:
    state = State()
    for number, seconds in enumerate(times, 1):
        state.apply({"kind": "run", "run": number, "seconds": 1e9 + seconds, "succeeded": [], "failed": {}})
    assert state.age == age
    assert state.age_at(1e9 + times[-1]) == age, "no time has passed since"
    assert state.age_at(1e9 + times[-1] + HOUR) == age + HOUR
    assert state.age_at(1e9 + times[-1] - HOUR) == age
    assert state.age_at(1e9 + times[-1] + 999 * DAY) == age + 2 * DAY
    assert State.from_json(state.to_json()) == state
