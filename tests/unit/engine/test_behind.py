# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both nodes of a pair follow each other: one that looks at a peer that is behind takes back nothing of its own."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.decision import Decision
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.views import Views
from unit.engine.two_nodes import BOTH, SWAPPER, TINY, Pair, served

#: What a run on the first node is told next, and the state that it is to have.
CHANGES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "a view has another name": ([{"repo_id": SWAPPER.repo_id, "views": ["heads"]}, BOTH[1]], "present"),
    "a view goes": ([{"repo_id": SWAPPER.repo_id}, BOTH[1]], "exact"),
    "a view comes": ([BOTH[0], {"repo_id": TINY.repo_id, "views": ["tiny"]}], "present"),
    "a repository goes": ([BOTH[0]], "exact"),
    "a commit waits for a person": ([BOTH[0], {"repo_id": TINY.repo_id, "publish": "manual"}], "present"),
    "a commit is retired": ([BOTH[0], {"repo_id": TINY.repo_id, "keep": 1}], "present"),
    "fewer files are wanted": ([BOTH[0], {"repo_id": TINY.repo_id, "allow_patterns": ["*.json"]}], "present"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_nothing_is_taken_back(pair: Pair, what: str) -> None:
    whitelist, state = CHANGES[what]
    pair.hub.control("move", {"repo_id": TINY.repo_id, "commit": 0})
    pair.sync("a")
    for name in ("b", "a"):
        pair.follow(name)
    if "commit" in what:
        pair.hub.control("move", {"repo_id": TINY.repo_id, "commit": 1})
    before = served(pair.nodes["a"].store), pair.store("a").repository(TINY).facts()
    pair.sync("a", whitelist, state)
    decided = served(pair.nodes["a"].store), pair.store("a").repository(TINY).facts()
    assert decided != before or sorted(Views(pair.store("a")).names()) == ["faces"]
    # its own follower is the first that looks
    pair.follow("a")
    assert (served(pair.nodes["a"].store), pair.store("a").repository(TINY).facts()) == decided
    pair.follow("b")
    pair.assert_equal()
    pair.follow("a")
    pair.assert_equal()
    assert served(pair.nodes["a"].store) == decided[0]


def test_whoever_decides_next_has_the_last_word(pair: Pair) -> None:
    pair.sync("a")
    pair.follow("b")
    pair.sync("b", CHANGES["a view comes"][0])
    pair.follow("a")
    pair.assert_equal()
    assert sorted(Views(pair.store("a")).names()) == ["faces", "tiny"]
    pair.sync("a", CHANGES["a view has another name"][0], "exact")
    pair.follow("b")
    pair.assert_equal()
    assert sorted(Views(pair.store("b")).names()) == ["heads"]


@pytest.mark.parametrize(
    ("theirs", "teller", "mine", "leads"),
    [
        ("", "", "", True),
        ("2026-01-02", "b", "", True),
        ("2026-01-02", "c", "2026-01-01", True),
        ("2026-01-01", "b", "2026-01-02", False),
        ("2026-01-01", "b", "2026-01-01", True),
        ("2026-01-01", "c", "2026-01-01", False),
        ("2027-01-01", "b", "2026-01-01", False),
        ("2026-01-01", "b", "2027-01-01", True),
    ],
    ids=["nobody", "new here", "by way of another", "behind", "still deciding", "repeated", "clock", "own clock"],
)
def test_the_later_decision_leads(theirs: str, teller: str, mine: str, leads: bool) -> None:
    told = Decision(f"{theirs}T00:00:00Z", "b") if theirs else Decision()
    here = Decision(f"{mine}T00:00:00Z", "b") if mine else Decision()
    now = 1767312000  # 2026-01-02
    assert told.leads(teller, here, now) is leads
