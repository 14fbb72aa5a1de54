# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people decide: tables of facts and wishes, and the change that follows, or why there is none."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo, RepoFacts
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.plan import Publish
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.refs import (
    Change,
    Marking,
    RefError,
    freeze,
    pin,
    promote,
    resolve,
    rollback,
)

REPO = Repo("dataset", "a/b")
A, B, C = (digit * 40 for digit in "abc")
#: Two commits that begin alike.
LIKE_1, LIKE_2 = "abcdef0" + "1" * 33, "abcdef0" + "2" * 33
Call = Callable[[RepoFacts], Change]


def facts(*history: str, here: str = "".join((A, B, C)), **more: Any) -> RepoFacts:
    """A store in which main was published with these commits."""
    snapshots = {here[at : at + 40]: {"x": "0" * 40} for at in range(0, len(here), 40)}
    refs = {"main": history[-1]} if history else {}
    serials = {"main": len(history)} if history else {}
    return RepoFacts(**{"refs": refs, "snapshots": snapshots, "history": {"main": history}, "serials": serials, **more})


def publish(old: str | None, new: str, serial: int, is_rollback: bool = False, ref: str = "main") -> Publish:
    return Publish(REPO, ref, old, new, serial, is_rollback)


@pytest.mark.parametrize(
    ("store", "commit", "expected"),
    [
        (facts(A, pending={"main": B}), None, publish(A, B, 2)),
        (facts(pending={"main": B}), None, publish(None, B, 1)),
        (facts(A), B, publish(A, B, 2)),
        (facts(A), "bbbbbbb", publish(A, B, 2)),
        (facts(A, pending={"main": B}), C, publish(A, C, 2)),
        (facts(A), A, None),
        (facts(A, B, A, rejected={"main": frozenset({B})}), B, publish(A, B, 4)),
        (facts(A), None, "has no pending commit to promote"),
        (facts(A, pending={"v1": B}), None, "has no pending commit"),
        (facts(A, here=A), B, "no commit b+ here"),
    ],
)
def test_promote(store: RepoFacts, commit: str | None, expected: Change | str) -> None:
    check(lambda store: promote(REPO, store, "main", commit), store, expected)


@pytest.mark.parametrize(
    ("store", "commit", "expected"),
    [
        (facts(A, B), None, publish(B, A, 3, True)),
        (facts(A, B, C), None, publish(C, B, 4, True)),
        (facts(A, B, C), A, publish(C, A, 4, True)),
        (facts(A, B, C), "aaaaaaaaaaaa", publish(C, A, 4, True)),
        (facts(A, B, B), None, publish(B, A, 4, True)),
        (facts(A, B), B, None),
        # the next one further back: not to what people went back from
        (facts(A, B, C, B, rejected={"main": frozenset({C})}), None, publish(B, A, 5, True)),
        # unless they name it
        (facts(A, B, A, rejected={"main": frozenset({B})}), B, publish(A, B, 4, True)),
        # what was collected is no choice
        (facts(A, B, C, here=A + C), None, publish(C, A, 4, True)),
        (facts(A, B, C, here=C), None, "has no earlier commit that is still here"),
        (facts(A, B, here=B), A, "no commit a+ here"),
        (facts(A), None, "has no earlier commit that is still here"),
        (facts(A, B), C, "never named c+: promote it instead"),
        (facts(), None, "is not published"),
        (facts(A, B, refs={}), A, "is not published"),
    ],
)
def test_rollback(store: RepoFacts, commit: str | None, expected: Change | str) -> None:
    check(lambda store: rollback(REPO, store, "main", commit), store, expected)


@pytest.mark.parametrize(
    ("store", "commit", "is_set", "expected"),
    [
        (facts(A, B), A, True, Marking(REPO, "pins", A, True)),
        (facts(A, B), "aaaaaaa", True, Marking(REPO, "pins", A, True)),
        # a ref stands for what it names now
        (facts(A, B), "main", True, Marking(REPO, "pins", B, True)),
        (facts(A, B, pins=frozenset({A})), A, True, None),
        (facts(A, B, pins=frozenset({A})), A, False, Marking(REPO, "pins", A, False)),
        (facts(A, B), A, False, None),
        (facts(A, here=A), B, True, "no commit b+ here"),
        (facts(A), "v1", True, "'v1' is no commit"),
    ],
)
def test_pin(store: RepoFacts, commit: str, is_set: bool, expected: Change | str) -> None:
    check(lambda store: pin(REPO, store, commit, is_set), store, expected)


@pytest.mark.parametrize(
    ("store", "ref", "is_set", "expected"),
    [
        (facts(A), "main", True, Marking(REPO, "frozen", "main", True)),
        (facts(A, frozen=frozenset({"main"})), "main", True, None),
        (facts(A, frozen=frozenset({"main"})), "main", False, Marking(REPO, "frozen", "main", False)),
        (facts(A), "main", False, None),
        (facts(A), "v1", True, "is not published"),
        (facts(pending={"main": A}), "main", True, "is not published"),
    ],
)
def test_freeze(store: RepoFacts, ref: str, is_set: bool, expected: Change | str) -> None:
    check(lambda store: freeze(REPO, store, ref, is_set), store, expected)


@pytest.mark.parametrize(
    ("commit", "expected"),
    [
        (A, A),
        (A[:7], A),
        (LIKE_1, LIKE_1),
        (LIKE_1[:8], LIKE_1),
        (LIKE_1[:7], "several commits abcdef0"),
        (A[:6], "at least 7"),
        ("", "at least 7"),
        (A + "a", "is no commit"),
        ("d" * 40, "no commit d+ here"),
        (A.upper(), "is no commit"),
        ("main", "is no commit"),
        ("../../../../etc", "is no commit"),
        ("aaaaaaa\n", "is no commit"),
    ],
)
def test_resolve(commit: str, expected: str) -> None:
    store = facts(A, here=A + LIKE_1 + LIKE_2)
    if len(expected) == 40:
        assert resolve(REPO, store, commit) == expected
    else:
        with pytest.raises(RefError, match=expected):
            resolve(REPO, store, commit)


def check(call: Call, store: RepoFacts, expected: Change | str) -> None:
    if isinstance(expected, str):
        with pytest.raises(RefError, match=re.compile(expected)):
            call(store)
    else:
        assert call(store) == expected


def test_serials_rise_over_a_ref_that_was_taken_away() -> None:
    store = facts(A, B, refs={}, serials={"main": 7}, pending={"main": C})
    assert promote(REPO, store, "main") == publish(None, C, 8)
