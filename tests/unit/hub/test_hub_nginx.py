# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx before the content origin. What is ordered for bodies is in test_hub_bodies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import nginx
from hub.process import HubProcess
from hub.wire import ask, fetch, get, head, locate

REPO = "deepinsight/inswapper-128"
LFS = "inswapper_128.onnx"
SIZE = 4_000_000


@pytest.fixture(scope="module")
def running(contents: Path) -> Iterator[HubProcess]:
    with HubProcess(contents, nginx=nginx.program()) as hub:
        yield hub


@pytest.fixture
def fronted(running: HubProcess) -> HubProcess:
    running.control("reset", {})
    return running


@pytest.mark.parametrize(
    ("method", "headers", "status", "size"),
    [
        ("GET", {}, 200, SIZE),
        ("HEAD", {}, 200, 0),
        ("GET", {"Range": "bytes=5-9"}, 206, 5),
        ("GET", {"Range": "bytes=-7"}, 206, 7),
        ("GET", {"Range": f"bytes={SIZE}-"}, 416, None),
    ],
)
@pytest.mark.parametrize("ordered", [False, True])
def test_same_answers_as_without(
    fronted: HubProcess, hub: HubProcess, method: str, headers: dict[str, str], status: int, size: int, ordered: bool
) -> None:
    if ordered:  # a fault that never fires makes the stand-in send the bytes itself
        fronted.control("cut", {"after": 2 * SIZE})
    alone = ask(method, *locate(hub.url, REPO, LFS), **headers)
    answer = ask(method, *locate(fronted.url, REPO, LFS), **headers)
    assert answer.status == alone.status == status
    if status != 416:
        assert (answer.body, answer.promised) == (alone.body, alone.promised)
    for name in ("ETag", "Content-Range", "Content-Type", "Last-Modified"):
        if status != 416 or name == "Content-Range":
            assert answer.headers.get_all(name) == alone.headers.get_all(name), name
    assert "X-Accel-Redirect" not in answer.headers
    (entry,) = [entry for entry in fronted.control("requests")["last"] if entry["origin"] == "content"]
    assert (entry["method"], entry["status"], entry["range"]) == (method, status, headers.get("Range"))
    if size is not None:
        assert entry["body_bytes"] == len(answer.body) == size


def test_if_range(fronted: HubProcess, hub: HubProcess) -> None:
    etag = fetch(hub.url, REPO, LFS).headers["ETag"]
    for base in (hub.url, fronted.url):
        assert fetch(base, REPO, LFS, Range="bytes=0-9", If_Range=etag).status == 206
        assert fetch(base, REPO, LFS, Range="bytes=0-9", If_Range=f'"{"0" * 64}"').status == 200


def test_nginx_sends_what_is_not_to_be_spoiled(fronted: HubProcess) -> None:
    def sent_by_nginx() -> bool:  # it leaves Accept-Ranges out of a 206, the stand-in does not
        return "Accept-Ranges" not in fetch(fronted.url, REPO, LFS, Range="bytes=0-9").headers

    assert sent_by_nginx()
    fronted.control("cut", {"repo_id": REPO, "path": LFS, "after": 5})
    assert not sent_by_nginx()
    assert sent_by_nginx(), "the only cut is done"
    fronted.control("cut", {"repo_id": "tiny-canonical", "after": 5})
    fronted.control("status", {"kind": "info", "status": 500})
    assert sent_by_nginx(), "these are not for its body"


def test_every_request_is_in_the_journal(fronted: HubProcess) -> None:
    url = locate(fronted.url, REPO, LFS)
    for _time in range(5):
        get(*url, Range="bytes=0-99", Authorization="Bearer x")
    journal = fronted.control("requests")
    assert journal["counts"] == {"resolve_head": 1, "content_get": 5}
    assert {(entry["authorization"], entry["body_bytes"]) for entry in journal["last"][1:]} == {(True, 100)}


def test_files_have_no_other_door(fronted: HubProcess, contents: Path) -> None:
    answer = fetch(fronted.url, REPO, LFS)
    blob = contents / "blobs" / hashlib.sha256(answer.body).hexdigest()
    assert blob.exists()
    for target in (nginx.internal_location(blob), "/", f"/{blob.name}"):
        assert get(fronted.content_url, target).status in (403, 404)


def test_new_contents(fronted: HubProcess) -> None:
    fronted.control("edit", {"repo_id": REPO, "changes": {LFS: "light", "empty.bin": ""}})
    assert fetch(fronted.url, REPO, LFS).body == b"light"
    assert fetch(fronted.url, REPO, "empty.bin").body == b""


def test_refusals_pass_through(fronted: HubProcess) -> None:
    fronted.control("status", {"kind": "content", "status": 503, "message": "tired", "headers": {"Retry-After": "1"}})
    refused = fetch(fronted.url, REPO, LFS)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    assert b"tired" in refused.body
    assert fetch(fronted.url, REPO, LFS).status == 200
    base, target = locate(fronted.url, REPO, LFS)
    assert get(base, target.partition("?")[0]).status == 403


def test_nginx_that_does_not_start_is_reported(contents: Path) -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        HubProcess(contents, nginx=Path("/bin/false"))


def test_nothing_is_left_behind(contents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with HubProcess(contents, nginx=nginx.program()) as hub:
        hub.control("edit", {"repo_id": REPO, "changes": {LFS: "light"}})
        assert head(*locate(hub.url, REPO, LFS)).status == 200
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConnectionRefusedError):
        get(hub.content_url, "/")
