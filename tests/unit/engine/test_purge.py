# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take something down: it is gone at once, under all its names, and does not come back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.fsck import fsck
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.purge import Purge
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.pool import Pool
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from ansible_collections.modelops.hf_mirror.plugins.modules import mirror_purge
from unit.engine.machine.upstream import StandingClock

from hub.process import HubProcess
from storecheck import check_store, snapshot

Run = Callable[..., dict[str, Any]]
Listed = Callable[[str], dict[str, Any]]

SWAPPER, TINY, ONNX = "deepinsight/inswapper-128", "stand-in/tiny-model", "inswapper_128.onnx"


def sound(root: Path) -> None:
    check_store(root)
    assert not [one for one in fsck(Store(root)) if one.damage]


@pytest.fixture
def etag(listed: Listed) -> str:
    found: str = listed(SWAPPER)["files"][ONNX]["sha256"]
    return found


def test_a_content_goes_under_all_its_names(sync: Run, store: Path, listed: Listed, etag: str) -> None:
    sync({"repo_id": SWAPPER, "views": ["faces"]}, {"repo_id": TINY})
    gone = Purge(Store(store), "root", "malware").content(etag)
    assert len(gone) == 1 and gone[0].endswith(ONNX)
    assert not [path for path in store.rglob("*") if etag in path.name]
    assert snapshot(store, SWAPPER, listed(SWAPPER)["main"]).keys() == listed(SWAPPER)["files"].keys() - {ONNX}
    assert not (store / "views/faces" / ONNX).exists()
    sound(store)


def test_nothing_is_left_of_a_commit(sync: Run, store: Path, listed: Listed, etag: str) -> None:
    """It stays, and lists nothing: others can still be purged, and what comes later is published."""
    sync({"repo_id": TINY}, {"repo_id": SWAPPER})
    for blob in sorted((store / "hub/models--stand-in--tiny-model/blobs").iterdir()):
        Purge(Store(store), "root").content(blob.name)
        sound(store)
    assert snapshot(store, TINY, listed(TINY)["main"]) == {}
    assert Purge(Store(store), "root").content(etag)
    sound(store)


def test_it_does_not_come_back(sync: Run, store: Path, hub: HubProcess, etag: str) -> None:
    sync({"repo_id": SWAPPER})
    Purge(Store(store), "root", "malware").content(etag)
    hub.control("reset", {})
    answer = sync({"repo_id": SWAPPER}, {"repo_id": TINY})
    assert "was purged" in answer["failures"][f"{SWAPPER}@main"] and "malware" in answer["msg"]
    assert not (store / "pool" / etag).exists()
    # without it the repository is mirrored
    assert not sync({"repo_id": SWAPPER, "ignore_patterns": [ONNX]})["failures"]
    Purge(Store(store), "root", is_lifted=True).content(etag)
    assert not sync({"repo_id": SWAPPER})["failures"]
    assert (store / "pool" / etag).exists()
    sound(store)


def test_a_content_that_is_on_its_way_is_not_sealed(
    sync: Run, store: Path, etag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync({"repo_id": TINY})
    adopt = Pool.adopt

    def purge_meanwhile(self: Pool, part: Path, name: str) -> None:
        adopt(self, part, name)
        if name == etag:
            Purge(Store(store), "root").content(etag)

    monkeypatch.setattr(Pool, "adopt", purge_meanwhile)
    answer = sync({"repo_id": SWAPPER})
    assert "was purged" in answer["failures"][f"{SWAPPER}@main"]
    assert not [path for path in store.rglob("*") if etag in path.name]


def test_a_repository_goes(sync: Run, store: Path) -> None:
    sync({"repo_id": SWAPPER, "views": ["faces"]}, {"repo_id": TINY})
    assert Purge(Store(store), "root", "court order").repo(Repo("model", SWAPPER)) == [SWAPPER]
    assert not (store / "views/faces").exists()
    assert not (store / "hub/models--deepinsight--inswapper-128").exists()
    answer = sync({"repo_id": SWAPPER}, {"repo_id": TINY})
    assert "court order" in answer["failures"][f"{SWAPPER}@main"]
    sound(store)


def test_a_clock_that_went_back_does_not_undo_it(sync: Run, store: Path, etag: str) -> None:
    sync({"repo_id": SWAPPER})
    clock = StandingClock()
    Purge(Store(store, clock=clock), "root", is_lifted=True).content(etag)
    clock.seconds -= 86400
    assert Purge(Store(store, clock=clock), "root").content(etag)
    assert not [path for path in store.rglob("*") if etag in path.name]
    assert "purged (" in sync({"repo_id": SWAPPER})["failures"][f"{SWAPPER}@main"]
    sound(store)


def test_it_is_recorded(sync: Run, store: Path, etag: str) -> None:
    sync({"repo_id": SWAPPER})
    Purge(Store(store), "mallory", "malware").content(etag)
    record = next(one for one in Store(store).ledger.records(newest_first=True) if one["kind"] == "purge")
    assert record["actor"] == "mallory" and record["contents"][etag]["note"] == "malware"
    assert json.loads((store / "catalogue.json").read_text())["purged"]["contents"].keys() == {etag}


# ---- the module


def test_the_module_says_what_would_go_and_takes_it_down_once(sync: Run, store: Path, call: Run, etag: str) -> None:
    sync({"repo_id": SWAPPER}, {"repo_id": TINY})
    order = {"name": SWAPPER, "file": ONNX, "note": "malware", "actor": "ansible for alice"}
    looked = call(mirror_purge, True, **order)
    assert looked["changed"] and looked["purged"][0].endswith(ONNX) and (store / "pool" / etag).exists()
    done = call(mirror_purge, **order)
    assert (done["changed"], done["purged"], done["diff"]) == (True, looked["purged"], looked["diff"])
    assert not (store / "pool" / etag).exists()
    for check in (True, False):
        again = call(mirror_purge, check, **order)
        assert not again["changed"] and not again["purged"]
    sound(store)


def test_the_module_lifts_what_it_took_down(sync: Run, store: Path, call: Run, etag: str) -> None:
    sync({"repo_id": SWAPPER})
    assert call(mirror_purge, name=etag.upper())["changed"]
    assert "purged (" in sync({"repo_id": SWAPPER})["msg"]
    assert call(mirror_purge, True, name=etag, state="lifted")["changed"]
    assert call(mirror_purge, name=etag, state="lifted")["changed"]
    assert not call(mirror_purge, name=etag, state="lifted")["changed"]
    assert sync({"repo_id": SWAPPER})["changed"]
    sound(store)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"name": "abcdef0"}, "is not a full hash"),
        ({"name": "../x"}, "../x"),
        ({"name": TINY, "file": "../x"}, "file "),
        ({"name": TINY, "file": "nothing.onnx"}, "has a file nothing.onnx"),
        ({"name": "a" * 40, "file": "x.onnx"}, "a hash has no file"),
    ],
)
def test_the_module_refuses_what_it_cant_mean(sync: Run, call: Run, order: dict[str, str], words: str) -> None:
    sync({"repo_id": TINY})
    answer = call(mirror_purge, **order)
    assert answer["failed"] and words in answer["msg"]
