# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role's nginx configuration answers on the wire."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from unit.roles.nginx_server import Answer, Mirror, Store, commit_of, etag_of, render, serving

ONE, TWO, ODD, PLAIN, PR = (commit_of(name) for name in ("one", "two", "odd", "plain", "pr"))
NOWHERE = commit_of("nowhere")
CONFIG = b'{"a": 1}\n'
WEIGHTS = bytes(range(256)) * 400
ODD_NAMES = [
    "with space.txt",
    "plus+sign.txt",
    "100%.txt",
    "50%25.txt",
    "hash#tag.txt",
    "what?.txt",
    "a&b=c;d.txt",
    "naïve-模型.txt",
    "quote'\"$hub_sha.txt",
    "resolve/main/inner.txt",
    "a/resolve/" + ONE + "/inner.txt",
    ".gitattributes",
    "index.html",
    "deep/er/index.html",
    "back\\slash.txt",
]
MISSING = {
    "EntryNotFound": "This mirror does not have this entry",
    "RevisionNotFound": "This mirror does not have this revision",
    "RepoNotFound": "This mirror does not have this repository",
}


def fill(store: Store) -> None:
    store.commit("org/name", ONE, {"config.json": CONFIG, "onnx/deep/weights.bin": WEIGHTS, "empty": b""})
    store.commit("org/name", TWO, {"config.json": CONFIG.replace(b"1", b"2")})
    store.commit("org/name", PR, {"config.json": b"from the pull request\n"})
    store.ref("org/name", "refs/pr/1", PR)
    store.ref("org/name", "refs/convert/parquet", PR)
    store.ref("org/name", "v1.0", ONE)
    store.ref("org/name", "main", ONE)
    store.commit("gpt2", PLAIN, {"config.json": CONFIG})
    store.ref("gpt2", "main", PLAIN)
    store.commit("models/name", PLAIN, {"config.json": CONFIG})
    store.ref("models/name", "main", PLAIN)
    store.commit("org/odd", ODD, {name: f"content of {name}\n".encode() for name in ODD_NAMES})
    store.ref("org/odd", "main", ODD)
    for kind in ("datasets", "spaces"):
        store.commit("org/name", TWO, {"data.csv": kind.encode()}, kind)
        store.ref("org/name", "main", TWO, kind)
    store.commit("canonical", TWO, {"data.csv": b"1\n"}, "datasets")
    store.ref("canonical", "main", TWO, "datasets")
    # A ref whose commit is gone, which a careful writer never leaves behind.
    (store.folder("org/name") / ".mirror" / "rev" / "dangling").symlink_to(NOWHERE)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """One mirror for the tests that only read."""
    folder = tmp_path_factory.mktemp("mirror")
    store = Store(folder / "store")
    fill(store)
    store.view("facefusion", {"inswapper.onnx": WEIGHTS, "with space.txt": b"text\n"})
    with serving(store, folder / "nginx") as running:
        yield running
    assert [line for line in running.errors() if "[notice]" not in line] == [], "nginx had something to complain about"


@pytest.fixture
def own_mirror(tmp_path: Path) -> Iterator[Mirror]:
    """A mirror of its own for a test that changes the store."""
    store = Store(tmp_path / "store")
    fill(store)
    with serving(store, tmp_path / "nginx") as running:
        yield running


def check_file(answer: Answer, commit: str, content: bytes, *, head: bool = False) -> None:
    etag = f'"{etag_of(content)}"'
    assert answer.status == 200
    assert answer.body == (b"" if head else content)
    assert answer.header("X-Repo-Commit") == commit
    assert answer.header("ETag") == answer.header("X-Linked-ETag") == etag
    assert answer.header("Content-Length") == answer.header("X-Linked-Size") == str(len(content))
    assert answer.header("Content-Type") == "application/octet-stream"
    assert answer.header("Content-Encoding") is None
    assert not [name for name in answer.headers if "xet" in name.lower()]


# ---- Files


@pytest.mark.parametrize("verb", ["resolve", "raw"])
@pytest.mark.parametrize(
    ("repo", "ref", "path", "commit", "content"),
    [
        ("org/name", "main", "config.json", ONE, CONFIG),
        ("org/name", "main", "onnx/deep/weights.bin", ONE, WEIGHTS),
        ("org/name", "main", "onnx%2Fdeep%2Fweights.bin", ONE, WEIGHTS),
        ("org/name", "main", "empty", ONE, b""),
        ("org/name", "main", "config.json?download=true", ONE, CONFIG),
        ("org/name", "v1.0", "config.json", ONE, CONFIG),
        ("org/name", "refs/pr/1", "config.json", PR, b"from the pull request\n"),
        ("org/name", "refs%2Fpr%2F1", "config.json", PR, b"from the pull request\n"),
        ("org/name", "refs%2fconvert%2fparquet", "config.json", PR, b"from the pull request\n"),
        ("gpt2", "main", "config.json", PLAIN, CONFIG),
        ("models/name", "main", "config.json", PLAIN, CONFIG),
        ("datasets/org/name", "main", "data.csv", TWO, b"datasets"),
        ("spaces/org/name", "main", "data.csv", TWO, b"spaces"),
        ("datasets/canonical", "main", "data.csv", TWO, b"1\n"),
    ],
)
def test_a_file(mirror: Mirror, verb: str, repo: str, ref: str, path: str, commit: str, content: bytes) -> None:
    check_file(mirror.ask(f"/{repo}/{verb}/{ref}/{path}"), commit, content)
    pinned = f"/{repo}/{verb}/{commit}/{path}"
    check_file(mirror.ask(pinned), commit, content)
    check_file(mirror.ask(pinned, "HEAD"), commit, content, head=True)

    redirect = mirror.ask(f"/{repo}/{verb}/{ref}/{path}", "HEAD")
    assert (redirect.status, redirect.header("Location")) == (307, pinned.partition("?")[0])
    assert redirect.header("X-Repo-Commit") == commit


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("safe", ["/", ""])
def test_an_odd_name(mirror: Mirror, name: str, safe: str) -> None:
    content = f"content of {name}\n".encode()
    asked = quote(name, safe=safe)
    redirect = mirror.ask(f"/org/odd/resolve/main/{asked}", "HEAD")
    assert (redirect.status, redirect.header("Location")) == (307, f"/org/odd/resolve/{ODD}/{asked}")
    check_file(mirror.ask(str(redirect.header("Location")), "HEAD"), ODD, content, head=True)
    check_file(mirror.ask(str(redirect.header("Location"))), ODD, content)
    check_file(mirror.ask(f"/org/odd/resolve/main/{asked}"), ODD, content)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (f"/org/name/resolve/{ONE}/absent.bin", "EntryNotFound"),
        (f"/org/name/resolve/{ONE}/config.json/below-a-file", "EntryNotFound"),
        (f"/org/name/resolve/{ONE}/onnx", "EntryNotFound"),
        (f"/org/name/resolve/{ONE}/onnx/", "EntryNotFound"),
        (f"/org/odd/resolve/{ODD}/deep/er/", "EntryNotFound"),
        (f"/org/name/resolve/{NOWHERE}/config.json", "RevisionNotFound"),
        (f"/org/nothing/resolve/{ONE}/config.json", "RepoNotFound"),
        (f"/datasets/org/nothing/resolve/{ONE}/config.json", "RepoNotFound"),
        ("/org/name/resolve/main/absent.bin", "EntryNotFound"),
        ("/org/name/resolve/main/onnx", "EntryNotFound"),
        ("/org/name/resolve/main/onnx/deep/", "EntryNotFound"),
        ("/org/name/raw/main/absent.bin", "EntryNotFound"),
        ("/org/name/resolve/nothing/config.json", "RevisionNotFound"),
        ("/org/name/resolve/dangling/config.json", "RevisionNotFound"),
        ("/org/name/resolve/refs/pr/2/config.json", "RevisionNotFound"),
        ("/org/name/resolve/refs/config.json", "RevisionNotFound"),
        ("/org/name/resolve/feature%2Fx/config.json", "RevisionNotFound"),
        ("/org/nothing/resolve/main/config.json", "RepoNotFound"),
        ("/nothing/resolve/main/config.json", "RepoNotFound"),
    ],
)
def test_a_missing_file(mirror: Mirror, path: str, error: str) -> None:
    head = mirror.ask(path, "HEAD")
    if head.status == 307:  # a ref: the commit knows
        head = mirror.ask(str(head.header("Location")), "HEAD")
    for answer in (mirror.ask(path), head):
        assert (answer.status, answer.body, answer.header("Content-Length")) == (404, b"", "0")
        assert answer.header("X-Error-Code") == error
        assert answer.header("X-Error-Message") == MISSING[error]
        for name in ("X-Repo-Commit", "ETag", "X-Linked-ETag", "X-Linked-Size", "Last-Modified"):
            assert answer.header(name) is None


@pytest.mark.parametrize("ref", [ONE, "main"])
def test_a_part_of_a_file(mirror: Mirror, ref: str) -> None:
    path = f"/org/name/resolve/{ref}/onnx/deep/weights.bin"
    size = len(WEIGHTS)

    first = mirror.ask(path, Range="bytes=0-0")
    assert (first.status, first.body, first.header("Content-Range")) == (206, WEIGHTS[:1], f"bytes 0-0/{size}")
    assert first.header("X-Linked-Size") == str(size)
    assert first.header("ETag") == f'"{etag_of(WEIGHTS)}"'
    assert first.header("X-Repo-Commit") == ONE

    rest = mirror.ask(path, Range="bytes=1000-")
    assert (rest.status, rest.body) == (206, WEIGHTS[1000:])

    beyond = mirror.ask(path, Range=f"bytes={size}-")
    assert (beyond.status, beyond.header("Content-Range")) == (416, f"bytes */{size}")

    assert mirror.ask(path, Range="bytes=0-1,5-6").body == WEIGHTS, "several ranges at once: the whole file"


def test_validators(mirror: Mirror) -> None:
    pinned, by_ref = (f"/org/name/resolve/{ref}/onnx/deep/weights.bin" for ref in (ONE, "main"))
    date = str(mirror.ask(pinned).header("Last-Modified"))
    assert date == "Sun, 09 Sep 2001 01:46:40 GMT", "the mtime of the blob, the same on every mirror"
    etag = f'"{etag_of(WEIGHTS)}"'

    for path in (pinned, by_ref):
        assert mirror.ask(path, Range="bytes=5-", If_Range=etag).status == 206
        assert mirror.ask(path, Range="bytes=5-", If_Range='"another"').body == WEIGHTS
        assert mirror.ask(path, If_Modified_Since=date).body == WEIGHTS, "all files have this date: it says nothing"
    assert mirror.ask(pinned, Range="bytes=5-", If_Range=date).status == 206
    assert mirror.ask(by_ref).header("Last-Modified") is None
    assert mirror.ask(by_ref, Range="bytes=5-", If_Range=date).body == WEIGHTS


def test_a_ref_that_moves(own_mirror: Mirror) -> None:
    other = CONFIG.replace(b"1", b"2")
    path = "/org/name/resolve/main/config.json"
    check_file(own_mirror.ask(path), ONE, CONFIG)

    own_mirror.store.ref("org/name", "main", TWO)

    check_file(own_mirror.ask(path), TWO, other)
    assert own_mirror.ask(path, "HEAD").header("Location") == f"/org/name/resolve/{TWO}/config.json"
    assert own_mirror.ask("/api/models/org/name").json["sha"] == TWO
    assert own_mirror.ask("/api/models/org/name/tree/main").header("X-Repo-Commit") == TWO
    check_file(own_mirror.ask(f"/org/name/resolve/{ONE}/config.json"), ONE, CONFIG)


def test_a_new_repository_needs_no_reload(own_mirror: Mirror) -> None:
    path = "/org/later/resolve/main/config.json"
    assert own_mirror.ask(path).header("X-Error-Code") == "RepoNotFound"
    own_mirror.store.commit("org/later", TWO, {"config.json": CONFIG})
    assert own_mirror.ask(path).header("X-Error-Code") == "RevisionNotFound"
    own_mirror.store.ref("org/later", "main", TWO)
    check_file(own_mirror.ask(path), TWO, CONFIG)


@pytest.mark.parametrize("path", ["/org/name/%72esolve/main/config.json", "/org/./x/../name/resolve/main/config.json"])
def test_a_path_that_no_client_writes(mirror: Mirror, path: str) -> None:
    check_file(mirror.ask(path), ONE, CONFIG)
    head = mirror.ask(path, "HEAD")
    assert (head.status, head.header("Location"), head.header("Content-Length")) == (404, None, "0")


# ---- API


@pytest.mark.parametrize(
    ("path", "commit"),
    [
        ("/api/models/org/name", ONE),
        ("/api/models/org/name/revision/main", ONE),
        ("/api/models/org/name/revision/v1.0", ONE),
        (f"/api/models/org/name/revision/{TWO}", TWO),
        ("/api/models/org/name/revision/refs%2Fpr%2F1", PR),
        ("/api/models/org/name/revision/refs/convert/parquet", PR),
        ("/api/models/gpt2", PLAIN),
        ("/api/models/gpt2/revision/main", PLAIN),
        ("/api/models/models/name", PLAIN),
        ("/api/datasets/org/name", TWO),
        ("/api/datasets/canonical/revision/main", TWO),
        ("/api/spaces/org/name/revision/main", TWO),
    ],
)
def test_info(mirror: Mirror, path: str, commit: str) -> None:
    answer = mirror.ask(path)
    assert (answer.status, answer.header("X-Repo-Commit"), answer.json["sha"]) == (200, commit, commit)
    assert "size" not in answer.json["siblings"][0]
    for question in ("blobs=true", "blobs=True", "expand=sha&blobs=1"):
        assert "size" in mirror.ask(f"{path}?{question}").json["siblings"][0]
    assert "size" not in mirror.ask(f"{path}?blobs=false").json["siblings"][0]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/models/org/name/tree/main", {"config.json", "onnx", "empty"}),
        ("/api/models/org/name/tree/main/", {"config.json", "onnx", "empty"}),
        ("/api/models/org/name/tree/main?recursive=false&expand=false", {"config.json", "onnx", "empty"}),
        (
            f"/api/models/org/name/tree/{ONE}?recursive=true&expand=false",
            {"config.json", "empty", "onnx", "onnx/deep", "onnx/deep/weights.bin"},
        ),
        (
            "/api/models/org/name/tree/main?recursive=True",
            {"config.json", "empty", "onnx", "onnx/deep", "onnx/deep/weights.bin"},
        ),
        ("/api/models/org/name/tree/main/onnx", {"onnx/deep"}),
        ("/api/models/org/name/tree/main/onnx/deep", {"onnx/deep/weights.bin"}),
        ("/api/models/org/name/tree/main/onnx%2Fdeep?recursive=true", {"onnx/deep/weights.bin"}),
        ("/api/models/org/name/tree/refs%2Fpr%2F1", {"config.json"}),
        ("/api/models/org/odd/tree/main/resolve%2Fmain", {"resolve/main/inner.txt"}),
        ("/api/models/gpt2/tree/main", {"config.json"}),
        ("/api/datasets/canonical/tree/main", {"data.csv"}),
    ],
)
def test_tree(mirror: Mirror, path: str, expected: set[str]) -> None:
    answer = mirror.ask(path)
    assert answer.status == 200
    assert {entry["path"] for entry in answer.json} == expected
    assert answer.header("X-Repo-Commit")
    assert answer.header("Last-Modified") is None


@pytest.mark.parametrize(
    ("path", "commit"),
    [("/api/models/org/name/refs", ONE), ("/api/models/gpt2/refs", PLAIN), ("/api/datasets/canonical/refs", TWO)],
)
def test_refs(mirror: Mirror, path: str, commit: str) -> None:
    assert mirror.ask(path).json["branches"] == [{"name": "main", "ref": "refs/heads/main", "targetCommit": commit}]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/api/models/org/nothing", "RepoNotFound"),
        ("/api/datasets/gpt2", "RepoNotFound"),
        ("/api/models/org/nothing/revision/main", "RepoNotFound"),
        ("/api/models/org/nothing/tree/main", "RepoNotFound"),
        ("/api/models/org/nothing/refs", "RepoNotFound"),
        ("/api/models/org/name/revision/nothing", "RevisionNotFound"),
        (f"/api/models/org/name/revision/{NOWHERE}", "RevisionNotFound"),
        ("/api/models/org/name/revision/dangling", "RevisionNotFound"),
        ("/api/models/org/name/tree/nothing", "RevisionNotFound"),
        ("/api/models/org/name/tree/main/absent", "EntryNotFound"),
        ("/api/models/org/name/tree/main/config.json", "EntryNotFound"),
        ("/api/models/org/name/tree/main/additional_chat_templates?recursive=false", "EntryNotFound"),
    ],
)
def test_an_api_error(mirror: Mirror, path: str, error: str) -> None:
    for method in ("GET", "HEAD"):
        answer = mirror.ask(path, method)
        assert (answer.status, answer.header("X-Error-Code")) == (404, error)
        assert answer.header("X-Repo-Commit") is None
        assert answer.header("Content-Type") == "application/json"
        if method == "GET":
            assert answer.json == {"error": MISSING[error]}


@pytest.mark.parametrize("path", ["/", "/api/agent-harnesses"])
def test_small_answers(mirror: Mirror, path: str) -> None:
    answer = mirror.ask(path)
    assert (answer.status, mirror.ask(path, "HEAD").status) == (200, 200)
    if path == "/":
        assert answer.header("Content-Type") == "text/plain"
        assert b"HF_ENDPOINT" in answer.body
    else:
        assert answer.json == {"standardEnvVars": [], "harnesses": {}}


@pytest.mark.parametrize(
    "path",
    [
        "/favicon.ico",
        "/nothing/",
        "/api/models",
        "/api/telemetry/x",
        "/hub/models--org--name/blobs/",
        "/store.json",
        "/org--name/resolve/main/config.json",  # would be the folder of org/name
        "/org/na--me/resolve/main/config.json",
        "/api/models/org--name",
        "/org/-name/resolve/main/config.json",
        "/models/.facefusion/x",
        "/org/name/%72esolve/main",
        "/_hub/pin",
        "/_hub/file",
        "/_hub/document",
    ],
)
def test_what_is_not_there(mirror: Mirror, path: str) -> None:
    answer = mirror.ask(path)
    assert answer.status == 404
    assert answer.header("Location") is None
    assert answer.header("X-Repo-Commit") is None


@pytest.mark.parametrize("attempt", ["/../store.json", "/%2e%2e/store.json", "/..%2f..%2fstore.json"])
@pytest.mark.parametrize(
    "start",
    [
        f"/org/name/resolve/{ONE}/x",
        "/org/name/resolve/main",
        "/models/facefusion",
        "/models",
        "/api/models/org/name/tree/main",
        "/api/models/org/name/revision",
    ],
)
def test_no_way_out_of_a_folder(mirror: Mirror, start: str, attempt: str) -> None:
    for climb in range(6):
        answer = mirror.ask(start + "/.." * climb + attempt)
        assert answer.status in (400, 404)
        assert b"format" not in answer.body


# ---- Methods, the store, the log


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing/",
        "/org/name/resolve/main/config.json",
        "/org/name/resolve/main/onnx/",
        f"/org/name/resolve/{ONE}/config.json",
        f"/org/name/resolve/{ONE}/absent",
        "/org/nothing/resolve/main/config.json",
        "/api/models/org/name",
        "/api/models/org/name/refs",
        "/api/models/org/name/paths-info/main",
        "/api/models/org/name/tree/nothing",
        "/api/agent-harnesses",
        "/models/",
        "/models/facefusion/",
        "/models/facefusion/inswapper.onnx",
        "/models/nothing/inswapper.onnx",
    ],
)
def test_nothing_but_get_and_head(mirror: Mirror, method: str, path: str) -> None:
    answer = mirror.ask(path, method)
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")
    assert answer.body == b"This mirror answers GET and HEAD only.\n"
    assert answer.header("X-Repo-Commit") is None


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/org/name/resolve/main/config.json",
        f"/org/name/resolve/{ONE}/config.json",
        "/org/nothing/resolve/main/config.json",
        "/api/models/org/name",
        "/api/models/org/nothing/tree/main",
        "/api/models/org/name/refs",
        "/models/",
        "/models/facefusion/inswapper.onnx",
        "/anything",
    ],
)
def test_no_sentinel_is_not_not_found(own_mirror: Mirror, method: str, path: str) -> None:
    own_mirror.store.sentinel.unlink()
    answer = own_mirror.ask(path, method)
    assert answer.status == 503
    assert answer.header("X-Error-Message") == "The store of this mirror is not mounted"
    assert answer.header("X-Error-Code") is None
    assert (answer.body == b"") == ("/resolve/" in path or method == "HEAD")
    own_mirror.store.sentinel.write_text("{}")
    assert own_mirror.ask(path, method).status != 503


def test_the_access_log(mirror: Mirror) -> None:
    path = "/org/odd/resolve/main/with%20space.txt"
    mirror.ask(path, Range="bytes=0-3", User_Agent='a "quoted" \\ agent', Authorization="Bearer hf_secret")
    line = mirror.log()[-1]
    assert line.pop("time")[:2] == "20"
    assert line.pop("request_time") >= 0
    assert line == {
        "client": "127.0.0.1",
        "method": "GET",
        "uri": path,
        "status": 206,
        "bytes": 4,
        "user_agent": 'a "quoted" \\ agent',
        "range": "bytes=0-3",
    }
    assert "hf_secret" not in (mirror.folder / "access.log").read_text()


def test_a_file_that_nginx_may_not_read_is_not_missing(tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("nothing is unreadable for root")
    store = Store(tmp_path / "store")
    fill(store)
    (store.folder("org/name") / "blobs").chmod(0)
    with serving(store, tmp_path / "nginx") as mirror:
        assert mirror.ask(f"/org/name/resolve/{ONE}/config.json").status == 403
        (store.root / "hub").chmod(0)
        assert mirror.ask("/org/name/resolve/main/config.json").status == 403
        (store.root / "hub").chmod(0o700)
    (store.folder("org/name") / "blobs").chmod(0o700)


# ---- Views


def test_views(own_mirror: Mirror) -> None:
    digest = own_mirror.store.view("facefusion", {"inswapper.onnx": WEIGHTS, "with space.txt": b"text\n"})
    path = "/models/facefusion/inswapper.onnx"

    answer = own_mirror.ask(path)
    assert (answer.status, answer.body, answer.header("ETag")) == (200, WEIGHTS, f'"{digest}"')
    assert own_mirror.ask(path, "HEAD").header("Content-Length") == str(len(WEIGHTS))
    assert own_mirror.ask(path, Range="bytes=10-19").body == WEIGHTS[10:20]
    assert own_mirror.ask("/models/facefusion/with%20space.txt").body == b"text\n"
    assert own_mirror.ask("/models/facefusion/absent.onnx").status == 404
    assert own_mirror.ask("/models/nothing/inswapper.onnx").status == 404
    assert own_mirror.ask(f"/models/.facefusion.{digest}/inswapper.onnx").status == 404

    own_mirror.store.view("facefusion", {"inswapper.onnx": WEIGHTS[::-1]})
    assert own_mirror.ask(path).body == WEIGHTS[::-1]
    assert own_mirror.ask(path, Range="bytes=10-", If_Range=f'"{digest}"').body == WEIGHTS[::-1]


def test_lists_of_views(mirror: Mirror) -> None:
    assert mirror.ask("/models").header("Location") == "/models/"
    views = mirror.ask("/models/")
    assert views.header("Content-Type") == "text/html"
    assert b'href="facefusion/"' in views.body
    assert b'href=".' not in views.body.replace(b'href="../"', b"")
    assert mirror.ask("/models/facefusion").header("Location") == "/models/facefusion/"
    assert b'href="with%20space.txt"' in mirror.ask("/models/facefusion/").body


# ---- The file itself


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, ["listen 80 default_server;", "server_name _;"]),
        ({"__mirror_nginx_ipv6": True}, ["listen 80 default_server;", "listen [::]:80 default_server;"]),
        (
            {"__mirror_nginx_ipv6": True, "mirror_nginx_port": 8080, "mirror_nginx_server_name": "hub.example"},
            ["listen 8080;", "listen [::]:8080;", "server_name hub.example;"],
        ),
    ],
)
def test_the_addresses(settings: dict[str, object], wanted: list[str]) -> None:
    lines = [line.strip() for line in render(**settings).splitlines()]
    assert [line for line in wanted if line not in lines] == []
    assert [line for line in lines if line.startswith("listen [::]")] == [line for line in wanted if "[::]" in line]


# ---- An unmodified client


@pytest.fixture
def client_environment(own_mirror: Mirror, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "HF_HOME": str(tmp_path / "hf"),
        "HF_ENDPOINT": own_mirror.address,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }


CLIENT = """
import json, pathlib
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

def name(call):
    try:
        call()
    except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        return type(error).__name__

api = HfApi()
odd = pathlib.Path(snapshot_download("org/odd"))
print(json.dumps({
    "config": pathlib.Path(hf_hub_download("org/name", "config.json")).resolve().name,
    "weights": pathlib.Path(hf_hub_download("org/name", "onnx/deep/weights.bin", revision="v1.0")).resolve().name,
    "empty": pathlib.Path(hf_hub_download("org/name", "empty")).read_text(),
    "pr": pathlib.Path(hf_hub_download("org/name", "config.json", revision="refs/pr/1")).read_text(),
    "odd": {str(p.relative_to(odd)): p.read_text() for p in odd.rglob("*") if p.is_file()},
    "commit": odd.name,
    "data": pathlib.Path(hf_hub_download("org/name", "data.csv", repo_type="dataset")).read_text(),
    "files": sorted(api.list_repo_files("org/name")),
    "sizes": [s.size for s in api.model_info("org/name", files_metadata=True).siblings],
    "branches": [b.target_commit for b in api.list_repo_refs("org/name").branches],
    "errors": [
        name(lambda: hf_hub_download("org/nothing", "config.json")),
        name(lambda: hf_hub_download("org/name", "config.json", revision="nothing")),
        name(lambda: hf_hub_download("org/name", "nothing")),
        name(lambda: api.model_info("org/nothing")),
        name(lambda: api.model_info("org/name", revision="nothing")),
    ],
}))
"""


def test_huggingface_hub(own_mirror: Mirror, client_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT],
        env=client_environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {
        "config": etag_of(CONFIG),
        "weights": etag_of(WEIGHTS),
        "empty": "",
        "pr": "from the pull request\n",
        "odd": {name: f"content of {name}\n" for name in ODD_NAMES},
        "commit": ODD,
        "data": "datasets",
        "files": ["config.json", "empty", "onnx/deep/weights.bin"],
        "sizes": [len(CONFIG), len(WEIGHTS), 0],
        "branches": [ONE],
        "errors": [
            "RepositoryNotFoundError",
            "RevisionNotFoundError",
            "RemoteEntryNotFoundError",
            "RepositoryNotFoundError",
            "RevisionNotFoundError",
        ],
    }
    statuses = {line["status"] for line in own_mirror.log()}
    assert statuses <= {200, 206, 307, 404}
    cached = list(Path(client_environment["HF_HOME"]).rglob(".no_exist"))
    assert cached == [], "an absent file must not be remembered"
