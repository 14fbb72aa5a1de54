# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second upstream: real Git repositories, and olah over them where it is installed."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from hub import git_lfs_repo
from hub.olah import OlahProcess
from hub.repos import Library
from hub.wire import get, head


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), "-c", "core.quotepath=off", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.parametrize(
    ("repo_type", "repo_id"),
    [
        ("model", "stand-in/tiny-model"),
        ("model", "stand-in/many-small-files"),
        ("model", "deepinsight/inswapper-128"),
        ("dataset", "stand-in/tiny-dataset"),
    ],
)
def test_git_arrives_at_our_ids(contents: Path, tmp_path: Path, repo_type: str, repo_id: str) -> None:
    library = Library(contents)
    repo = library.repo(repo_type, repo_id)
    folder = git_lfs_repo.create(library, repo, tmp_path)
    assert folder == tmp_path / f"{repo_type}s" / repo_id
    assert git(folder, "fsck", "--strict") == ""
    for ref, commit_id in repo.refs.items():
        assert git(folder, "rev-parse", ref) == commit_id
    for commit in repo.commits:
        listed = (
            git(folder, "ls-tree", "-r", "-z", "--format=%(objectname) %(path)", commit.id).rstrip("\0").split("\0")
        )
        assert dict(reversed(line.split(" ", 1)) for line in listed) == {
            path: file.oid for path, file in commit.files.items()
        }
        for path, file in commit.files.items():
            if file.lfs:
                assert file.lfs in git(folder, "show", f"{commit.id}:{path}")
                content = folder / ".git/lfs/objects" / file.lfs[:2] / file.lfs[2:4] / file.lfs
                assert hashlib.sha256(content.read_bytes()).hexdigest() == file.lfs


def test_olah_serves_it(contents: Path, olah_python: Path, tmp_path: Path) -> None:
    library = Library(contents)
    repo = library.repo("model", "stand-in/tiny-model")
    folder = git_lfs_repo.create(library, repo, tmp_path / "mirrors")
    with OlahProcess(olah_python, tmp_path / "mirrors", tmp_path) as olah:
        for commit in (repo.main, repo.commits[2]):
            git_lfs_repo.move(folder, commit.id)
            assert get(olah.url, f"/api/models/{repo.repo_id}/revision/main").json["sha"] == commit.id
            file = commit.files["model.safetensors"]
            answer = head(olah.url, f"/{repo.repo_id}/resolve/main/model.safetensors")
            assert (answer.headers["X-Repo-Commit"], answer.headers["ETag"]) == (commit.id, file.lfs)
            body = get(olah.url, f"/{repo.repo_id}/resolve/main/model.safetensors").body
            assert hashlib.sha256(body).hexdigest() == file.lfs
