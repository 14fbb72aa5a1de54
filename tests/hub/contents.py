# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build what the stand-in Hub serves: ``python -m hub.contents [--small] DIR``.

``DIR/blobs/<sha256>`` are written one by one and named only when whole; ``DIR/repos.json`` comes last and at once. So a
folder with repos.json is complete, an interrupted build is simply continued, and a second run has nothing to do.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from hub import drafts, objects, packages, recipes, repos
from hub.drafts import BLOCK, Changes, Draft, Noise, Source
from hub.repos import Commit, File, Repo

#: Commits are dated from here on, a day apart: the same on every machine.
EPOCH = 1_767_225_600  # 2026-01-01T00:00:00Z
_GITATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in objects.LFS_SUFFIXES).encode()


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(prog="python -m hub.contents", description="Build the stand-in Hub's contents.")
    parser.add_argument("folder", type=Path, help="where to (about 0.5 GB, with --small 20 MB)")
    parser.add_argument("--small", action="store_true", help="without the models from packages and the 300 MB file")
    options = parser.parse_args()
    changed = build(options.folder, options.small)
    print(f"{options.folder}: {'built' if changed else 'up to date'}")


def build(folder: Path, small: bool = False, extra: Sequence[Draft] = ()) -> bool:
    """Make ``folder`` hold the contents, ``extra`` among them, and return whether there was anything to do."""
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        recipe = _recipe_id(small, extra)
        if _is_built(folder, recipe):
            return False
        for left_by_an_interrupted_build in folder.glob("build-*"):
            shutil.rmtree(left_by_an_interrupted_build)
        with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as scratch:
            plan = recipes.small() if small else recipes.full(packages.Packages(Path(scratch)))
            blobs = BlobStore(folder / "blobs", Path(scratch))
            built = [_build_repo(draft, blobs) for draft in [*plan, *extra]]
            draft_file = Path(scratch) / "repos.json"
            draft_file.write_text(repos.to_json(built, recipe), encoding="utf-8")
            draft_file.replace(folder / "repos.json")
        blobs.drop_all_but({file.blob for repo in built for commit in repo.commits for file in commit.files.values()})
    return True


def _recipe_id(small: bool, extra: Sequence[Draft]) -> str:
    """Name everything that the contents depend on: when the name changes, the folder is built anew."""
    digest = hashlib.sha256(f"{repos.FORMAT} {'small' if small else 'full'} {list(extra)}".encode())
    sources = [module.__file__ for module in (drafts, objects, packages, recipes)]
    for source in [*sources, __file__, packages.REQUIREMENTS, Path(__file__).with_name("facefusion.json")]:
        digest.update(Path(source or "").read_bytes())
    return digest.hexdigest()


def _is_built(folder: Path, recipe: str) -> bool:
    try:
        if json.loads((folder / "repos.json").read_text(encoding="utf-8"))["recipe"] != recipe:
            return False
        library = repos.Library(folder)
        return all(
            library.blob(file).stat().st_size == file.size
            for repo in library.repos.values()
            for commit in repo.commits
            for file in commit.files.values()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


class BlobStore:
    """Contents by their SHA-256. Nothing gets a name before it is whole."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder, self._scratch = folder, scratch
        self._known: dict[Noise, tuple[str, int]] = {}

    def add(self, source: Source) -> tuple[str, int]:
        """Store a content and return its SHA-256 and size."""
        if isinstance(source, Noise) and source in self._known:
            return self._known[source]
        digest, size = hashlib.sha256(), 0
        scratch_file = self._scratch / "blob"
        with scratch_file.open("wb") as target:
            for block in _blocks(source):
                digest.update(block)
                size += target.write(block)
        os.utime(scratch_file, (EPOCH, EPOCH))
        scratch_file.chmod(0o644)
        scratch_file.replace(self._folder / digest.hexdigest())
        if isinstance(source, Noise):
            self._known[source] = digest.hexdigest(), size
        return digest.hexdigest(), size

    def read(self, sha256: str) -> bytes:
        """Return a (small) content."""
        return (self._folder / sha256).read_bytes()

    def drop_all_but(self, wanted: set[str]) -> None:
        """Remove what an older recipe left."""
        for blob in self._folder.iterdir():
            if blob.name not in wanted:
                blob.unlink()


def _blocks(source: Source) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
    elif isinstance(source, Noise):
        yield from source.blocks()
    else:
        with source.open("rb") as file:
            while block := file.read(BLOCK):
                yield block


def _build_repo(draft: Draft, blobs: BlobStore) -> Repo:
    commits: list[Commit] = []
    files: dict[str, File] = {}
    files[".gitattributes"] = _build_file(".gitattributes", _GITATTRIBUTES, blobs)
    for title, changes in draft.commits:
        files = apply(changes, files, blobs)
        commits.append(commit(title, files, commits[-1] if commits else None))
    refs = {"refs/heads/main": draft.main, **draft.refs}
    return Repo(
        repo_type=draft.repo_type,
        repo_id=draft.repo_id,
        commits=commits,
        refs={ref: commits[index].id for ref, index in refs.items()},
        tags=draft.tags,
        pipeline_tag=draft.pipeline_tag,
        library_name=draft.library_name,
        sdk=draft.sdk,
    )


def apply(changes: Changes, files: dict[str, File], blobs: BlobStore) -> dict[str, File]:
    """Return the files after a commit."""
    files = dict(files)
    for path, source in changes.items():
        if source is None:
            del files[path]
        else:
            files[path] = _build_file(path, source, blobs)
    return files


def commit(title: str, files: dict[str, File], parent: Commit | None, time: int | None = None) -> Commit:
    """Return the commit of these files, a day after its parent where no time is given."""
    if time is None:
        time = parent.time + 86_400 if parent else EPOCH
    parent_id = parent.id if parent else None
    tree = objects.tree_ids({path: file.oid for path, file in files.items()})[""]
    return Commit(objects.commit_id(tree, parent_id, time, title), parent_id, time, title, files)


def _build_file(path: str, source: Source, blobs: BlobStore) -> File:
    sha256, size = blobs.add(source)
    if objects.is_lfs(path, size):
        oid = objects.git_object_id("blob", objects.lfs_pointer(sha256, size))
        return File(size=size, oid=oid, blob=sha256, lfs=sha256)
    return File(size=size, oid=objects.git_object_id("blob", blobs.read(sha256)), blob=sha256)


if __name__ == "__main__":
    main()
