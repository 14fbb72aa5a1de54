# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mirror_info: what it tells of a store."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.modules import mirror_gc, mirror_info, mirror_ref

from hub.process import HubProcess
from storecheck import tree

Run = Callable[..., dict[str, Any]]
Later = Callable[[float], None]

TINY = "stand-in/tiny-model"
SPACE = {"repo_id": "stand-in/tiny-space", "repo_type": "space", "publish": "manual"}


@pytest.mark.parametrize("check", [False, True])
def test_everything(call: Run, sync: Run, hub: HubProcess, store: Path, later: Later, check: bool) -> None:
    (described,) = [repo["commits"] for repo in hub.control("repos") if repo["repo_id"] == TINY]
    commits = [one["commit"] for one in described]
    for main in (0, 1, 2):
        hub.control("move", {"repo_id": TINY, "commit": main})
        sync({"repo_id": TINY, "keep": 5}, SPACE, {"repo_id": "stand-in/gone"})
    call(mirror_ref, repo_id=TINY, commit=commits[1], state="rolled_back", actor="ansible for alice")
    call(mirror_ref, repo_id=TINY, commit=commits[1], state="pinned")
    call(mirror_ref, repo_id=TINY, state="frozen")
    assert call(mirror_gc, models=[{"repo_id": TINY, "keep": 2}])["retired"] == [f"{TINY}@{commits[0]}"]
    later(7200)

    before = tree(store)
    found = call(mirror_info, check)
    assert tree(store) == before and not found["changed"]
    tiny, space = found["repos"]
    (ref,) = tiny["refs"]
    assert (ref["name"], ref["commit"], ref["pending"], ref["frozen"]) == ("main", commits[1], None, True)
    assert [(one["serial"], one["commit"], one["rollback"], one["here"]) for one in ref["versions"]] == [
        (4, commits[1], True, True),
        (3, commits[2], False, True),
        (2, commits[1], False, True),
        (1, commits[0], False, True),
    ]
    assert ref["versions"][0]["actor"] == "ansible for alice" and ref["versions"][1]["actor"] == "ansible"
    assert ref["versions"][0]["time"].endswith("Z")
    by_commit = {one.pop("commit"): one for one in tiny["commits"]}
    assert by_commit.keys() == set(commits)
    sizes = [file["size"] for file in described[1]["files"].values()]
    assert by_commit[commits[1]] == {
        "files": len(sizes),
        "bytes": sum(sizes),
        "refs": ["main"],
        "pinned": True,
        "listed": False,
        "retired_hours": None,
    }
    assert by_commit[commits[0]]["retired_hours"] == 2.0 and not by_commit[commits[0]]["refs"]
    assert (space["repo_type"], space["refs"][0]["commit"], space["refs"][0]["versions"]) == ("space", None, [])
    assert space["refs"][0]["pending"] == space["commits"][0]["commit"]

    entries = {entry["name"]: entry for entry in found["entries"]}
    main = entries[f"{TINY}@main"]
    assert (main["versions"], main["pinned"], main["retired"], main["frozen"]) == (3, 1, 1, True)
    assert main["failures"] == 0 and main["last_success"]
    assert entries["stand-in/gone@main"]["failures"] == 3
    last = found["last_run"]
    assert (last["run"], last["actor"], last["unchanged"]) == (3, "ansible", 1)
    assert last["succeeded"] == [f"{TINY}@main"] and list(last["failed"]) == ["stand-in/gone@main"]
    assert "has no model stand-in/gone" in last["failed"]["stand-in/gone@main"]
    assert found["running"] is None and found["store"] == str(store)
    assert found["disk"]["used_bytes"] == sum(blob.stat().st_size for blob in (store / "pool").iterdir())


def test_a_version_that_is_gone(call: Run, sync: Run, hub: HubProcess) -> None:
    for main in (0, 1):
        hub.control("move", {"repo_id": TINY, "commit": main})
        sync({"repo_id": TINY, "keep": 1}, grace=0)
    sync({"repo_id": TINY, "keep": 1}, grace=0)
    (tiny,) = call(mirror_info)["repos"]
    assert [one["here"] for one in tiny["refs"][0]["versions"]] == [True, False]
    assert len(tiny["commits"]) == 1


def test_a_repository_that_is_damaged(call: Run, sync: Run, store: Path) -> None:
    sync({"repo_id": TINY}, {"repo_id": "tiny-canonical"})
    (store / "hub/models--stand-in--tiny-model/.mirror/rev/main/info.blobs.json").write_text("{")
    tiny, other = call(mirror_info)["repos"]
    assert "info.blobs.json can't be read" in tiny["problem"] and tiny["refs"] == tiny["commits"] == []
    assert other["problem"] is None and other["refs"]


def test_a_store_before_its_first_run_ends(call: Run, sync: Run, store: Path) -> None:
    missing = call(mirror_info)
    assert missing["failed"] and "is no store yet. Create it with: hf-mirror sync" in missing["msg"]
    sync({"repo_id": TINY})
    for file in store.glob("ledger/*.json*"):
        file.unlink()
    with (store / "locks" / "run").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = call(mirror_info)
    assert found["last_run"] is None and found["running"]["by"] == "another process"
