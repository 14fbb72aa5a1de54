# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving refs, spoiling answers, and the journal."""

from __future__ import annotations

import hashlib
import http.client
import json
import urllib.error
from pathlib import Path

import pytest

from hub import wire
from hub.process import HubProcess
from hub.wire import Answer, get, head, split_url

REPO = "deepinsight/inswapper-128"
LFS = "inswapper_128.onnx"
PLAIN = "README.md"


def fetch(hub: HubProcess, path: str, **headers: str) -> Answer:
    return wire.fetch(hub.url, REPO, path, **headers)


def test_move(hub: HubProcess) -> None:
    (repo,) = [repo for repo in hub.control("repos") if repo["repo_id"] == REPO]
    commits = [commit["commit"] for commit in repo["commits"]]
    assert repo["main"] == commits[1]
    before = fetch(hub, LFS).body
    assert hub.control("move", {"repo_id": REPO, "commit": 2})["before"] == commits[1]
    assert head(hub.url, f"/{REPO}/resolve/main/{LFS}").headers["X-Repo-Commit"] == commits[2]
    after = fetch(hub, LFS).body
    assert len(after) == len(before)
    assert after != before
    hub.control("move", {"repo_id": REPO, "ref": "refs/tags/v2", "commit": commits[0]})
    assert head(hub.url, f"/{REPO}/resolve/v2/{PLAIN}").headers["X-Repo-Commit"] == commits[0]
    hub.control("reset", {})
    assert head(hub.url, f"/{REPO}/resolve/main/{LFS}").headers["X-Repo-Commit"] == commits[1]
    assert head(hub.url, f"/{REPO}/resolve/v2/{PLAIN}").status == 404


@pytest.mark.parametrize("path", [LFS, PLAIN])
def test_flip(hub: HubProcess, path: str) -> None:
    honest = fetch(hub, path)
    hub.control("flip", {"repo_id": REPO, "path": path})
    spoiled = fetch(hub, path)
    assert spoiled.headers["ETag"] == honest.headers["ETag"]
    assert len(spoiled.body) == len(honest.body)
    assert sum(a != b for a, b in zip(spoiled.body, honest.body, strict=True)) == 1
    middle = len(honest.body) // 2
    assert fetch(hub, path, Range=f"bytes={middle - 5}-{middle + 5}").body == spoiled.body[middle - 5 : middle + 6]
    assert fetch(hub, path, Range="bytes=0-4").body == honest.body[:5]
    hub.control("reset", {})
    assert fetch(hub, path).body == honest.body


@pytest.mark.parametrize(("path", "after"), [(LFS, 0), (LFS, 1_500_000), (PLAIN, 10)])
def test_cut(hub: HubProcess, path: str, after: int) -> None:
    honest = fetch(hub, path).body
    hub.control("cut", {"repo_id": REPO, "path": path, "after": after, "times": 2})
    for _round in range(2):
        short = fetch(hub, path)
        assert short.promised == len(honest)
        assert short.body == honest[:after]
    assert fetch(hub, path).body == honest


def test_cut_spares_a_resumed_rest_that_is_short_enough(hub: HubProcess) -> None:
    honest = fetch(hub, LFS).body
    hub.control("cut", {"repo_id": REPO, "path": LFS, "after": 3_000_000, "times": 9})
    start = fetch(hub, LFS).body
    rest = fetch(hub, LFS, Range=f"bytes={len(start)}-")
    assert rest.status == 206
    assert start + rest.body == honest


def test_what_is_listed_and_told_of_a_file(hub: HubProcess) -> None:
    location = f"/{REPO}/resolve/main/{LFS}"
    right = head(hub.url, location).headers
    hub.control("untold", {"repo_id": REPO, "path": LFS})
    hub.control("mislist", {"repo_id": REPO, "path": LFS, "times": 1})
    told = head(hub.url, location).headers
    assert {*right.keys()} - {*told.keys()} == {"x-linked-etag", "x-linked-size"}
    listed = [
        {one["path"]: one for one in json.loads(get(hub.url, f"/api/models/{REPO}/tree/main").body)}
        for _try in range(2)
    ]
    assert f'"{listed[1][LFS]["lfs"]["oid"]}"' == right["X-Linked-Etag"]
    assert [path for path, one in listed[0].items() if listed[1][path] != one] == [LFS]


def test_journal(hub: HubProcess) -> None:
    get(hub.url, f"/api/models/{REPO}")
    get(hub.url, f"/api/models/{REPO}/revision/main")
    get(hub.url, f"/api/models/{REPO}/tree/main")
    location = head(hub.url, f"/{REPO}/resolve/main/{LFS}", Authorization="Bearer x").headers["Location"]
    body = get(*split_url(location), Range="bytes=0-9").body
    journal = hub.control("requests")
    assert journal["counts"] == {"info": 1, "revision": 1, "tree": 1, "resolve_head": 1, "content_get": 1}
    by_hub, by_content = journal["last"][-2:]
    assert (by_hub["origin"], by_hub["method"], by_hub["authorization"], by_hub["status"]) == ("hub", "HEAD", True, 302)
    assert (by_content["origin"], by_content["authorization"], by_content["range"]) == ("content", False, "bytes=0-9")
    assert by_content["body_bytes"] == len(body) == 10


@pytest.mark.parametrize(
    ("page", "order"),
    [
        ("move", {"repo_id": "no/such", "commit": 0}),
        ("move", {"repo_id": REPO, "commit": 99}),
        ("move", {"commit": 0}),
        ("flip", {"repo_id": REPO, "path": "nope"}),
        ("cut", {"repo_id": REPO, "path": LFS, "after": "many"}),
    ],
)
def test_wrong_orders_are_refused(hub: HubProcess, page: str, order: dict[str, object]) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        hub.control(page, order)
    assert refused.value.code == 400
    refused.value.close()


def test_repos_tell_the_truth(hub: HubProcess, contents: Path) -> None:
    for repo in hub.control("repos"):
        for commit in repo["commits"]:
            for file in commit["files"].values():
                content = (contents / "blobs" / file["sha256"]).read_bytes()
                assert hashlib.sha256(content).hexdigest() == file["sha256"]
                assert len(content) == file["size"]


def test_stops_at_once_even_with_a_download_under_way(contents: Path) -> None:
    with HubProcess(contents) as hub:
        location = head(hub.url, f"/{REPO}/resolve/main/{LFS}").headers["Location"]
        base, target = split_url(location)
        connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=30)
        connection.request("GET", target)
        assert connection.getresponse().read(10)
        assert hub.stop() in (0, -15)
        connection.close()
