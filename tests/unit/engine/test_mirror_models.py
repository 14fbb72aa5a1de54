# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sync leaves on the disk, and what it says."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from ansible_collections.modelops.hf_mirror.plugins.modules import mirror_verify

from hub.process import HubProcess
from storecheck import check_store, snapshot, tree, without_records

Run = Callable[..., dict[str, Any]]
Listed = Callable[[str], dict[str, Any]]
Later = Callable[[float], None]

TINY = "stand-in/tiny-model"
MANY = "stand-in/many-small-files"
SWAPPER = "deepinsight/inswapper-128"
ARTICLE = [
    {"repo_id": SWAPPER, "files": ["inswapper_128.onnx"]},
    {"repo_id": "bonnetti/yoloface", "files": ["yoloface_8n.onnx"]},
    {"repo_id": "hysts/ArcFace-resnet100", "files": ["model.onnx"]},
]


def test_the_articles_whitelist(sync: Run, store: Path, listed: Listed) -> None:
    answer = sync(*ARTICLE)
    assert answer["changed"] and answer["fetched_files"] == 3 and not answer["failures"]
    for entry in ARTICLE:
        repo = listed(entry["repo_id"])
        (path,) = entry["files"]
        content = snapshot(store, entry["repo_id"], repo["main"])
        assert content.keys() == {path}
        assert hashlib.sha256(content[path]).hexdigest() == repo["files"][path]["sha256"]
    check_store(store)
    before = tree(store)
    again = sync(*ARTICLE)
    assert not again["changed"] and again["fetched_bytes"] == 0
    assert without_records(tree(store)) == without_records(before)


def test_whole_repositories_of_every_type(sync: Run, store: Path, listed: Listed) -> None:
    answer = sync(
        {"repo_id": MANY},
        {"repo_id": "tiny-canonical"},
        {"repo_id": "stand-in/tiny-dataset", "repo_type": "dataset"},
        {"repo_id": "stand-in/tiny-space", "repo_type": "space"},
    )
    assert not answer["failures"]
    repo = listed(MANY)
    content = snapshot(store, MANY, repo["main"])
    assert len(content) == 200
    assert {p: hashlib.sha256(c).hexdigest() for p, c in content.items()} == {
        path: file["sha256"] for path, file in repo["files"].items()
    }
    assert (store / "hub/datasets--stand-in--tiny-dataset/refs/main").read_bytes() == listed("stand-in/tiny-dataset")[
        "main"
    ].encode()
    check_store(store)


def test_revisions(sync: Run, store: Path, listed: Listed) -> None:
    refs = listed(TINY)["refs"]
    first = refs["refs/tags/v1"]
    answer = sync(
        {"repo_id": TINY, "revision": "refs/pr/1"},
        {"repo_id": TINY, "revision": "v1", "files": ["config.json"]},
        {"repo_id": TINY, "revision": first, "files": ["README.md"]},
        {"repo_id": TINY},
    )
    assert not answer["failures"]
    rev = store / "hub/models--stand-in--tiny-model/.mirror/rev"
    assert os.readlink(rev / "v1") == first
    assert os.readlink(rev / "refs/pr/1") == f"../../{refs['refs/pr/1']}"
    assert (rev / "refs/pr/1/info.json").exists()
    assert snapshot(store, TINY, first).keys() == {"config.json", "README.md"}, "two entries of one commit are joined"
    check_store(store)


def test_check_mode_lists_files_and_bytes_and_writes_nothing(sync: Run, store: Path, listed: Listed) -> None:
    answer = sync(*ARTICLE, check=True)
    assert answer["changed"] and not list(store.iterdir())
    file = listed(SWAPPER)["files"]["inswapper_128.onnx"]
    assert f"{SWAPPER} inswapper_128.onnx {file['size']} bytes {file['sha256']}\n" in answer["diff"]["after"]
    assert f"{SWAPPER} main is not published\n" in answer["diff"]["before"]
    done = sync(*ARTICLE)
    assert {**done, "invocation": 0} == {**answer, "invocation": 0}, "check mode told the truth"
    assert not sync(*ARTICLE, check=True)["changed"]


def test_moved_main_fetches_only_what_changed(sync: Run, store: Path, hub: HubProcess, listed: Listed) -> None:
    entry = {"repo_id": MANY}
    sync(entry)
    old = listed(MANY)["main"]
    unchanged = hub.control("requests")["counts"]
    sync(entry)
    asked = sum(hub.control("requests")["counts"].values()) - sum(unchanged.values())
    assert asked == 1, "an unchanged ref costs one request"
    hub.control("move", {"repo_id": MANY, "commit": 0})
    answer = sync(entry)
    new = listed(MANY)["main"]
    assert f"{MANY} main {old}\n" in answer["diff"]["before"] and f"{MANY} main {new}\n" in answer["diff"]["after"]
    assert 0 < answer["fetched_files"] < 10
    assert snapshot(store, MANY, old) and len(snapshot(store, MANY, new)) == 200
    check_store(store)


def test_widening_the_same_commit(sync: Run, store: Path, listed: Listed) -> None:
    sync({"repo_id": TINY, "files": ["config.json"]})
    answer = sync({"repo_id": TINY})
    assert answer["changed"] and snapshot(store, TINY, listed(TINY)["main"]).keys() == listed(TINY)["files"].keys()
    assert not sync({"repo_id": TINY, "files": ["config.json"]})["changed"], "nothing is removed"
    check_store(store)


@pytest.mark.parametrize("path", ["model.safetensors", "config.json"])
def test_a_flipped_byte_is_refused(
    sync: Run, store: Path, hub: HubProcess, listed: Listed, path: str, later: Later
) -> None:
    sync({"repo_id": TINY})
    published = tree(store / "hub/models--stand-in--tiny-model")
    hub.control("move", {"repo_id": TINY, "commit": 2})
    hub.control("flip", {"repo_id": TINY, "path": path})
    answer = sync({"repo_id": TINY}, {"repo_id": "tiny-canonical"})
    assert answer["failed"]
    assert f"{path} of {TINY}@" in answer["msg"]
    assert f"{listed(TINY)['files'][path]['etag']}, got " in answer["msg"]
    assert tree(store / "hub/models--stand-in--tiny-model") == published, "nothing of it is published"
    assert (store / "hub/models--tiny-canonical/refs/main").exists(), "the others still sync"
    check_store(store)
    hub.control("reset", {})
    hub.control("move", {"repo_id": TINY, "commit": 2})
    assert "tried 1 times, again in 1 h" in sync({"repo_id": TINY})["msg"]
    assert not hub.control("requests")["counts"].get("resolve_get"), "it is not asked for again so soon"
    later(3700)
    assert not sync({"repo_id": TINY})["failures"]
    check_store(store)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"repo_id": "no/such"}, "has no model no/such"),
        ({"repo_id": TINY, "files": ["config.json", "none.bin"]}, f"the Hub has no none.bin in {TINY}@main"),
        ({"repo_id": TINY, "revision": "nope"}, f"{TINY} has no revision nope"),
    ],
)
def test_what_the_hub_does_not_have_fails_by_name(sync: Run, store: Path, entry: dict[str, Any], words: str) -> None:
    answer = sync(entry, {"repo_id": "tiny-canonical"})
    assert answer["failed"] and words in answer["msg"] and next(iter(answer["failures"])).startswith(entry["repo_id"])
    assert (store / "hub/models--tiny-canonical/refs/main").exists()


def test_a_wrong_whitelist_touches_nothing(sync: Run, store: Path) -> None:
    answer = sync({"repo_id": TINY}, {"repo_id": TINY, "files": ["../x"]})
    assert answer["failed"] and "whitelist entry 2 (stand-in/tiny-model): file name '../x'" in answer["msg"]
    assert not list(store.iterdir())


def test_a_cut_body_is_continued(sync: Run, store: Path, hub: HubProcess) -> None:
    hub.control("cut", {"repo_id": SWAPPER, "path": "inswapper_128.onnx", "after": 1_500_000, "times": 2})
    assert not sync(ARTICLE[0])["failures"]
    check_store(store)
    gets = [r for r in hub.control("requests")["last"] if r["origin"] == "content" and r["method"] == "GET"]
    assert [r["status"] for r in gets] == [200, 206, 206], "only the rest was asked for"


def test_a_part_of_an_earlier_run_is_continued_and_a_wrong_one_replaced(
    sync: Run, store: Path, hub: HubProcess, listed: Listed
) -> None:
    etag = listed(SWAPPER)["files"]["inswapper_128.onnx"]["sha256"]
    sync({"repo_id": "tiny-canonical"})
    part = store / "staging" / f"{etag}.part"
    part.write_bytes(b"x" * 1_000_000)
    assert not sync(ARTICLE[0])["failures"]
    assert not part.exists()
    check_store(store)


def test_views_are_hard_links(sync: Run, store: Path, listed: Listed, hub: HubProcess) -> None:
    entries = [{**entry, "views": ["facefusion"]} for entry in ARTICLE]
    sync(*entries)
    view = store / "views/facefusion"
    assert sorted(os.listdir(view)) == ["inswapper_128.onnx", "model.onnx", "yoloface_8n.onnx"]
    etag = listed(SWAPPER)["files"]["inswapper_128.onnx"]["sha256"]
    assert (view / "inswapper_128.onnx").stat().st_ino == (store / "pool" / etag).stat().st_ino
    assert not sync(*entries)["changed"]
    hub.control("move", {"repo_id": SWAPPER, "commit": 2})
    assert sync(*entries)["views"] == ["facefusion"]
    assert len(os.listdir(store / "views")) == 2, "the old folder is gone"
    etag = listed(SWAPPER)["files"]["inswapper_128.onnx"]["sha256"]
    assert (view / "inswapper_128.onnx").stat().st_ino == (store / "pool" / etag).stat().st_ino


def test_a_file_that_fails_leaves_its_view_as_it_was(sync: Run, store: Path, hub: HubProcess) -> None:
    entries = [{**entry, "views": ["facefusion"]} for entry in ARTICLE]
    sync(*entries)
    before = os.readlink(store / "views/facefusion")
    hub.control("move", {"repo_id": SWAPPER, "commit": 2})
    hub.control("flip", {"repo_id": SWAPPER, "path": "inswapper_128.onnx"})
    assert sync(*entries)["failed"]
    assert os.readlink(store / "views/facefusion") == before


def test_a_second_sync_at_the_same_time_is_refused(sync: Run, store: Path) -> None:
    sync({"repo_id": "tiny-canonical"})
    with (store / "locks/run").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        answer = sync({"repo_id": TINY}, wait=False)
        assert answer["failed"] and "is running already" in answer["msg"]
        assert not sync({"repo_id": TINY}, check=True).get("failed"), "check mode needs no lock"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("stranger", "", "not empty (stranger)"),
        ("store.json", '{"format": 2}', "has store format 2"),
        ("store.json", "{", "can't be read"),
    ],
)
def test_a_folder_that_is_no_store_is_refused(sync: Run, store: Path, name: str, content: str, words: str) -> None:
    (store / name).write_text(content)
    answer = sync({"repo_id": TINY})
    assert answer["failed"] and words in answer["msg"]
    assert os.listdir(store) == [name]


def test_a_missing_folder_is_refused(sync: Run, store: Path) -> None:
    store.rmdir()
    assert "does not exist" in sync({"repo_id": TINY})["msg"]
    assert sync({"repo_id": TINY}, check=True)["fetched_files"] > 0


def test_hub_down_is_told(sync: Run, store: Path) -> None:
    sync({"repo_id": "tiny-canonical"})
    before = tree(store / "hub")
    answer = sync({"repo_id": "tiny-canonical"}, endpoint="http://127.0.0.1:9")
    assert answer["failed"] and "http://127.0.0.1:9 can't be reached" in answer["msg"]
    assert tree(store / "hub") == before


def test_the_peer_is_asked_before_anything_is_published(sync: Run) -> None:
    asked: list[str] = []

    class Peer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_arguments: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Peer) as peer:
        threading.Thread(target=peer.serve_forever, args=(0.02,), daemon=True).start()
        answer = sync({"repo_id": TINY}, peers=[f"http://127.0.0.1:{peer.server_port}"])
        peer.shutdown()
    assert asked and set(asked) == {"/_peer/catalogue-digest.json", "/_peer/catalogue.json"}
    # one that can't be followed is not waited for
    assert answer["changed"] and not answer["failures"]


def test_the_token_goes_to_the_hub_only(sync: Run, hub: HubProcess) -> None:
    answer = sync({"repo_id": TINY}, token="hf_secret")
    assert not answer["failures"] and "hf_secret" not in str(answer)
    requests = hub.control("requests")["last"]
    assert all(r["authorization"] for r in requests if r["origin"] == "hub")
    assert not any(r["authorization"] for r in requests if r["origin"] == "content")


def test_what_a_killed_run_left_is_finished(sync: Run, store: Path, listed: Listed) -> None:
    sync({"repo_id": TINY})
    folder = store / "hub/models--stand-in--tiny-model"
    (folder / ".mirror/build/snapshot").mkdir(parents=True)
    (folder / "refs/main").write_bytes(b"0" * 40)
    (folder / ".mirror/refs.json").unlink()
    assert not sync({"repo_id": TINY})["failures"]
    assert (folder / "refs/main").read_bytes() == listed(TINY)["main"].encode()
    assert (folder / ".mirror/refs.json").is_file()
    check_store(store)


def test_the_ledger_says_who_it_was(sync: Run, call: Run, store: Path) -> None:
    sync({"repo_id": "tiny-canonical"}, actor="ansible for alice")
    call(mirror_verify, mode="content", repair=False, actor="ansible for bob")
    told = {record["kind"]: record.get("actor") for record in Store(store).ledger.records()}
    assert told["publish"] == told["run"] == "ansible for alice" and told["scrub"] == "ansible for bob"
