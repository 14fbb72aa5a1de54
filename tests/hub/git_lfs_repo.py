# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Git repositories with Git LFS objects, made by ``git`` itself: ``python -m hub.git_lfs_repo CONTENTS TARGET``.

Pointer files are committed and the objects lie where git-lfs keeps them, ``.git/lfs/objects/aa/bb/<sha256>``; git-lfs
is not needed for that. Repository ``org/name`` becomes ``TARGET/models/org/name``, the layout of
olah's ``mirrors-path`` (``datasets`` and ``spaces`` likewise; a name without organisation is ``TARGET/models/name``).

Files, authors and dates are those of the contents, so Git must arrive at the same commit ids: if ``objects`` computed
one wrong, ``create`` fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from hub.objects import AUTHOR, lfs_pointer
from hub.repos import PLURAL, Library, Repo


def main() -> None:
    """Read the command line and make the repositories."""
    parser = argparse.ArgumentParser(
        prog="python -m hub.git_lfs_repo", description="Git+LFS repositories from contents."
    )
    parser.add_argument("contents", type=Path, help="built by: python -m hub.contents")
    parser.add_argument("target", type=Path, help="where to")
    parser.add_argument("repo_id", nargs="*", help="which repositories (default: all)")
    options = parser.parse_args()
    library = Library(options.contents)
    for repo in library.repos.values():
        if not options.repo_id or repo.repo_id in options.repo_id:
            print(create(library, repo, options.target))


def create(library: Library, repo: Repo, target: Path) -> Path:
    """Make the Git repository of ``repo`` below ``target``, in place of one that is there, and return its path."""
    folder = target / PLURAL[repo.repo_type] / repo.repo_id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "fast-import", "--quiet", "--force", stdin=b"".join(_commits(library, repo)))
    for commit in repo.commits:
        _git(folder, "cat-file", "-e", f"{commit.id}^{{commit}}")
        for sha256 in {file.lfs for file in commit.files.values() if file.lfs}:
            _link(library.root / "blobs" / sha256, folder / ".git/lfs/objects" / sha256[:2] / sha256[2:4] / sha256)
    _git(folder, "update-ref", "-d", "refs/heads/import")
    for ref, commit_id in repo.refs.items():
        _git(folder, "update-ref", ref, commit_id)
    return folder


def move(folder: Path, commit_id: str, ref: str = "refs/heads/main") -> None:
    """Point a ref of a made repository elsewhere."""
    _git(folder, "update-ref", ref, commit_id)


def _git(folder: Path, *arguments: str, stdin: bytes | None = None) -> None:
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", "-C", str(folder), *arguments], input=stdin, env={**os.environ, **settings}, check=True)


def _commits(library: Library, repo: Repo) -> Iterator[bytes]:
    """Yield all commits in the language of ``git fast-import``, each as a whole listing."""
    for commit in repo.commits:
        when = f"{AUTHOR} {commit.time} +0000"
        yield f"commit refs/heads/import\nauthor {when}\ncommitter {when}\n".encode() + _data(commit.title.encode())
        yield b"deleteall\n"
        for path, file in commit.files.items():
            content = lfs_pointer(file.lfs, file.size) if file.lfs else library.blob(file).read_bytes()
            quoted = path.replace("\\", "\\\\").replace('"', '\\"')
            yield f'M 100644 inline "{quoted}"\n'.encode() + _data(content)


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _link(source: Path, target: Path) -> None:
    """Give content a second name, or copy it where the file system is another."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


if __name__ == "__main__":
    main()
