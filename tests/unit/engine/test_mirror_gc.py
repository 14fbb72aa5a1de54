# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mirror_gc: what it collects, and that check mode tells the bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.modules import mirror_gc

from hub.process import HubProcess
from storecheck import check_store, tree

Run = Callable[..., dict[str, Any]]
Later = Callable[[float], None]

MANY = "stand-in/many-small-files"
FOLDER = "hub/models--stand-in--many-small-files"
KEEP_ONE = [{"repo_id": MANY, "keep": 1}]


@pytest.fixture
def old(hub: HubProcess, sync: Run) -> str:
    """A commit that was published, and that another followed."""
    for main in (0, 1):
        hub.control("move", {"repo_id": MANY, "commit": main})
        sync({"repo_id": MANY})
    (found,) = [repo["commits"] for repo in hub.control("repos") if repo["repo_id"] == MANY]
    commit: str = found[0]["commit"]
    return commit


def test_retire_and_collect(call: Run, store: Path, hub: HubProcess, old: str, later: Later) -> None:
    assert not call(mirror_gc)["changed"], "without a whitelist nobody says how many stay"
    assert not call(mirror_gc, models=[{"repo_id": MANY}])["changed"]
    asked = hub.control("requests")["counts"]
    before = tree(store)
    looked = call(mirror_gc, True, models=KEEP_ONE)
    assert tree(store) == before
    assert looked["changed"] and looked["retired"] == [f"{MANY}@{old}"] and looked["freed_bytes"] == 0
    assert looked["diff"]["after"] == f"{MANY} {old} is retired\n"
    done = call(mirror_gc, models_to_sync=KEEP_ONE, actor="ansible for alice")
    assert done["retired"] == looked["retired"] and (store / FOLDER / "snapshots" / old).exists()
    assert not call(mirror_gc, models=KEEP_ONE)["changed"]

    later(3 * 3600)
    assert not call(mirror_gc, models=KEEP_ONE)["changed"], "the grace is 72 hours"
    size = sum(blob.stat().st_size for blob in (store / "pool").iterdir())
    looked = call(mirror_gc, True, models=KEEP_ONE, grace=2)
    done = call(mirror_gc, models=KEEP_ONE, grace=2)
    assert {**done, "invocation": 0} == {**looked, "invocation": 0}, "check mode told the truth"
    assert done["collected"] == [f"{MANY}@{old}"] and not done["failures"]
    assert done["freed_bytes"] == size - sum(blob.stat().st_size for blob in (store / "pool").iterdir()) > 0
    assert not (store / FOLDER / "snapshots" / old).exists()
    assert hub.control("requests")["counts"] == asked, "no Hub is asked"
    lines = [line for file in store.glob("ledger/*.jsonl") for line in file.read_text().splitlines()]
    assert {record["actor"] for record in map(json.loads, lines) if record["kind"] == "retire"} == {"ansible for alice"}
    check_store(store)


def test_what_cannot_be_read_fails_by_name(call: Run, store: Path, old: str) -> None:
    (store / FOLDER / ".mirror/history.json").write_text("{")
    for check in (True, False):
        answer = call(mirror_gc, check, models=KEEP_ONE)
        assert answer["failed"] and "history.json can't be read" in answer["msg"]
        assert list(answer["failures"]) == [MANY]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"models": []}, "the whitelist is empty"),
        ({"models": [{"repo_id": "a/b", "kep": 1}]}, "unknown key kep"),
        ({"grace": -1}, "grace is -1, it must be a number of hours"),
        ({"store": "no/where"}, "no/where is no store yet"),
    ],
)
def test_refused(call: Run, store: Path, old: str, options: dict[str, Any], words: str) -> None:
    before = tree(store)
    for check in (True, False):
        answer = call(mirror_gc, check, **options)
        assert answer["failed"] and words in answer["msg"]
    assert tree(store) == before
