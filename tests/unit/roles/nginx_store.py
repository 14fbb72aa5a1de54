# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store that the tests of nginx serve, and what every file of it must come with."""

from __future__ import annotations

from unit.roles.nginx_server import Answer, Store, commit_of, etag_of

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
