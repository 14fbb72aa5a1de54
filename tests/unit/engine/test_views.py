# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views: what is gated leaves them at once, and a name with two contents stops nobody else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.views import plan_views
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.wanted import Wanted
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.purge import Purge
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.repository import Repository
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from mirror_server import Server

from hub.process import HubProcess

Run = Callable[..., dict[str, Any]]
Listed = Callable[[str], dict[str, Any]]

SWAPPER, TINY, ONNX = "deepinsight/inswapper-128", "stand-in/tiny-model", "inswapper_128.onnx"
RIGHT = {"tokens": {"team": "hf_right"}}


def test_names_with_several_contents() -> None:
    one, two = Wanted("a/b", views=("v",)), Wanted("c/d", views=("v", "w"))
    fine = plan_views({one: {"x": "e1"}, two: {"deep/x": "e1", "y": "e2"}})
    assert fine.files == {"v": {"x": "e1", "y": "e2"}, "w": {"x": "e1", "y": "e2"}} and not fine.problems
    between = plan_views({one: {"x": "e1"}, two: {"deep/x": "e2", "y": "e2"}})
    assert between.files == {"v": {"y": "e2"}, "w": {"x": "e2", "y": "e2"}}
    assert {*map(str, between.problems.values())} == {
        "view v: a/b@main and c/d@main have different files named x: select files by files or patterns; the view keeps"
        " its old file of that name"
    }
    within = plan_views({one: {"1/x": "e1", "2/x": "e2", "1/y": "e1", "2/y": "e2"}})
    assert "a/b@main has 2 files named x: 1/x, 2/x, and 1 more names:" in str(within.problems[one])


@pytest.fixture
def server(tmp_path: Path, store: Path) -> Iterator[Server]:
    tmp_path.chmod(0o755)
    store.chmod(0o755)
    server = Server(store, tmp_path / "nginx")
    yield server
    server.kill()


def status(server: Server, path: str) -> int:
    try:
        with urlopen(f"{server.url}/models/{path}", timeout=10) as answer:
            return int(answer.status)
    except HTTPError as refusal:
        with refusal:
            return refusal.code


def gate(hub: HubProcess) -> None:
    """Let only some see the repository, from its next commit on."""
    hub.control("access", {"repo_id": SWAPPER, "mode": "gated", "token": "hf_right"})
    hub.control("move", {"repo_id": SWAPPER, "commit": 2})


FACES = {"repo_id": SWAPPER, "token": "team", "views": ["faces", "own"]}
OTHER = {"repo_id": TINY, "files": ["config.json"], "views": ["faces"]}
WITHOUT = {key: value for key, value in FACES.items() if key != "views"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # it is told, and obeyed; or it was obeyed before, or the repository is gated in the same run
        ([], [FACES, OTHER]),
        ([], [WITHOUT, OTHER]),
        ([], [WITHOUT]),
        ([WITHOUT], [WITHOUT]),
    ],
)
def test_gating_closes_views(
    sync: Run, store: Path, hub: HubProcess, server: Server, before: list[Any], after: list[Any]
) -> None:
    assert not sync(FACES, OTHER, **RIGHT)["failures"]
    for entries in [before] if before else []:
        assert not sync(*entries, **RIGHT)["failures"]
    files = (f"faces/{ONNX}", f"own/{ONNX}", "faces/config.json")
    assert [status(server, file) for file in files] == [200, 200, 200]
    gate(hub)
    foreseen = sync(*after, check=True, **RIGHT)
    assert foreseen["views"] == ["faces", "own"], "check mode tells it"
    answer = sync(*after, **RIGHT)
    assert answer["views"] == ["faces", "own"]
    assert [status(server, file) for file in files] == [404, 404, 200], "what others have there stays"
    told = answer["failures"].get(f"{SWAPPER}@main", "")
    assert ("remove views from its entry" in told) == (FACES in after) and foreseen["failures"] == answer["failures"]
    assert not sync(*after, **RIGHT)["changed"]


def test_views_are_closed_before_anything_of_the_gated_commit_is_there(
    sync: Run, store: Path, hub: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not sync(FACES, OTHER, **RIGHT)["failures"]
    gate(hub)
    seen = []
    mark, seal = Repository.gate, Repository.seal

    def look(self: Repository, *arguments: Any) -> None:
        seen.append((sorted(os.listdir(store / "views/faces")), (store / "views/own").exists(), self.is_gated))
        (mark if not arguments else seal)(self, *arguments)

    monkeypatch.setattr(Repository, "gate", look)
    monkeypatch.setattr(Repository, "seal", look)
    sync(FACES, OTHER, **RIGHT)
    assert seen == [(["config.json"], False, False), (["config.json"], False, True)]


@pytest.mark.parametrize("note", [None, "{"])
def test_a_view_that_nobody_noted_is_closed_too(sync: Run, store: Path, hub: HubProcess, note: str | None) -> None:
    sync(FACES, OTHER, **RIGHT)
    (store / "views.json").write_text(note) if note else (store / "views.json").unlink()
    gate(hub)
    sync(WITHOUT, **RIGHT)
    assert not os.listdir(store / "views"), "whose files they hold can't be told"


def test_what_was_open_before_it_could_be_known_is_closed(sync: Run, store: Path) -> None:
    """A store whose repository was gated by a version that left its views open."""
    sync(FACES, OTHER, **RIGHT)
    (store / "hub/models--deepinsight--inswapper-128/.mirror/gated").touch()
    assert not sync(WITHOUT, OTHER, **RIGHT)["failures"]
    assert os.listdir(store / "views/faces") == ["config.json"] and not (store / "views/own").exists()


def test_two_files_of_one_name_stop_nobody_else(sync: Run, store: Path, hub: HubProcess, listed: Listed) -> None:
    """Here the second one comes when the view is there already."""
    both = {"repo_id": SWAPPER, "views": ["faces", "own"], "ignore_patterns": ["README.md", ".gitattributes"]}
    entries = [
        both,
        {"repo_id": TINY, "views": ["faces"], "allow_patterns": ["*.json"]},
        {"repo_id": "tiny-canonical", "views": ["third"]},
    ]
    assert not sync(*entries)["failures"]
    first = (store / "views/faces" / ONNX).read_bytes()
    hub.control("edit", {"repo_id": SWAPPER, "changes": {f"more/{ONNX}": "another", "new.txt": "new"}})
    hub.control("edit", {"repo_id": TINY, "changes": {"new.json": "new"}})
    hub.control("edit", {"repo_id": "tiny-canonical", "changes": {"new.json": "new"}})
    foreseen = sync(*entries, check=True)
    answer = sync(*entries)
    assert list(answer["failures"]) == list(foreseen["failures"]) == [f"{SWAPPER}@main"]
    assert f"has 2 files named {ONNX}: {ONNX}, more/{ONNX}" in answer["failures"][f"{SWAPPER}@main"]
    assert answer["msg"].startswith("1 of 3 entries failed: ")
    for view, files in {"faces": {"new.txt", "new.json"}, "own": {"new.txt"}, "third": {"new.json"}}.items():
        assert files <= {*os.listdir(store / "views" / view)}
    assert (store / "views/faces" / ONNX).read_bytes() == first, "nobody gets another model by surprise"
    assert os.readlink(store / "hub/models--deepinsight--inswapper-128/.mirror/rev/main") == listed(SWAPPER)["main"]
    assert not sync(*entries)["changed"]
    mended = [{"repo_id": SWAPPER, "views": ["faces", "own"], "files": [ONNX]}, *entries[1:]]
    assert not sync(*mended)["failures"]


def test_a_purge_is_not_held_up(sync: Run, store: Path, hub: HubProcess, listed: Listed) -> None:
    """By a name with two contents, nor by what is gated: neither is the purge's trouble."""
    entries = [{"repo_id": TINY, "views": ["flat"]}, {"repo_id": "tiny-canonical", "views": ["flat"]}]
    hub.control("edit", {"repo_id": TINY, "changes": {"more/own.txt": "bad"}})
    sync(FACES, *entries, **RIGHT)
    gate(hub)
    assert len(sync(FACES, *entries, **RIGHT)["failures"]) == 3
    etag = listed(TINY)["files"]["more/own.txt"]["etag"]
    gone = Purge(Store(store), "alice", "malware").content(etag)
    assert gone == [f"{TINY}@{listed(TINY)['main'][:12]} more/own.txt"] and not (store / "pool" / etag).exists()


def test_a_run_without_news_tells_the_peers_none(sync: Run, store: Path) -> None:
    swapper = {"repo_id": SWAPPER, "files": [ONNX], "views": ["v"]}
    tiny = {"repo_id": TINY, "files": ["config.json"], "views": ["v"]}
    sync(swapper)
    sync(swapper, tiny)
    before = {name: (store / name).read_bytes() for name in ("views.json", "catalogue.json", "catalogue-digest.json")}
    assert not sync(swapper, tiny)["changed"]
    assert {name: (store / name).read_bytes() for name in before} == before


@pytest.mark.parametrize("revision", [None, "v1"])
def test_what_is_removed_by_name_leaves_its_views(sync: Run, store: Path, revision: str | None) -> None:
    """A repository as a whole, or one of its refs; and not what others have there."""
    swapper = {"repo_id": SWAPPER, "files": [ONNX], "views": ["faces"]}
    gone = {"repo_id": TINY, **({"revision": revision} if revision else {})}
    stays = [{"repo_id": TINY, "revision": "refs/pr/1"}] if revision else []
    sync(swapper, {**gone, "files": ["config.json"], "views": ["faces", "own"]}, *stays)
    assert sorted(os.listdir(store / "views/faces")) == ["config.json", ONNX] and (store / "views/own").exists()
    foreseen = sync(gone, state="absent", check=True)
    done = sync(gone, state="absent")
    for answer in (foreseen, done):
        assert (answer["changed"], answer["views"], answer["failures"]) == (True, ["faces", "own"], {})
    assert "view own" in foreseen["diff"]["before"] and "view faces: 1 files" in foreseen["diff"]["after"]
    assert os.listdir(store / "views/faces") == [ONNX] and not (store / "views/own").is_symlink()
    assert (store / "hub" / f"models--{TINY.replace('/', '--')}").exists() == bool(revision)
    assert not sync(gone, state="absent")["changed"]
    assert not sync(swapper, *stays)["changed"]


def test_exact_takes_a_view_that_nobody_names_any_more(sync: Run, store: Path) -> None:
    """Also where one of its repositories stays, and another one goes in the same run."""
    swapper = {"repo_id": SWAPPER, "files": [ONNX]}
    sync({**swapper, "views": ["faces"]}, {"repo_id": TINY, "files": ["config.json"], "views": ["faces"]})
    sync(swapper, state="exact", max_delete="1")
    assert not os.listdir(store / "views")
