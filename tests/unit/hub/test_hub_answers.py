# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers on the wire, against what the Hub is known to send."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from hub.process import HubProcess
from hub.recipes import ODD_NAMES
from hub.wire import Answer, ask, get, head, split_url

MODEL = "stand-in/tiny-model"
LFS = "model.safetensors"
PLAIN = "config.json"


@pytest.fixture
def repos(hub: HubProcess) -> dict[str, Any]:
    return {repo["repo_id"]: repo for repo in hub.control("repos")}


def files_of_main(repo: dict[str, Any]) -> dict[str, Any]:
    return next(commit["files"] for commit in repo["commits"] if commit["commit"] == repo["main"])


def lfs_content(hub: HubProcess, repo_id: str = MODEL, path: str = LFS, **headers: str) -> Answer:
    base, target = split_url(head(hub.url, f"/{repo_id}/resolve/main/{path}").headers["Location"])
    assert base == hub.content_url
    return get(base, target, **headers)


def test_plain_file_redirects_relatively_to_its_commit(hub: HubProcess, repos: dict[str, Any]) -> None:
    for ask_for in (head, get):
        answer = ask_for(hub.url, f"/{MODEL}/resolve/main/{PLAIN}")
        assert answer.status == 307
        assert answer.headers["X-Repo-Commit"] == repos[MODEL]["main"]
        assert answer.path.startswith(f"/api/resolve-cache/models/{MODEL}/{repos[MODEL]['main']}/{PLAIN}")
    expected = files_of_main(repos[MODEL])[PLAIN]
    answer = get(hub.url, answer.path)
    assert answer.status == 200
    assert answer.headers["ETag"] == f'"{expected["oid"]}"'
    assert answer.headers["X-Repo-Commit"] == repos[MODEL]["main"]
    assert answer.promised == expected["size"] == len(answer.body)
    assert hashlib.sha1(b"blob %d\0" % len(answer.body) + answer.body).hexdigest() == expected["oid"]


def test_lfs_file_redirects_to_the_content_origin(hub: HubProcess, repos: dict[str, Any]) -> None:
    expected = files_of_main(repos[MODEL])[LFS]
    for ask_for in (head, get):
        answer = ask_for(hub.url, f"/{MODEL}/resolve/main/{LFS}")
        assert answer.status == 302
        assert answer.headers["X-Linked-Etag"] == f'"{expected["sha256"]}"'
        assert answer.headers["X-Linked-Size"] == str(expected["size"])
        assert answer.headers["X-Repo-Commit"] == repos[MODEL]["main"]
        assert answer.headers["Location"].startswith(hub.content_url)
        assert answer.promised != expected["size"], "Content-Length is the redirect's own"
        assert not [name for name in answer.headers if "xet" in name.lower()]
    content = lfs_content(hub)
    assert hashlib.sha256(content.body).hexdigest() == expected["sha256"] == expected["etag"]
    assert re.fullmatch(r'"[0-9a-f]{64}"', content.headers["ETag"])
    assert expected["sha256"] not in content.headers["ETag"]
    assert "X-Repo-Commit" not in content.headers


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        ("bytes=0-0", 206, 0, 0),
        ("bytes=100-199", 206, 100, 199),
        ("bytes=40000-", 206, 40000, None),
        ("bytes=-10", 206, -10, None),
        ("bytes=999999-", 416, 0, 0),
    ],
)
def test_content_ranges(hub: HubProcess, asked: str, status: int, first: int, last: int | None) -> None:
    whole = lfs_content(hub).body
    answer = lfs_content(hub, Range=asked)
    assert answer.status == status
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{len(whole)}"
        return
    first = first % len(whole)
    last = len(whole) - 1 if last is None else last
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"
    assert answer.body == whole[first : last + 1]


@pytest.mark.parametrize("name", [*ODD_NAMES, "empty.txt"])
def test_odd_names(hub: HubProcess, repos: dict[str, Any], name: str) -> None:
    repo_id = "stand-in/many-small-files"
    answer = get(hub.url, head(hub.url, f"/{repo_id}/resolve/main/{quote(name)}").path)
    assert answer.status == 200
    assert hashlib.sha256(answer.body).hexdigest() == files_of_main(repos[repo_id])[name]["sha256"]


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("GET", "/api/models/no/such", "RepoNotFound"),
        ("GET", f"/api/datasets/{MODEL}", "RepoNotFound"),
        ("HEAD", "/no/such/resolve/main/x", "RepoNotFound"),
        ("GET", f"/api/models/{MODEL}/revision/nope", "RevisionNotFound"),
        ("GET", f"/api/models/{MODEL}/tree/{'0' * 40}", "RevisionNotFound"),
        ("HEAD", f"/{MODEL}/resolve/nope/{PLAIN}", "RevisionNotFound"),
        ("GET", f"/{MODEL}/resolve/main/nope.txt", "EntryNotFound"),
        ("HEAD", f"/{MODEL}/resolve/main/tokenizer", "EntryNotFound"),
        ("GET", f"/api/models/{MODEL}/tree/main/nope", "EntryNotFound"),
        ("GET", "/api/agent-harnesses", None),
    ],
)
def test_not_found(hub: HubProcess, method: str, target: str, code: str | None) -> None:
    answer = ask(method, hub.url, target)
    assert (answer.status, answer.headers["X-Error-Code"]) == (404, code)


def test_info(hub: HubProcess, repos: dict[str, Any]) -> None:
    document = get(hub.url, f"/api/models/{MODEL}").json
    assert document["id"] == document["modelId"] == MODEL
    assert document["sha"] == repos[MODEL]["main"]
    assert (document["private"], document["gated"], document["disabled"]) == (False, False, False)
    assert document["lastModified"] == "2026-01-02T00:00:00.000Z"
    assert {"rfilename": PLAIN} in document["siblings"]
    assert len(document["siblings"]) == len(files_of_main(repos[MODEL]))
    assert get(hub.url, f"/api/models/{MODEL}?expand=sha").json.keys() == {"_id", "id", "sha"}


def test_info_with_blobs(hub: HubProcess, repos: dict[str, Any]) -> None:
    expected = files_of_main(repos[MODEL])
    document = get(hub.url, f"/api/models/{MODEL}/revision/main?blobs=True").json
    siblings = {sibling["rfilename"]: sibling for sibling in document["siblings"]}
    assert siblings[PLAIN]["blobId"] == expected[PLAIN]["oid"]
    assert siblings[LFS]["lfs"] == {
        "sha256": expected[LFS]["sha256"],
        "size": expected[LFS]["size"],
        "pointerSize": 130,
    }


@pytest.mark.parametrize("revision", ["v1", "feature%2Fnext", "refs%2Fpr%2F1", "refs/pr/1", "commit 0"])
def test_revisions(hub: HubProcess, repos: dict[str, Any], revision: str) -> None:
    repo = repos[MODEL]
    expected = repo["commits"][0 if revision in ("v1", "commit 0") else 2]["commit"]
    revision = revision.replace("commit 0", repo["commits"][0]["commit"])
    assert get(hub.url, f"/api/models/{MODEL}/revision/{revision}").json["sha"] == expected
    assert head(hub.url, f"/{MODEL}/resolve/{revision}/{PLAIN}").headers["X-Repo-Commit"] == expected


def test_tree(hub: HubProcess, repos: dict[str, Any]) -> None:
    expected = files_of_main(repos[MODEL])
    flat = {entry["path"]: entry for entry in get(hub.url, f"/api/models/{MODEL}/tree/main").json}
    assert flat["tokenizer"]["type"] == "directory"
    assert "tokenizer/vocab.txt" not in flat
    deep = {entry["path"]: entry for entry in get(hub.url, f"/api/models/{MODEL}/tree/main?recursive=True").json}
    assert deep.keys() == expected.keys() | {"tokenizer"}
    assert deep[LFS]["oid"] == expected[LFS]["oid"] != deep[LFS]["lfs"]["oid"] == expected[LFS]["sha256"]
    assert deep[LFS]["size"] == deep[LFS]["lfs"]["size"] == expected[LFS]["size"]
    assert "lfs" not in deep[PLAIN]
    assert "xetHash" not in json.dumps(deep)
    (one,) = get(hub.url, f"/api/models/{MODEL}/tree/main/tokenizer?expand=true").json
    assert one["path"] == "tokenizer/vocab.txt"
    assert one["lastCommit"]["id"] == repos[MODEL]["main"]


def test_tree_comes_in_pages(hub: HubProcess, repos: dict[str, Any]) -> None:
    repo_id = "stand-in/many-small-files"
    url, paths = f"{hub.url}/api/models/{repo_id}/tree/main?recursive=true&expand=false", []
    pages = 0
    while url:
        answer = get(*split_url(url))
        pages += 1
        paths += [entry["path"] for entry in answer.json if entry["type"] == "file"]
        link = answer.headers.get("Link", "")
        url = link.partition(">")[0].lstrip("<") if link.endswith('rel="next"') else ""
    assert pages > 1
    assert sorted(paths) == sorted(files_of_main(repos[repo_id]))
    assert len(paths) == 200


def test_paths_info(hub: HubProcess) -> None:
    target = f"/api/models/{MODEL}/paths-info/main"
    form = urlencode({"paths": [PLAIN, "tokenizer", "nope"], "expand": "False"}, doseq=True)
    answer = ask("POST", hub.url, target, form, Content_Type="application/x-www-form-urlencoded")
    assert [(entry["path"], entry["type"]) for entry in answer.json] == [(PLAIN, "file"), ("tokenizer", "directory")]
    answer = ask("POST", hub.url, target, json.dumps({"paths": [LFS]}), Content_Type="application/json")
    assert answer.json[0]["lfs"]["oid"]
    assert get(hub.url, target).status == 405


def test_refs(hub: HubProcess, repos: dict[str, Any]) -> None:
    document = get(hub.url, f"/api/models/{MODEL}/refs").json
    main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repos[MODEL]["main"]}
    assert main in document["branches"]
    assert [tag["name"] for tag in document["tags"]] == ["v1"]
    assert document["converts"] == []
    assert "pullRequests" not in document
    assert get(hub.url, f"/api/models/{MODEL}/refs?include_prs=1").json["pullRequests"][0]["ref"] == "refs/pr/1"


@pytest.mark.parametrize(
    ("target", "bucket"), [(f"/api/models/{MODEL}", "api"), (f"/{MODEL}/resolve/main/{PLAIN}", "resolvers")]
)
def test_rate_limits_are_shown(hub: HubProcess, target: str, bucket: str) -> None:
    answer = get(hub.url, target)
    assert re.fullmatch(rf'"{bucket}";r=\d+;t=\d+', answer.headers["RateLimit"])
    assert re.fullmatch(rf'"fixed window";"{bucket}";q=\d+;w=300', answer.headers["RateLimit-Policy"])


def test_datasets_and_spaces_have_a_prefix(hub: HubProcess, repos: dict[str, Any]) -> None:
    for plural, repo_id, path in (
        ("datasets", "stand-in/tiny-dataset", "data/train.csv"),
        ("spaces", "stand-in/tiny-space", "index.html"),
    ):
        assert get(hub.url, f"/api/{plural}/{repo_id}").json["id"] == repo_id
        answer = head(hub.url, f"/{plural}/{repo_id}/resolve/main/{path}")
        assert answer.path.startswith(f"/api/resolve-cache/{plural}/{repo_id}/{repos[repo_id]['main']}/")
        assert get(hub.url, answer.path).status == 200
        assert head(hub.url, f"/{repo_id}/resolve/main/{path}").status == 404


def test_root_answers(hub: HubProcess) -> None:
    assert head(hub.url, "/").status == 200
