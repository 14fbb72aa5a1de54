# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning: tables of wanted and facts, and the actions that follow."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import HeldError, MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import File, Listing, Repo, RepoFacts
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.plan import plan_repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.wanted import Wanted

REPO = Repo("model", "a/b")
OLD, NEW, OTHER = "1" * 40, "2" * 40, "3" * 40
FILES = {"README.md": File(5, "a" * 40), "x.onnx": File(9, "b" * 40, "c" * 64), "y.onnx": File(9, "d" * 40, "e" * 64)}


def listing(commit: str, *paths: str) -> Listing:
    return Listing(commit, {path: FILES[path] for path in paths or FILES})


def facts(published: str | None = None, *paths: str, history: tuple[str, ...] = (), **more: Any) -> RepoFacts:
    """A store in which main is published with these paths."""
    if published is None:
        return RepoFacts(**more)
    snapshot = {path: FILES[path].etag for path in paths or FILES}
    history = history or (published,)
    serials = {"main": len(history)}
    return RepoFacts({"main": published}, {published: snapshot}, {"main": history}, serials, **more)


def plan(wanted: Wanted, answer: Listing | MirrorError, store: RepoFacts, pool: set[str] | None = None) -> Any:
    return plan_repo(REPO, {wanted: answer}, store, pool or set(), {})


def test_a_first_publish() -> None:
    (commit,) = plan(Wanted("a/b", files=("x.onnx",)), listing(NEW), facts()).commits
    assert [fetch.path for fetch in commit.fetches] == ["x.onnx"]
    assert commit.seal
    assert [(p.ref, p.old, p.new, p.serial) for p in commit.publishes] == [("main", None, NEW, 1)]


def test_nothing_changed() -> None:
    assert not plan(Wanted("a/b"), listing(OLD), facts(OLD)).changes


def test_a_moved_ref_fetches_what_the_pool_lacks() -> None:
    (commit,) = plan(Wanted("a/b"), listing(NEW), facts(OLD), {"c" * 64}).commits
    assert [fetch.path for fetch in commit.fetches] == ["README.md", "y.onnx"]
    assert [(p.old, p.new, p.serial) for p in commit.publishes] == [(OLD, NEW, 2)]


def test_a_snapshot_only_grows_and_a_person_is_told() -> None:
    wider = plan(Wanted("a/b"), listing(OLD), facts(OLD, "x.onnx"))
    assert wider.commits[0].seal and not wider.commits[0].publishes and len(wider.warnings) == 1
    assert not plan(Wanted("a/b", files=("x.onnx",)), listing(OLD), facts(OLD)).changes


@pytest.mark.parametrize(
    ("answer", "store", "words"),
    [
        (listing(OLD), facts(NEW, history=(OLD, NEW)), "went back to 111111111111"),
        (listing(NEW, "README.md"), facts(OLD), "has none of its 2 files any more"),
        (MirrorError("gone"), facts(OLD), "gone"),
    ],
    ids=["rewound", "emptied", "gone"],
)
def test_what_is_not_followed(answer: Listing | MirrorError, store: RepoFacts, words: str) -> None:
    found = plan(Wanted("a/b"), answer, store)
    assert words in str(found.problems[Wanted("a/b")])
    assert not found.changes


def test_a_rewind_is_followed_when_it_is_allowed() -> None:
    wanted = Wanted("a/b", allow_rewind=True)
    assert plan(wanted, listing(OLD), facts(NEW, history=(OLD, NEW))).publishes[0].serial == 3


def test_one_that_is_held_leaves_the_others_of_its_repository_alone() -> None:
    held, fine = Wanted("a/b"), Wanted("a/b", revision="v1")
    store = facts(NEW, history=(OLD, NEW))
    found = plan_repo(REPO, {held: listing(OLD), fine: listing(OTHER)}, store, set(), {})
    assert isinstance(found.problems[held], HeldError)
    assert [publish.ref for publish in found.publishes] == ["v1"]


def test_manual_publishing_leaves_a_commit_pending_once() -> None:
    wanted = Wanted("a/b", publish="manual")
    (commit,) = plan(wanted, listing(NEW), facts(OLD)).commits
    assert commit.seal and commit.pending == ["main"] and not commit.publishes
    sealed = {OLD: {}, NEW: {path: file.etag for path, file in FILES.items()}}
    store = RepoFacts({"main": OLD}, sealed, {"main": (OLD,)}, {"main": 1}, {"main": NEW})
    assert not plan(wanted, listing(NEW), store).changes


def test_a_content_that_was_wrong_is_not_asked_for_again_yet() -> None:
    bad = {(NEW, "x.onnx", "c" * 64): "corrupt, again in 1 h"}
    found = plan_repo(REPO, {Wanted("a/b"): listing(NEW)}, facts(OLD), set(), bad)
    assert str(found.problems[Wanted("a/b")]) == "corrupt, again in 1 h" and not found.changes
    narrower = Wanted("a/b", files=("y.onnx",))
    assert not plan_repo(REPO, {narrower: listing(NEW)}, facts(OLD), set(), bad).problems
    assert not plan_repo(REPO, {Wanted("a/b"): listing(NEW)}, facts(OLD), {"c" * 64}, bad).problems, "it came otherwise"


def test_entries_of_one_commit_are_joined() -> None:
    entries = {
        Wanted("a/b", files=("x.onnx",)): listing(NEW),
        Wanted("a/b", revision=NEW, files=("y.onnx",)): listing(NEW),
    }
    (commit,) = plan_repo(REPO, entries, facts(), set(), {}).commits
    assert commit.paths == ("x.onnx", "y.onnx") and len(commit.entries) == 2


def test_each_file_is_fetched_with_the_token_of_an_entry_that_wants_it() -> None:
    entries: dict[Wanted, Any] = {
        Wanted("a/b", files=("x.onnx",)): listing(NEW),
        Wanted("a/b", revision="v1", files=("y.onnx",), token="team"): listing(NEW),
        Wanted("a/b", revision="v2", files=("x.onnx", "y.onnx"), token="other"): listing(NEW),
    }
    sealed = {NEW: {"README.md": FILES["README.md"].etag}}
    for wanted, tokens in (
        (list(entries)[:1], {"x.onnx": None}),
        (list(entries)[:2], {"x.onnx": None, "y.onnx": "team"}),
        (list(entries), {"x.onnx": "other", "y.onnx": "team"}),
    ):
        store = RepoFacts(snapshots=sealed)
        (commit,) = plan_repo(REPO, {one: entries[one] for one in wanted}, store, set(), {}).commits
        found = {fetch.path: fetch.token for fetch in commit.fetches}
        assert found == {**tokens, "README.md": next(filter(None, tokens.values()), None)}, "whatever opens it"
