# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module does besides having entries in the store: take away, be exact, obey a lock, wait for a person."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import Besides, MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.describe import describe
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.lockfile import LockFile, locked_entry
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run import sync as _sync
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.gc import GarbageCollector
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from unit.engine.machine.invariants import at_rest

from hub.process import HubProcess

Run = Callable[..., dict[str, Any]]
Listed = Callable[[str], dict[str, Any]]

TINY, SWAPPER = "stand-in/tiny-model", "deepinsight/inswapper-128"


def folder(store: Path, repo_id: str) -> Path:
    return store / "hub" / f"models--{repo_id.replace('/', '--')}"


def kinds(store: Path) -> list[str]:
    (file,) = (store / "ledger").glob("*.jsonl")
    return [json.loads(line)["kind"] for line in file.read_text().splitlines()]


def test_absent_takes_a_repository_away_with_what_nothing_else_names(sync: Run, store: Path) -> None:
    sync({"repo_id": TINY}, {"repo_id": "tiny-canonical"})
    kept = {blob.name for blob in (folder(store, "tiny-canonical") / "blobs").iterdir()}
    planned = sync({"repo_id": TINY}, state="absent", check=True)
    assert planned["changed"] and planned["removed"] == [TINY] and folder(store, TINY).exists()
    answer = sync({"repo_id": TINY}, state="absent", endpoint="http://127.0.0.1:9")
    assert answer["removed"] == [TINY] and not folder(store, TINY).exists()
    assert {blob.name for blob in (store / "pool").iterdir()} == kept, "shared .gitattributes stays"
    assert not sync({"repo_id": TINY}, state="absent")["changed"]
    assert "remove" in kinds(store)


def test_absent_takes_one_ref_away(sync: Run, store: Path) -> None:
    sync({"repo_id": TINY}, {"repo_id": TINY, "revision": "v1"})
    answer = sync({"repo_id": TINY, "revision": "v1"}, state="absent")
    assert answer["removed"] == [f"{TINY}@v1"]
    assert not (folder(store, TINY) / "refs/v1").exists() and (folder(store, TINY) / "refs/main").exists()
    names = [b["name"] for b in json.loads((folder(store, TINY) / ".mirror/refs.json").read_bytes())["branches"]]
    assert names == ["main"]


def test_documents_that_an_older_version_did_not_write_are_made(sync: Run, store: Path) -> None:
    models = [{"repo_id": TINY}, {"repo_id": TINY, "revision": "refs/pr/1"}, {"repo_id": "tiny-canonical"}]
    sync(*models)
    later = [
        *store.glob("hub/*/.mirror/rev/*/paths.txt"),
        *store.glob("hub/*/.mirror/rev/*/listed.txt"),
        *store.glob("hub/*/.mirror/rev/*/commits.json"),
        *store.glob("hub/*/.mirror/commits/**/*.json"),
    ]
    links = {link: os.readlink(link) for link in (store / "names").iterdir()}
    found = {file: file.read_bytes() for file in later}
    assert len(links) == 2 and len(found) > 9
    for file in later:
        file.unlink(missing_ok=True)
    shutil.rmtree(store / "names")
    assert not sync(*models)["changed"]
    assert {file: file.read_bytes() for file in later} == found
    assert {link: os.readlink(link) for link in (store / "names").iterdir()} == links
    assert at_rest(store)


def test_the_commits_of_a_ref_that_are_served(sync: Run, store: Path, hub: HubProcess, listed: Listed) -> None:
    def told() -> list[str]:
        return [one["id"] for one in json.loads((folder(store, SWAPPER) / ".mirror/commits/main.json").read_bytes())]

    entry = {"repo_id": SWAPPER}
    sync(entry)
    first = listed(SWAPPER)["main"]
    assert told() == [first]
    hub.control("move", {"repo_id": SWAPPER, "commit": 2})
    sync(entry)
    second = listed(SWAPPER)["main"]
    assert told() == [second, first]
    for _retired_then_collected in range(2):
        sync({**entry, "keep": 1}, grace=0)
    assert told() == [second]


def test_exact_has_nothing_else_within_max_delete(sync: Run, store: Path) -> None:
    sync({"repo_id": TINY, "views": ["v"]}, {"repo_id": "tiny-canonical"})
    refused = sync({"repo_id": "tiny-canonical"}, state="exact")
    assert refused["failed"] and "1 of 2 repositories would be removed (stand-in/tiny-model)" in refused["msg"]
    assert folder(store, TINY).exists()
    assert sync({"repo_id": "tiny-canonical"}, state="exact", max_delete="1")["removed"] == [TINY]
    assert not folder(store, TINY).exists() and not list((store / "views").iterdir())
    assert not sync({"repo_id": "tiny-canonical"}, state="exact")["changed"]


@pytest.mark.parametrize("max_delete", ["", "ten", "-1", "10 %"])
def test_nonsense_in_max_delete_is_refused(sync: Run, store: Path, max_delete: str) -> None:
    sync({"repo_id": TINY})
    assert "max_delete is" in sync({"repo_id": "tiny-canonical"}, state="exact", max_delete=max_delete)["msg"]
    assert folder(store, TINY).exists()


def test_manual_publishing_waits_for_a_person(sync: Run, store: Path, hub: HubProcess, listed: Listed) -> None:
    entry = {"repo_id": SWAPPER, "publish": "manual"}
    first = listed(SWAPPER)["main"]
    answer = sync(entry)
    assert answer["repos"][0]["pending"] == [{"name": "main", "commit": first}] and not answer["repos"][0]["refs"]
    rev = folder(store, SWAPPER) / ".mirror/rev"
    assert (rev / first / "info.json").exists() and not (rev / "main").exists()
    assert not sync(entry)["changed"]
    sync({"repo_id": SWAPPER})
    assert os.readlink(rev / "main") == first
    hub.control("move", {"repo_id": SWAPPER, "commit": 2})
    sync(entry)
    assert os.readlink(rev / "main") == first, "what is published stays"


@pytest.fixture
def lock(sync: Run, store: Path, listed: Listed) -> dict[str, Any]:
    """The lock of what tiny-model is now."""
    sync({"repo_id": TINY})
    repo = listed(TINY)
    files = {path: file["etag"] for path, file in repo["files"].items()}
    return LockFile({f"{TINY}@main": locked_entry(repo["main"], files, (store / "pool").joinpath)}).to_json()


def test_a_lock_is_obeyed_although_the_hub_moved_on(
    sync: Run, store: Path, hub: HubProcess, lock: dict[str, Any], listed: Listed
) -> None:
    sync({"repo_id": TINY}, state="absent")
    locked = listed(TINY)["main"]
    hub.control("move", {"repo_id": TINY, "commit": 2})
    answer = sync({"repo_id": TINY}, lock=lock)
    assert not answer["failures"] and os.readlink(folder(store, TINY) / ".mirror/rev/main") == locked
    assert not sync({"repo_id": TINY}, lock=lock)["changed"]


@pytest.mark.parametrize(
    ("path", "field", "value", "words"),
    [
        ("config.json", "sha256", "0" * 64, "config.json of stand-in/tiny-model@main is not what the lock file says"),
        ("model.safetensors", "sha256", "0" * 64, "model.safetensors of stand-in/tiny-model@main: the lock file says"),
        ("config.json", "size", 1, "the lock file says 1 bytes"),
    ],
)
def test_what_is_not_as_locked_is_held(
    sync: Run, store: Path, lock: dict[str, Any], path: str, field: str, value: object, words: str
) -> None:
    sync({"repo_id": TINY}, state="absent")
    lock["entries"][f"{TINY}@main"]["files"][path][field] = value
    answer = sync({"repo_id": TINY}, {"repo_id": "tiny-canonical"}, lock=lock)
    assert words in answer["failures"][f"{TINY}@main"]
    assert "tiny-canonical@main is not in the lock file" in answer["failures"]["tiny-canonical@main"]
    assert not (folder(store, TINY) / "refs/main").exists()


@pytest.mark.parametrize("lock", [{}, {"version": 2}, {"version": 1}, {"version": 1, "entries": {"a": {"files": {}}}}])
def test_a_broken_lock_is_refused(sync: Run, store: Path, lock: dict[str, Any]) -> None:
    answer = sync({"repo_id": TINY}, lock={"broken": True, **lock})
    assert answer["failed"] and "lock file" in answer["msg"] and not list(store.iterdir())


def test_refs_that_go_together_count_with_all_that_goes_with_them(
    sync: Run, store: Path, hub: HubProcess, listed: Listed
) -> None:
    """Two names of one commit: neither is the other's reason to stay."""
    hub.control("move", {"repo_id": SWAPPER, "ref": "next", "commit": listed(SWAPPER)["main"]})
    big, small = {"repo_id": SWAPPER, "files": ["inswapper_128.onnx"]}, {"repo_id": TINY, "revision": "v1"}
    refs = [{**big, "revision": name} for name in ("main", "next")]
    stays = {**big, "revision": "refs/pr/1", "files": ["README.md"]}
    hub.control("edit", {"repo_id": SWAPPER, "ref": "refs/pr/1", "drop_all": True, "changes": {"README.md": "x"}})
    assert not sync(*refs, stays, small)["failures"]
    refused = sync(stays, small, state="exact", max_delete="50%")
    assert refused["failed"] and "too many bytes would be removed" in refused["msg"], refused
    assert not sync(stays, small, state="exact", max_delete="100%").get("failed")


def test_what_a_ref_named_before_goes_with_it_and_counts(sync: Run, store: Path, hub: HubProcess) -> None:
    big = {"repo_id": SWAPPER, "files": ["inswapper_128.onnx"]}
    sync(big)
    hub.control("edit", {"repo_id": SWAPPER, "changes": {"inswapper_128.onnx": "a small one"}})
    stays = {**big, "revision": "refs/pr/1", "files": ["README.md"]}
    hub.control("edit", {"repo_id": SWAPPER, "ref": "refs/pr/1", "drop_all": True, "changes": {"README.md": "x"}})
    assert not sync(big, stays, {"repo_id": TINY})["failures"]
    assert "too many bytes" in sync(stays, {"repo_id": TINY}, state="exact", max_delete="50%")["msg"]


def states(store: Path) -> dict[str, int]:
    """Return how often in a row what fails did."""
    return {name: one.failures for name, one in Store(store).ledger.state().repos.items() if one.failures}


def test_what_failed_besides_the_entries_is_shown_and_ends(
    sync: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, one = [{"repo_id": TINY}, {"repo_id": "tiny-canonical"}], {"repo_id": "tiny-canonical"}
    assert not sync(*both)["failures"]
    exactly = {"state": "exact", "max_delete": "1"}

    def fail(*_arguments: Any) -> None:
        raise OSError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "remove", fail)
        patch.setattr(_sync, "write_catalogue", fail)
        patch.setattr(GarbageCollector, "execute", lambda *_arguments: [MirrorError("no")])
        answer = sync(one, **exactly)
    told = {"removal": f"{TINY}: [Errno 13] Permission denied", "catalogue": "[Errno 13] Permission denied"}
    assert answer["failures"] == {**told, "retention": "no"}
    assert "entries failed" not in answer["msg"], "no entry did"
    assert states(store) == {"removal": 1, "catalogue": 1, "retention": 1}
    assert sync(one, state="exact", max_delete="0")["failures"].keys() == {"max_delete"}
    found = describe(Store(store), parse([one]))["entries"]
    shown = {entry["name"]: entry["message"] for entry in found if entry["failures"]}
    assert shown.keys() == {"max_delete"}, shown
    assert sync(one, **exactly)["removed"] == [TINY] and not states(store)
    assert all(Besides.has(name) or "@" in name for name in Store(store).ledger.state().repos)


def test_what_failed_and_was_taken_away_fails_no_more(sync: Run, store: Path, hub: HubProcess) -> None:
    both, one = [{"repo_id": TINY}, {"repo_id": "tiny-canonical"}], {"repo_id": "tiny-canonical"}
    assert not sync(*both)["failures"]
    hub.control("delete_repo", {"repo_id": TINY})
    assert sync(*both)["failed"] and states(store) == {f"{TINY}@main": 1}
    assert not sync(one, state="exact", max_delete="1").get("failed") and not states(store)
