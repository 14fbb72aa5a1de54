# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both nodes of a pair follow each other: one that looks at a peer that is behind takes back nothing of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.peer import Peer
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run import sync as _sync
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.catalogue import write_catalogue
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.decision import (
    Decision,
    Standing,
    read_standing,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.views import Views
from unit.engine.two_nodes import BOTH, SWAPPER, TINY, Pair, served

from hub.process import HubProcess

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


def waiting(pair: Pair, name: str) -> list[str]:
    return sorted(pair.store(name).repository(TINY).facts().pending)


def views(pair: Pair, name: str) -> list[str]:
    return sorted(Views(pair.store(name)).names())


#: What a run on the active node is told while the other one is away: a view gets another name, a commit is to wait.
NEWS = [{"repo_id": SWAPPER.repo_id, "views": ["heads"]}, {"repo_id": TINY.repo_id, "publish": "manual"}]
RETIRED_SOONER = [{**one, "keep": 1} for one in NEWS]


def collects(pair: Pair, _monkeypatch: pytest.MonkeyPatch) -> None:
    for _round in range(2):
        assert not pair.engine("b", grace=0).collect(parse(RETIRED_SOONER)).problems


def begins_and_dies(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_store: Store, _wanted: Any) -> None:
        raise KeyboardInterrupt

    ahead = time.time() + 60
    monkeypatch.setattr(Clock, "now", lambda _clock: ahead)

    monkeypatch.setattr(_sync, "update_views", die)
    with pytest.raises(KeyboardInterrupt):
        pair.engine("b").run(parse([BOTH[0], {"repo_id": "stand-in/tiny-canonical"}]))
    monkeypatch.undo()
    assert read_standing(pair.store("b")).is_deciding
    write_catalogue(pair.store("b"))  # as a person's change does


def has_no_room(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told of the decision, can't follow it, and then a sync of it fails, too."""
    room = Store.room
    monkeypatch.setattr(Store, "room", lambda store, reserve: 0 if "b" in store.root.parts else room(store, reserve))
    assert pair.engine("b").follow().problems
    outcome = pair.engine("b").run(parse(NEWS[1:]))
    assert outcome.problems and any("does not apply" in one for one in outcome.plan.warnings)
    monkeypatch.undo()


@pytest.mark.parametrize("acts", [collects, begins_and_dies, has_no_room])
def test_who_is_behind_decides_nothing_away(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, acts: Callable[[Pair, pytest.MonkeyPatch], None]
) -> None:
    for commit in (0, 1):
        pair.hub.control("move", {"repo_id": TINY.repo_id, "commit": commit})
        pair.sync("a")
        for name in ("b", "a"):
            pair.follow(name)
    pair.hub.control("edit", {"repo_id": TINY.repo_id, "changes": {"new.txt": "x"}})
    pair.sync("a", NEWS, "exact")
    acts(pair, monkeypatch)
    for name in ("a", "b", "a"):
        pair.follow(name)
    pair.assert_equal()
    for name in "ab":
        assert (views(pair, name), waiting(pair, name)) == (["heads"], ["main"])


@pytest.mark.parametrize("last", ["a", "b"])
def test_a_view_goes_with_a_repository_that_another_one_removed(pair: Pair, last: str) -> None:
    """They don't see each other: the one removes a repository, the other one, whichever decides last, shows it."""
    pair.sync("a")
    pair.follow("b")
    wanted = {"a": [BOTH[1]], "b": [BOTH[0], {"repo_id": TINY.repo_id, "views": ["tiny"]}]}
    for name in ("b" if last == "a" else "a", last):
        pair.sync(name, wanted[name], "exact")
    pair.sync(last, [*wanted[last][:-1], {"repo_id": TINY.repo_id, "views": ["more"]}], "exact")
    for name in "baba":
        pair.follow(name)
    pair.assert_equal()
    assert "faces" not in views(pair, "b")


def test_whoever_is_left_decides(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one is lost for good, and what it decided last could not be taken over."""
    pair.sync("a")
    pair.follow("b")
    pair.hub.control("edit", {"repo_id": TINY.repo_id, "changes": {"new.txt": "x"}})
    pair.sync("a", NEWS, "exact")
    monkeypatch.setattr(Store, "room", lambda _store, _reserve: 0)
    assert pair.engine("b").follow().problems
    monkeypatch.undo()
    pair.nodes["a"].stop()
    pair.sync("b", CHANGES["a view comes"][0], "exact")
    assert views(pair, "b") == ["faces", "tiny"]
    pair.nodes["a"].start()
    for name in ("b", "a", "b"):
        pair.follow(name)
    pair.assert_equal()
    assert views(pair, "a") == ["faces", "tiny"]


def test_a_copy_is_another_node(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody seeds the second node with a copy of the first one's store, and it follows in the middle of a run."""
    pair.sync("a")
    pair.nodes["b"].stop()
    shutil.rmtree(pair.nodes["b"].store)
    subprocess.run(["cp", "-a", pair.nodes["a"].store, pair.nodes["b"].store], check=True)
    pair.nodes["b"].start()
    real = _sync.update_views

    def then_both_follow(store: Store, wanted: Any) -> Any:
        found = real(store, wanted)
        write_catalogue(store)
        pair.follow("b")
        return found

    monkeypatch.setattr(_sync, "update_views", then_both_follow)
    pair.sync("a", NEWS, "exact")
    monkeypatch.undo()
    pair.follow("a")
    assert views(pair, "a") == ["heads"]
    pair.follow("b")
    pair.assert_equal()
    pair.sync("b", BOTH, "exact")
    pair.follow("a")
    pair.assert_equal()
    nodes = [read_standing(pair.store(name)).node for name in "ab"]
    assert all(nodes) and nodes[0] != nodes[1]


def test_what_is_decided_at_once_is_the_same_everywhere(
    tmp_path: Path, hub: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two nodes decide in one second; then they look at each other at once, and a third one at each of them."""
    three = Pair(tmp_path, hub, "abc")
    try:
        three.sync("a")
        for name in "bc":
            three.follow(name)
        now = time.time() + 100
        monkeypatch.setattr(Clock, "now", lambda _clock: now)
        three.sync("a", NEWS, "exact")
        three.sync("b", CHANGES["a view comes"][0], "exact")
        found = []
        for name in "aba":
            three.follow("c", peers=[three.nodes[name].url])
            found.append(views(three, "c"))
        assert found[1] == found[2]
        told, barrier = Peer.catalogue, threading.Barrier(2)

        def both_look(peer: Peer) -> Any:
            answer = told(peer)
            barrier.wait(20)
            return answer

        monkeypatch.setattr(Peer, "catalogue", both_look)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda one: three.follow(one[0], peers=[three.nodes[one[1]].url]), ["ab", "ba"]))
        monkeypatch.setattr(Peer, "catalogue", told)
        assert views(three, "a") == views(three, "b") == found[2]
    finally:
        for node in three.nodes.values():
            node.kill()


@pytest.mark.parametrize("days", [-10, -3, 3, 10])
def test_clocks_decide_nothing(pair: Pair, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    real = time.time
    pair.sync("a")
    pair.follow("b")

    def ahead(number: int) -> None:
        monkeypatch.setattr(Clock, "now", lambda _clock: real() + number * 86400)

    ahead(days)
    pair.sync("b", CHANGES["a view comes"][0])
    for wanted in (NEWS, BOTH, NEWS):
        ahead(0)
        pair.follow("a")
        pair.sync("a", wanted, "exact")
        ahead(days)
        pair.follow("b")
        assert views(pair, "b") == views(pair, "a") == [wanted[0]["views"][0]]


A, B, C = "a" * 32, "b" * 32, "c" * 32
OLD, NEW, FAR = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2027-01-01T00:00:00Z"
NOW = 1767312000  # NEW
TIMED, COUNTED = Decision(0, OLD, B), Decision(4, NEW, B)


@pytest.mark.parametrize(
    ("theirs", "mine", "leads"),
    [
        (Standing(B), Standing(A), True),
        (Standing(B, COUNTED), Standing(A), True),
        (Standing(B, Decision(4, FAR, B)), Standing(A), True),
        (Standing(B), Standing(A, COUNTED), False),
        (Standing(C, Decision(5, OLD, B)), Standing(A, COUNTED), True),
        (Standing(B, Decision(3, FAR, B)), Standing(A, COUNTED), False),
        (Standing(B, Decision(3, FAR, B), True), Standing(A, COUNTED), False),
        (Standing(B, COUNTED), Standing(A, COUNTED), True),
        (Standing(C, COUNTED), Standing(A, COUNTED), False),
        (Standing(C, COUNTED, True), Standing(A, COUNTED), True),
        (Standing(A, Decision(4, OLD, A)), Standing(B, COUNTED), False),
        (Standing(C, Decision(4, NEW, C)), Standing(B, COUNTED), True),
        (Standing(A, Decision(4, NEW, A)), Standing(B, COUNTED), False),
        (Standing(B, Decision(0, NEW, B)), Standing(A, Decision(0, OLD, A)), True),
        (Standing(B, Decision(0, NEW, B)), Standing(A, Decision(7, OLD, A)), True),
        (Standing(B, Decision(0, OLD, B)), Standing(A, Decision(7, NEW, A)), False),
        (Standing(B, Decision(0, FAR, B)), Standing(A, Decision(7, NEW, A)), False),
    ],
    ids=[
        "nobody has decided",
        "new here",
        "new here, and its clock is wrong",
        "nobody there",
        "by way of another",
        "behind",
        "behind, with a run under way",
        "goes on under its number",
        "repeated",
        "a run is under way",
        "apart, earlier",
        "at once, higher",
        "at once, lower",
        "two older versions",
        "an older version, later",
        "an older version, earlier",
        "an older version's clock",
    ],
)
def test_whose_decision_leads(theirs: Standing, mine: Standing, leads: bool) -> None:
    told = Standing.from_json(json.loads(json.dumps(theirs.to_json())))
    assert told == theirs
    assert told.leads(mine, NOW) is leads


def test_a_number_that_cannot_be_is_not_followed(pair: Pair) -> None:
    pair.sync("a")
    pair.follow("b")
    pair.sync("a", NEWS, "exact")
    file = pair.nodes["a"].store / "ledger" / "decision.json"
    told = json.loads(file.read_bytes())
    told["decision"]["number"] = 1 << 52
    file.write_text(json.dumps(told))
    write_catalogue(pair.store("a"))
    done = pair.engine("b").follow()
    assert "can't be right" in str(done.problems["views"])
    assert views(pair, "b") == ["faces"]
