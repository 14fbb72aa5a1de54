# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the servers serve: many small files, one large one, a snapshot of both, and ever more repositories."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from random import Random

from unit.roles.nginx_server import Store, commit_of

REPOS, FILES = 1000, 50
LARGE_BYTES = 1_000_000_000
SNAPSHOT_FILES, SNAPSHOT_BYTES = 51, 200_000_000
COMMIT = commit_of("bench")
LARGE, SNAPSHOT = "bench/large", "bench/snapshot"
LARGE_FILE, LARGE_ETAG = "large.bin", "1" * 64
CONFIG = "config.json"


def repo_id(number: int) -> str:
    """Return the name of one of many repositories."""
    return f"bench/repo-{number:06}"


def pinned(repo: str, path: str) -> str:
    """Return the address of a file of the commit."""
    return f"/{repo}/resolve/{COMMIT}/{path}"


def by_ref(repo: str, path: str) -> str:
    """Return the address of a file of main."""
    return f"/{repo}/resolve/main/{path}"


def static(repo: str, path: str) -> str:
    """Return the address of the same file where a server knows nothing but folders."""
    return f"/models--{repo.replace('/', '--')}/snapshots/{COMMIT}/{path}"


def small(number: int) -> str:
    """Return the name of a file of a kilobyte."""
    return f"file-{number:02}.bin"


def small_store(root: Path) -> Store:
    """Make a store of repositories of files of a kilobyte."""
    store, random = Store(root), Random(1)
    for number in range(REPOS):
        files = {small(n): random.randbytes(1000) for n in range(FILES)}
        _add(store, repo_id(number), files)
    return store


def large_store(root: Path) -> Store:
    """Make a store with one large file, and a repository of small ones and one of 200 MB."""
    store, random = Store(root), Random(2)
    files = {f"file-{number:02}.json": random.randbytes(2000) for number in range(SNAPSHOT_FILES)}
    _add(store, SNAPSHOT, {**files, "model.safetensors": random.randbytes(SNAPSHOT_BYTES)})
    _add(store, LARGE, {})
    folder, block = store.folder(LARGE), random.randbytes(1_000_000)
    with (folder / "blobs" / LARGE_ETAG).open("wb") as blob:
        for _block in range(LARGE_BYTES // len(block)):
            blob.write(block)
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    (folder / "snapshots" / COMMIT / LARGE_FILE).symlink_to(f"../../blobs/{LARGE_ETAG}")
    os.sync()
    return store


def grow(store: Store, numbers: Iterable[int]) -> None:
    """Add repositories of one empty file."""
    for number in numbers:
        _add(store, repo_id(number), {CONFIG: b""})


def _add(store: Store, repo: str, files: dict[str, bytes]) -> None:
    store.commit(repo, COMMIT, files)
    store.ref(repo, "main", COMMIT)
