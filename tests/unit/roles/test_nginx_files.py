# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How files are answered: by commit, by ref, in part, not at all."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from unit.roles.nginx_server import Mirror, etag_of
from unit.roles.nginx_store import (
    CONFIG,
    MISSING,
    NOWHERE,
    ODD,
    ODD_NAMES,
    ONE,
    PLAIN,
    PR,
    TWO,
    WEIGHTS,
    check_file,
)


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
    assert redirect.header("ETag") == redirect.header("X-Linked-ETag") == f'"{etag_of(content)}"'
    assert redirect.header("X-Linked-Size") == str(len(content))


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
    for answer in (mirror.ask(path), mirror.ask(path, "HEAD")):
        assert (answer.status, answer.body, answer.header("Content-Length")) == (404, b"", "0")
        assert answer.header("X-Error-Code") == error
        assert answer.header("X-Error-Message") == MISSING[error]
        for name in ("X-Repo-Commit", "ETag", "X-Linked-ETag", "X-Linked-Size", "Last-Modified"):
            assert answer.header(name) is None


@pytest.mark.parametrize("ref", [ONE, "main"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_that_cannot_be_opened_is_not_missing(own_mirror: Mirror, method: str, ref: str) -> None:
    """Clients remember what is missing."""
    link = own_mirror.store.folder("org/name") / "snapshots" / ONE / "config.json"
    link.unlink()
    link.symlink_to(link)
    answer = own_mirror.ask(f"/org/name/resolve/{ref}/config.json", method)
    assert (answer.status, answer.header("X-Error-Code")) == (403, None)


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


@pytest.mark.parametrize("ref", [ONE, "main"])
def test_what_is_not_compared_is_refused_without_a_body(mirror: Mirror, ref: str) -> None:
    path = f"/org/name/resolve/{ref}/config.json"
    for name, value in (("If_Match", f'"{etag_of(CONFIG)}"'), ("If_Unmodified_Since", "Sun, 09 Sep 1990 01:46:40 GMT")):
        answer = mirror.ask(path, **{name: value})
        assert (answer.status, answer.body, answer.header("ETag")) == (412, b"", None)
    assert mirror.ask(path, If_None_Match=f'"{etag_of(CONFIG)}"').body == CONFIG
    assert mirror.ask(path, If_None_Match="*").status == 304


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
