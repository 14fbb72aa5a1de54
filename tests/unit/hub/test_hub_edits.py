# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories that change while the stand-in runs: new commits, new and deleted ones, other names, a moving main."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from hub.objects import git_object_id
from hub.process import HubProcess
from hub.wire import ask, fetch, get, head, locate

REPO = "stand-in/tiny-model"
LFS = "model.safetensors"
PLAIN = "config.json"


def described(hub: HubProcess, repo_id: str) -> dict[str, Any]:
    return next(repo for repo in hub.control("repos") if repo["repo_id"] == repo_id)


def edit(hub: HubProcess, repo_id: str, **order: Any) -> str:
    commit: str = hub.control("edit", {"repo_id": repo_id, **order})["commit"]
    return commit


def siblings(hub: HubProcess, repo_id: str, revision: str = "main") -> set[str]:
    document = get(hub.url, f"/api/models/{repo_id}/revision/{revision}").json
    return {sibling["rfilename"] for sibling in document["siblings"]}


def listed(hub: HubProcess, repo_id: str) -> dict[str, Any]:
    entries = get(hub.url, f"/api/models/{repo_id}/tree/main?recursive=true").json
    return {entry["path"]: entry for entry in entries if entry["type"] == "file"}


def test_edit(hub: HubProcess) -> None:
    before = described(hub, REPO)
    names = siblings(hub, REPO)
    commit = edit(hub, REPO, changes={"new.txt": "ünï\n", LFS: "light", PLAIN: None}, title="Three changes")
    assert siblings(hub, REPO) == names - {PLAIN} | {"new.txt"}
    assert siblings(hub, REPO, before["main"]) == names, "the old commit is as it was"
    content = "ünï\n".encode()
    plain = fetch(hub.url, REPO, "new.txt")
    assert (plain.body, plain.headers["X-Repo-Commit"]) == (content, commit)
    assert listed(hub, REPO)["new.txt"]["oid"] == git_object_id("blob", content)
    assert listed(hub, REPO)[LFS]["lfs"]["oid"] == hashlib.sha256(b"light").hexdigest()
    assert fetch(hub.url, REPO, LFS).body == b"light"
    assert fetch(hub.url, REPO, LFS, revision=before["main"]).body != b"light"
    after = described(hub, REPO)
    assert after["main"] == commit == after["commits"][-1]["commit"]
    assert after["commits"][-1]["title"] == "Three changes"
    hub.control("reset", {})
    assert described(hub, REPO) == before


def test_edits_follow_each_other(hub: HubProcess) -> None:
    commits = [edit(hub, REPO, changes={"n.txt": str(number)}) for number in range(20)]
    assert len(set(commits)) == 20
    assert [fetch(hub.url, REPO, "n.txt", revision=commit).body for commit in commits[::9]] == [b"0", b"9", b"18"]


def test_edit_of_another_ref(hub: HubProcess) -> None:
    main = described(hub, REPO)["main"]
    commit = edit(hub, REPO, ref="refs/pr/7", changes={"n.txt": "1"})
    refs = described(hub, REPO)["refs"]
    assert (refs["refs/pr/7"], refs["refs/heads/main"]) == (commit, main)
    assert "n.txt" in siblings(hub, REPO, "refs%2Fpr%2F7")


@pytest.mark.parametrize(("changes", "left"), [({}, set()), ({".gitattributes": ""}, {".gitattributes"})])
def test_emptied(hub: HubProcess, changes: dict[str, str], left: set[str]) -> None:
    edit(hub, REPO, drop_all=True, changes=changes)
    assert siblings(hub, REPO) == left == listed(hub, REPO).keys()
    assert head(hub.url, f"/{REPO}/resolve/main/{LFS}").headers["X-Error-Code"] == "EntryNotFound"


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "/etc/x",
        "//x",
        "a//b",
        "./a",
        "a\nb",
        "a\\b",
        ".mirror.flat.json",
        "a/.mirror.recursive.json/b",
        "-rf",
        "x" * 300,
        "con\u202etxt",
    ],
)
def test_hostile_names_are_listed(hub: HubProcess, path: str) -> None:
    edit(hub, REPO, changes={path: "content"})
    assert path in siblings(hub, REPO)
    assert listed(hub, REPO)[path]["size"] == 7
    assert fetch(hub.url, REPO, path).body == b"content"


def test_create(hub: HubProcess) -> None:
    commit = edit(hub, "new/repo", create=True, changes={"a.bin": "lfs", "b/c.txt": "plain"})
    assert get(hub.url, "/api/models/new/repo").json["sha"] == commit
    assert listed(hub, "new/repo").keys() == {"a.bin", "b/c.txt"}
    assert (fetch(hub.url, "new/repo", "a.bin").body, fetch(hub.url, "new/repo", "b/c.txt").body) == (b"lfs", b"plain")
    assert edit(hub, "data/set", create=True, repo_type="dataset", changes={"a": "b"})
    assert get(hub.url, "/api/datasets/data/set").status == 200
    hub.control("reset", {})
    assert get(hub.url, "/api/models/new/repo").status == 404


def test_many_at_once(hub: HubProcess) -> None:
    edits = [
        {"repo_id": f"many/{number}", "create": True, "changes": {f"{file}.txt": f"{number} {file}" for file in "abc"}}
        for number in range(200)
    ]
    commits = hub.control("edit", {"edits": edits})["commits"]
    assert len(commits) == len(set(commits)) == 200
    assert fetch(hub.url, "many/123", "b.txt").body == b"123 b"


def test_rename(hub: HubProcess) -> None:
    cached = locate(hub.url, REPO, PLAIN)[1].partition("?")[0]
    hub.control("rename", {"repo_id": REPO, "to": "other"})
    for target in (
        f"/api/models/{REPO}",
        f"/api/models/{REPO}?blobs=true",
        f"/api/models/{REPO}/revision/refs%2Fpr%2F1",
        f"/api/models/{REPO}/tree/main/tokenizer?recursive=true&expand=false",
        f"/api/models/{REPO}/refs",
        f"/{REPO}/resolve/main/{PLAIN}",
        f"/{REPO}/resolve/main/{LFS}",
        f"/{REPO}/resolve/main/resolve%2Fno%2Bsuch%20file",
        cached,
    ):
        moved = get(hub.url, target)
        assert (moved.status, moved.path) == (307, target.replace(REPO, "other"))
        assert (get(hub.url, moved.path).status < 400) is ("no%2Bsuch" not in target)
    assert get(hub.url, "/api/models/other").json["id"] == "other"
    assert fetch(hub.url, "other", PLAIN).status == 200
    assert {repo["repo_id"] for repo in hub.control("repos")} >= {"other"}
    hub.control("reset", {})
    assert get(hub.url, f"/api/models/{REPO}").status == 200


def test_rename_of_a_dataset(hub: HubProcess) -> None:
    hub.control("rename", {"repo_id": "stand-in/tiny-dataset", "repo_type": "dataset", "to": "new-org/data"})
    moved = get(hub.url, "/datasets/stand-in/tiny-dataset/resolve/main/data/train.csv")
    assert (moved.status, moved.path) == (307, "/datasets/new-org/data/resolve/main/data/train.csv")
    assert get(hub.url, moved.path).path.startswith("/api/resolve-cache/datasets/new-org/data/")


def test_an_old_name_can_be_taken_again(hub: HubProcess) -> None:
    hub.control("rename", {"repo_id": REPO, "to": "new/name"})
    hub.control("rename", {"repo_id": "new/name", "to": "newer/name"})
    assert get(hub.url, "/api/models/new/name").path == "/api/models/newer/name"
    edit(hub, REPO, create=True, changes={"squatter": ""})
    assert siblings(hub, REPO) == {"squatter"}


def test_delete(hub: HubProcess) -> None:
    hub.control("delete_repo", {"repo_id": REPO})
    for target in (f"/api/models/{REPO}", f"/{REPO}/resolve/main/{PLAIN}"):
        answer = get(hub.url, target)
        assert (answer.status, answer.headers["X-Error-Code"]) == (404, "RepoNotFound")
    hub.control("reset", {})
    assert get(hub.url, f"/api/models/{REPO}").status == 200


@pytest.mark.parametrize("requests", [0, 1, 4])
def test_move_after(hub: HubProcess, requests: int) -> None:
    commits = [commit["commit"] for commit in described(hub, REPO)["commits"]]
    content = locate(hub.url, REPO, LFS)
    hub.control("move_after", {"repo_id": REPO, "commit": 2, "requests": requests})
    seen = []
    for number in range(requests):
        assert described(hub, REPO)["main"] == commits[1]
        if number % 2:
            get(*content)
        else:
            seen.append(head(hub.url, f"/{REPO}/resolve/main/{PLAIN}").headers["X-Repo-Commit"])
    assert set(seen) <= {commits[1]}
    for _time in range(2):
        assert get(hub.url, f"/api/models/{REPO}").json["sha"] == commits[2]


@pytest.mark.parametrize(
    ("page", "order"),
    [
        ("edit", {"repo_id": "no/such", "changes": {"a": "b"}}),
        ("edit", {"repo_id": REPO, "create": True, "changes": {"a": "b"}}),
        ("edit", {"repo_id": REPO, "changes": {"no/such": None}}),
        ("rename", {"repo_id": REPO, "to": "tiny-canonical"}),
        ("delete_repo", {"repo_id": "no/such"}),
        ("move_after", {"repo_id": REPO, "commit": 99, "requests": 1}),
        ("move_after", {"repo_id": REPO, "commit": 0}),
    ],
)
def test_wrong_orders_change_nothing(hub: HubProcess, page: str, order: dict[str, object]) -> None:
    before = hub.control("repos")
    assert ask("POST", hub.url, f"/_hub/{page}", json.dumps(order)).status == 400
    assert hub.control("repos") == before
