# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commits that are replaced: how many stay, how long the others are served, and what takes them away."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo, RepoFacts
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.refs import (
    Change,
    freeze,
    pin,
    promote,
    rollback,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.ref_change import make_change
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store

from hub.process import HubProcess
from storecheck import check_store, snapshot, tree, without_records

Run = Callable[..., dict[str, Any]]
Listed = Callable[[str], dict[str, Any]]
Edit = Callable[..., str]

TINY, CANONICAL = "stand-in/tiny-model", "tiny-canonical"
REPO = Repo("model", TINY)
LATEST = {"repo_id": TINY, "keep": 1}
HOUR = 3600.0


@pytest.fixture
def edit(hub: HubProcess) -> Edit:
    """Let a repository's main get another commit."""

    def change(text: str, repo_id: str = TINY) -> str:
        order = {"repo_id": repo_id, "changes": {"own.txt": text}}
        return str(hub.control("edit", order)["commit"])

    return change


@pytest.fixture
def after(sync: Run, later: Callable[[float], None]) -> Run:
    """Sync when some hours have passed since the test began; a timer does it once a day."""
    now = 0.0

    def run(hours: float, *models: Any, **options: Any) -> dict[str, Any]:
        nonlocal now
        while now + 24 < hours:
            now += 24
            later(now * HOUR)
            sync(*models, **options)
        now = hours
        later(now * HOUR)
        return sync(*models, **options)

    return run


@pytest.fixture
def decide(store: Path) -> Callable[..., Change]:
    def change(what: Callable[..., Change], **options: Any) -> Change:
        def decision(facts: RepoFacts) -> Change:
            return what(REPO, facts, **options)

        return make_change(Store(store), REPO, decision, "a person")

    return change


def commits(store: Path, repo_id: str = TINY) -> set[str]:
    """The commits that are served, which is as many as there are folders of files."""
    top = store / "hub" / f"models--{repo_id.replace('/', '--')}"
    sealed = {entry.name for entry in (top / ".mirror/rev").iterdir() if len(entry.name) == 40}
    assert {entry.name for entry in (top / "snapshots").iterdir()} == sealed
    return sealed


def main(store: Path, repo_id: str = TINY) -> str:
    return os.readlink(store / "hub" / f"models--{repo_id.replace('/', '--')}" / ".mirror/rev/main")


def pool(store: Path) -> dict[str, int]:
    return {entry.name: entry.stat().st_size for entry in (store / "pool").iterdir()}


def test_the_last_published_stay_and_the_others_are_served_for_the_grace(
    sync: Run, after: Run, store: Path, listed: Listed, edit: Edit
) -> None:
    entry = {"repo_id": TINY, "keep": 2}
    sync(entry)
    first = listed(TINY)["main"]
    whole = snapshot(store, TINY, first)
    second = edit("second")
    assert not sync(entry)["retired"], "two stay"
    third = edit("third")
    foretold = sync(entry, check=True)
    answer = sync(entry)
    assert answer["retired"] == foretold["retired"] == [f"{TINY}@{first}"] and not answer["collected"]
    assert not after(71, entry)["changed"]
    assert commits(store) == {first, second, third}
    assert snapshot(store, TINY, first) == whole, "who began to download it can end that"
    before = pool(store)
    foretold = after(73, entry, check=True)
    assert foretold["changed"] and pool(store) == before
    answer = after(73, entry)
    assert answer["collected"] == foretold["collected"] == [f"{TINY}@{first}"] and answer["changed"]
    assert commits(store) == {second, third} and main(store) == third
    gone = before.keys() - pool(store).keys()
    assert sum(before[etag] for etag in gone) == answer["freed_bytes"] == foretold["freed_bytes"]
    check_store(store)
    assert not after(73, entry)["changed"]


def test_contents_go_with_the_last_that_names_them(sync: Run, after: Run, store: Path, edit: Edit) -> None:
    """Here another repository, a view and a commit that stays have them, too."""
    entries = [LATEST, {"repo_id": CANONICAL, "keep": 1, "views": ["flat"]}]
    for repo_id in (TINY, CANONICAL):
        edit("of both", repo_id)
    sync(*entries)
    (etag,) = {link.resolve().name for link in store.glob("hub/*/snapshots/*/own.txt")}
    edit("of the first")
    sync(*entries)
    after(80, *entries)
    blobs = store / "hub/models--stand-in--tiny-model/blobs"
    assert not (blobs / etag).exists() and (store / "pool" / etag).exists()
    assert (store / "views/flat/own.txt").read_bytes() == b"of both"
    edit("of the second", CANONICAL)
    after(81, *entries)
    assert (store / "views/flat/own.txt").read_bytes() == b"of the second"
    after(160, *entries)
    assert not (store / "pool" / etag).exists()
    check_store(store)


def test_without_a_grace_the_next_run_collects(sync: Run, store: Path, listed: Listed, edit: Edit) -> None:
    sync(LATEST, grace=0)
    first, second = listed(TINY)["main"], edit("second")
    assert sync(LATEST, grace=0)["retired"] == [f"{TINY}@{first}"]
    assert commits(store) == {first, second}
    assert sync(LATEST, grace=0)["collected"] == [f"{TINY}@{first}"]
    assert commits(store) == {second}
    before = without_records(tree(store))
    assert not sync(LATEST, grace=0)["changed"] and without_records(tree(store)) == before


def test_no_clock_that_jumps_ahead_and_back_spends_the_grace(
    sync: Run, store: Path, listed: Listed, edit: Edit, later: Callable[[float], None]
) -> None:
    sync(LATEST)
    first = listed(TINY)["main"]
    edit("second")
    sync(LATEST)
    for days in (4000, 0, -4000):
        later(days * 24 * HOUR)
        assert not sync(LATEST)["changed"]
    assert first in commits(store)


def test_what_is_pinned_stays_until_it_is_not(
    sync: Run, after: Run, store: Path, listed: Listed, edit: Edit, decide: Callable[..., Change]
) -> None:
    sync(LATEST)
    first = listed(TINY)["main"]
    decide(pin, commit=first)
    second = edit("second")
    assert not sync(LATEST)["retired"]
    after(80, LATEST)
    assert commits(store) == {first, second}
    decide(pin, commit=first[:9], is_set=False)
    assert after(81, LATEST)["retired"] == [f"{TINY}@{first}"]
    decide(pin, commit=first)
    after(82, LATEST)
    after(170, LATEST)
    assert commits(store) == {first, second}, "it was retired for an hour"
    decide(pin, commit=first, is_set=False)
    after(171, LATEST)
    after(245, LATEST)
    assert commits(store) == {second}


def test_after_a_rollback_a_sync_stays_there(
    sync: Run, after: Run, store: Path, listed: Listed, edit: Edit, decide: Callable[..., Change]
) -> None:
    entry = {"repo_id": TINY, "views": ["flat"]}
    edit("first")
    sync(entry)
    first = listed(TINY)["main"]
    second = edit("second")
    sync(entry)
    assert (store / "views/flat/own.txt").read_bytes() == b"second"
    decide(rollback, ref="main")
    assert main(store) == first and (store / "views/flat/own.txt").read_bytes() == b"first"
    assert not sync(entry)["changed"] and main(store) == first
    assert not after(50, entry)["changed"], "also days later"
    third = edit("third")
    assert after(51, entry)["repos"][0]["refs"] == [{"name": "main", "old": first, "new": third}]
    history = json.loads((store / "hub/models--stand-in--tiny-model/.mirror/history.json").read_bytes())["main"]
    assert [(one["serial"], one["commit"]) for one in history] == [(1, first), (2, second), (3, first), (4, third)]
    check_store(store)


def test_what_people_went_back_from_goes_and_does_not_come_again(
    sync: Run, after: Run, store: Path, listed: Listed, edit: Edit, decide: Callable[..., Change]
) -> None:
    sync(LATEST)
    first, second = listed(TINY)["main"], edit("second")
    sync(LATEST)
    decide(rollback, ref="main", commit=first)
    answer = sync(LATEST)
    assert answer["retired"] == [f"{TINY}@{second}"] and main(store) == first
    after(80, LATEST)
    assert commits(store) == {first}
    answer = after(81, LATEST)
    assert not answer["changed"] and not answer["failures"] and answer["fetched_files"] == 0


def test_who_promotes_what_people_went_back_from_has_it(
    sync: Run, store: Path, edit: Edit, decide: Callable[..., Change]
) -> None:
    sync(LATEST)
    second = edit("second")
    sync(LATEST)
    decide(rollback, ref="main")
    decide(promote, ref="main", commit=second)
    assert main(store) == second
    third = edit("third")
    sync(LATEST)
    assert main(store) == third


def test_a_frozen_ref_stays(sync: Run, store: Path, listed: Listed, edit: Edit, decide: Callable[..., Change]) -> None:
    sync(LATEST)
    first = listed(TINY)["main"]
    decide(freeze, ref="main")
    second = edit("second")
    assert not sync(LATEST)["changed"] and main(store) == first
    decide(freeze, ref="main", is_set=False)
    sync(LATEST)
    assert main(store) == second


def test_a_ref_that_comes_back_is_as_any_other(
    sync: Run, store: Path, hub: HubProcess, edit: Edit, decide: Callable[..., Change]
) -> None:
    """What people decided about it, and what waited for them, went with it."""
    tag = {"repo_id": TINY, "revision": "v1"}
    sync(LATEST, tag)
    edit("second")
    sync(LATEST)
    decide(rollback, ref="main")
    decide(freeze, ref="main")
    third = edit("third")
    sync(LATEST, state="absent")
    sync(tag, LATEST)
    assert main(store) == third
    fourth = edit("fourth")
    assert sync(tag, {**LATEST, "publish": "manual"})["repos"][0]["pending"] == [{"name": "main", "commit": fourth}]
    assert sync(tag, state="exact", max_delete="100%")["removed"] == [f"{TINY}@main"]
    pending = json.loads((store / "hub/models--stand-in--tiny-model/.mirror/pending.json").read_bytes())
    assert not pending


def test_what_waits_for_a_person_leaves_with_its_entry(sync: Run, after: Run, store: Path, listed: Listed) -> None:
    tag, manual = {"repo_id": TINY, "revision": "v1"}, {"repo_id": TINY, "publish": "manual"}
    sync(tag, manual)
    waiting = listed(TINY)["main"]
    assert waiting in commits(store)
    answer = sync(tag, state="exact", max_delete="100%")
    assert answer["removed"] == [f"{TINY}@main"] and answer["retired"] == [f"{TINY}@{waiting}"]
    after(80, tag)
    assert waiting not in commits(store)


def test_what_the_whitelist_names_by_id_stays(sync: Run, after: Run, store: Path, listed: Listed, edit: Edit) -> None:
    first = listed(TINY)["main"]
    by_id = {"repo_id": TINY, "revision": first}
    sync(by_id, LATEST)
    second = edit("second")
    sync(LATEST)
    after(80, LATEST)
    assert commits(store) == {first, second}, "nobody took it from the store"
    answer = after(81, LATEST, state="exact", max_delete="100%")
    assert answer["removed"] == [f"{TINY}@{first}"] and answer["retired"] == [f"{TINY}@{first}"]
    after(160, LATEST)
    assert commits(store) == {second}


def test_a_whitelist_decides_about_its_own_refs_alone(sync: Run, after: Run, store: Path, edit: Edit) -> None:
    """Two calls with a whitelist each: neither knows how many commits of the other's stay."""
    other = {"repo_id": CANONICAL, "keep": 1}
    for text in ("first", "second", "third"):
        edit(text)
        edit(text, CANONICAL)
        sync({"repo_id": TINY, "keep": 3})
        sync({**other, "keep": 3})
    after(80, {"repo_id": TINY, "keep": 1})
    after(170, {"repo_id": TINY, "keep": 1})
    assert len(commits(store)) == 1 and len(commits(store, CANONICAL)) == 3
    after(171, other)
    after(250, other)
    assert len(commits(store, CANONICAL)) == 1


def test_narrowing_takes_files_from_the_listing_first(sync: Run, after: Run, store: Path, listed: Listed) -> None:
    few = {"repo_id": TINY, "files": ["config.json"]}
    exactly: dict[str, Any] = {"state": "exact", "max_delete": "100%"}
    sync({"repo_id": TINY})
    commit, files = listed(TINY)["main"], listed(TINY)["files"].keys()
    document = store / "hub/models--stand-in--tiny-model/.mirror/rev" / commit / "info.json"
    assert sync(few, **exactly)["changed"]
    assert [one["rfilename"] for one in json.loads(document.read_bytes())["siblings"]] == ["config.json"]
    assert snapshot(store, TINY, commit).keys() == files, "who listed them before can have them"
    assert not after(71, few, **exactly)["changed"]
    answer = after(73, few, **exactly)
    assert answer["collected"] == [f"{TINY}@{commit}"]
    assert snapshot(store, TINY, commit).keys() == {"config.json"} and len(pool(store)) == 1
    check_store(store)
    assert not after(74, few, **exactly)["changed"]
    after(75, {"repo_id": TINY})
    assert snapshot(store, TINY, commit).keys() == files
    check_store(store)


def test_what_was_narrowed_before_the_ledger_was_lost_goes_a_grace_later(after: Run, store: Path) -> None:
    few = {"repo_id": TINY, "files": ["config.json"]}
    after(70, {"repo_id": TINY})
    after(71, few, state="exact", max_delete="100%")
    for file in (store / "ledger").glob("*.json*"):
        file.unlink()
    after(72, few)
    assert len(pool(store)) > 1 and not after(140, few)["collected"]
    assert after(146, few)["collected"] and len(pool(store)) == 1


def test_widening_within_the_grace_takes_it_back(sync: Run, after: Run, store: Path, listed: Listed) -> None:
    few = {"repo_id": TINY, "files": ["config.json"]}
    sync({"repo_id": TINY})
    commit, files = listed(TINY)["main"], listed(TINY)["files"].keys()
    sync(few, state="exact", max_delete="100%")
    answer = after(1, {"repo_id": TINY})
    assert answer["changed"] and answer["fetched_files"] == 0
    after(80, {"repo_id": TINY})
    assert snapshot(store, TINY, commit).keys() == files
    assert not after(81, {"repo_id": TINY})["changed"]


@pytest.mark.parametrize("damage", ["another target", "a file", "missing", "no snapshot"])
def test_where_a_link_is_wrong_nothing_goes_and_somebody_is_told(
    sync: Run, after: Run, store: Path, edit: Edit, damage: str
) -> None:
    entries = [LATEST, {"repo_id": CANONICAL, "keep": 1}]
    sync(*entries)
    for repo_id in (TINY, CANONICAL):
        edit("second", repo_id)
    sync(*entries)
    link = store / "hub/models--stand-in--tiny-model/snapshots" / main(store) / "config.json"
    target, folder = os.readlink(link), link.parent
    if damage == "no snapshot":
        folder.rename(store / "staging/elsewhere")
    else:
        link.unlink()
    if damage == "another target":
        link.symlink_to(os.readlink(link.parent / "own.txt"))
    elif damage == "a file":
        link.write_bytes((store / "pool" / Path(target).name).read_bytes())
    before = tree(store / "hub/models--stand-in--tiny-model")
    for _twice in range(2):
        answer = after(80, *entries)
        assert list(answer["failures"]) == ["retention"] and TINY in answer["failures"]["retention"]
    kept = {name: what for name, what in before.items() if ".mirror" not in name}
    assert {n: w for n, w in tree(store / "hub/models--stand-in--tiny-model").items() if ".mirror" not in n} == kept
    assert len(commits(store, CANONICAL)) == 1, "it is nobody else's trouble"
    if damage == "no snapshot":
        (store / "staging/elsewhere").rename(folder)
    else:
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    assert not after(81, *entries)["failures"] and len(commits(store)) == 1
    check_store(store)


def test_what_nothing_names_goes_after_the_grace(sync: Run, after: Run, store: Path) -> None:
    """A content that lost its last name, and a part of one that nobody wants any more."""
    sync(LATEST)
    kept = pool(store)
    left, part = store / "pool" / ("0" * 64), store / "staging" / f"{'1' * 64}.part"
    left.write_bytes(b"left")
    part.write_bytes(b"half")
    assert not after(71, LATEST)["changed"] and left.exists() and part.exists()
    answer = after(73, LATEST)
    assert answer["freed_bytes"] == 8 and pool(store) == kept and not part.exists()
    assert not after(74, LATEST)["changed"]
