# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same sync from an upstream that is not ours: olah over real Git+LFS repositories."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub import git_lfs_repo
from hub.olah import OlahProcess
from hub.repos import Library

Run = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("repo_id", ["stand-in/tiny-model", "stand-in/many-small-files"])
def test_sync_from_olah(
    sync: Run, store: Path, contents: Path, olah_python: Path, tmp_path: Path, repo_id: str
) -> None:
    library = Library(contents)
    repo = library.repo("model", repo_id)
    # olah answers 500 for names with some of these characters, as it does for Hub clients
    entry: dict[str, Any] = {"repo_id": repo_id}
    folder = git_lfs_repo.create(library, repo, tmp_path / "mirrors")
    with OlahProcess(olah_python, tmp_path / "mirrors", tmp_path) as olah:
        for commit in (repo.main, repo.commits[-1], repo.commits[0]):
            git_lfs_repo.move(folder, commit.id)
            answer = sync(entry, endpoint=olah.url)
            assert not answer["failures"]
            assert not sync(entry, endpoint=olah.url)["changed"]
            top = store / "hub" / f"models--{repo_id.replace('/', '--')}" / "snapshots" / commit.id
            got = {str(p.relative_to(top)): p for p in top.rglob("*") if p.is_file()}
            assert got.keys() == commit.files.keys()
            for path, file in commit.files.items():
                assert hashlib.sha256(got[path].read_bytes()).hexdigest() == file.blob
                assert got[path].resolve().name == file.etag
