# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mirror_ref: what it changes, what it tells, and that a second run changes nothing."""

from __future__ import annotations

import json
import os
import pwd
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ad_hoc
import memory
import pytest
from ansible_collections.modelops.hf_mirror.plugins.modules import mirror_ref

from hub.process import HubProcess
from storecheck import check_store, tree, without_records

Run = Callable[..., dict[str, Any]]

TOP = Path(__file__).parents[3]
TINY = "stand-in/tiny-model"


def commits(hub: HubProcess, repo_id: str) -> list[str]:
    (found,) = [repo["commits"] for repo in hub.control("repos") if repo["repo_id"] == repo_id]
    return [commit["commit"] for commit in found]


def main_of(store: Path) -> str:
    return (store / "hub/models--stand-in--tiny-model/refs/main").read_text()


def ledger(store: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in store.glob("ledger/*.jsonl") for line in file.read_text().splitlines()]


@pytest.fixture
def two(hub: HubProcess, sync: Run) -> list[str]:
    """Two commits of a repository that were published, the second one last."""
    found = commits(hub, TINY)[:2]
    for commit in found:
        hub.control("move", {"repo_id": TINY, "commit": commit})
        assert not sync({"repo_id": TINY})["failures"]
    return found


@pytest.fixture
def order(call: Run) -> Run:
    def run(state: str, check: bool = False, **options: Any) -> dict[str, Any]:
        return call(mirror_ref, check, repo_id=TINY, state=state, **options)

    return run


def test_rolled_back_and_promoted(order: Run, store: Path, two: list[str]) -> None:
    old, new = two
    before = tree(store)
    looked = order("rolled_back", check=True, commit=old[:7], note="bad")
    assert tree(store) == before and main_of(store) == new
    assert looked["diff"] == {"before": f"{TINY} main {new}\n", "after": f"{TINY} main {old}\n"}
    done = order("rolled_back", commit=old[:7], note="bad", actor="ansible for alice")
    assert {**done, "invocation": 0} == {**looked, "invocation": 0}, "check mode told the truth"
    assert done["changed"] and (done["ref"], done["commit"], done["old"], done["serial"]) == ("main", old, new, 3)
    assert main_of(store) == old
    record = ledger(store)[-1]
    assert (record["kind"], record["actor"], record["note"]) == ("publish", "ansible for alice", "bad")

    before = tree(store)
    for check in (True, False):
        again = order("rolled_back", check=check, commit=old)
        assert not again["changed"] and again["commit"] == old and again["diff"] == {"before": "", "after": ""}
    assert without_records(tree(store)) == without_records(before)
    forward = order("promoted", commit=new)
    assert forward["changed"] and main_of(store) == new and ledger(store)[-1]["actor"] == "ansible"
    assert not order("promoted", commit=new)["changed"]
    check_store(store)


def test_what_waits_is_promoted_once(order: Run, sync: Run, hub: HubProcess, store: Path) -> None:
    sync({"repo_id": TINY, "publish": "manual"})
    (commit,) = {repo["main"] for repo in hub.control("repos") if repo["repo_id"] == TINY}
    looked = order("promoted", check=True)
    assert looked["changed"] and looked["commit"] == commit and looked["old"] is None
    assert looked["diff"]["before"] == f"{TINY} main is not published\n"
    assert order("promoted")["changed"] and main_of(store) == commit
    again = order("promoted")
    assert not again["changed"] and again["commit"] == commit


@pytest.mark.parametrize(
    ("state", "undone", "words"),
    [
        ("pinned", "unpinned", ("is not pinned", "is pinned")),
        ("frozen", "unfrozen", ("follows the upstream", "is frozen")),
    ],
)
@pytest.mark.parametrize("by_commit", [False, True])
def test_marks(
    order: Run, store: Path, two: list[str], state: str, undone: str, words: tuple[str, str], by_commit: bool
) -> None:
    options = {"commit": two[0][:8]} if by_commit and state == "pinned" else {}
    commit = two[0] if options else two[1]
    name = "main" if state == "frozen" else commit
    for one, (old, new) in ((state, words), (undone, words[::-1])):
        before = tree(store)
        looked = order(one, check=True, **options)
        assert tree(store) == before
        done = order(one, **options)
        assert {**done, "invocation": 0} == {**looked, "invocation": 0}
        assert done["changed"] and done["commit"] == commit
        assert done["diff"] == {"before": f"{TINY} {name} {old}\n", "after": f"{TINY} {name} {new}\n"}
        again = order(one, **options)
        assert not again["changed"] and again["commit"] == commit


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"state": "rolled_back"}, "state is rolled_back but all of the following are missing: commit"),
        ({"state": "promoted", "ref": "v9"}, "stand-in/tiny-model@v9 has no pending commit to promote"),
        ({"state": "promoted", "commit": "1234567"}, "stand-in/tiny-model has no commit 1234567 here"),
        ({"state": "promoted", "ref": "../x", "commit": "1234567"}, "revision '../x' is no branch or tag"),
        ({"state": "frozen", "ref": "a" * 40}, "is a commit: freeze needs a branch or a tag"),
        ({"state": "frozen", "repo_id": "no/such"}, "no/such is not mirrored here"),
        ({"state": "frozen", "repo_type": "space"}, "space stand-in/tiny-model is not mirrored here"),
        ({"state": "published"}, "value of state must be one of"),
        ({"state": "frozen", "store": "no/where"}, "no/where is no store yet"),
    ],
)
def test_refused(call: Run, store: Path, two: list[str], options: dict[str, Any], words: str) -> None:
    for check in (True, False):
        answer = call(mirror_ref, check, **{"repo_id": TINY, **options})
        assert answer["failed"] and words in answer["msg"]
    assert main_of(store) == two[1]


def test_a_view_that_stays_behind_fails_the_task(order: Run, store: Path, two: list[str]) -> None:
    (store / "views.json").write_text("{")
    answer = order("rolled_back", commit=two[0])
    assert answer["failed"] and answer["changed"] and "it is done, but" in answer["msg"]
    assert main_of(store) == two[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_works_as_the_owner_and_still_answers(store: Path, two: list[str]) -> None:
    """Ansible packs a module into a file that nobody but root can read, and loads from it to the end."""
    nobody = pwd.getpwnam("nobody")
    for path in [store, *store.rglob("*")]:
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    with tempfile.TemporaryDirectory(dir=memory.folder()) as folder:
        Path(folder).chmod(0o755)  # pytest's own is for root alone
        open_to_all = store.rename(Path(folder) / "store")
        answer = ad_hoc.run("mirror_ref", store=str(open_to_all), repo_id=TINY, state="rolled_back", commit=two[0])
        assert "localhost | CHANGED" in answer, answer
        assert main_of(open_to_all) == two[0]
        assert not [path for path in open_to_all.rglob("*") if path.lstat().st_uid != nobody.pw_uid]
