# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retire and collect the commits of one repository: marks first, whole folders next, contents last.

A folder leaves by one rename, so that no reader meets half a commit, and that is durable before the first content goes.
Where a listing and its links disagree nothing is removed (``RepositoryError``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ._facts import Repo
from ._plan import Retention
from ._repository import Repository, RepositoryError
from ._store import COMMIT_OF, Store


class Retirement:
    """The commits of one repository that leave. Its lock must be held, and the store's run lock, too."""

    def __init__(self, store: Store, repository: Repository) -> None:
        self._store, self._fs, self._repository = store, store.fs, repository
        self._rev = repository.folder / ".mirror" / "rev"
        self._snapshots = repository.folder / "snapshots"

    def mark(self, retention: Retention, age: float) -> None:
        """Retire what nothing names, and take back what something names again."""
        about = {"age": age}
        if retention.retire or retention.spare:
            changes = {**dict.fromkeys(retention.retire, about), **dict.fromkeys(retention.spare)}
            self._repository.mark({"retired": changes})

    def collect(self, commits: Iterable[str]) -> int:
        """Take retired commits away, with the contents that nothing else names. Returns the bytes freed."""
        graves = []
        for commit in commits:
            grave = self._store.trash / f"{self._repository.folder.name}{COMMIT_OF}{commit}"
            self._fs.mkdir(grave)
            self._fs.sync_dir(self._store.trash)
            self._fs.rename(self._rev / commit, grave / "rev")
            self._fs.sync_dir(self._rev)
            graves.append(grave)
        return sum(self._bury(grave) for grave in graves)

    def trim(self, commits: Iterable[str]) -> int:
        """Take away the links that a commit's listing dropped, and the contents. Returns the bytes freed."""
        listed = self._repository.facts().snapshots
        for commit in commits:
            for path in self._links(commit).keys() - listed[commit].keys():
                self._unlink(self._snapshots / commit / path)
        freed = self._sweep()
        self._repository.mark({"narrowed": dict.fromkeys(commits)})
        return freed

    def _unlink(self, link: Path) -> None:
        """Remove a link of a snapshot, and the folders that were there for it alone."""
        self._fs.unlink(link)
        folder = link.parent
        while not os.listdir(folder) and folder.parent != self._snapshots:
            self._fs.rmtree(folder)
            folder = folder.parent
        self._fs.sync_dir(folder)

    def recover(self) -> list[str]:
        """Go on with the commits that are in the trash already. Returns what was done."""
        done = []
        for grave in sorted(self._store.trash.glob(f"{self._repository.folder.name}{COMMIT_OF}*")):
            commit = grave.name.rpartition(COMMIT_OF)[2]
            if (grave / "rev").exists():
                self._bury(grave)
                done.append(f"{self._repository.repo}@{commit[:12]} was being collected")
            else:
                self._fs.rmtree(grave)
        return done

    def _bury(self, grave: Path) -> int:
        commit = grave.name.rpartition(COMMIT_OF)[2]
        # no power cut may bring the listing back without the files: it went first, and durably
        if (self._snapshots / commit).exists():
            self._fs.rename(self._snapshots / commit, grave / "snapshot")
        self._fs.sync_dir(self._snapshots)
        freed = self._sweep()
        self._fs.unlink(self._repository.folder / ".mirror" / "upstream" / f"{commit}.json")
        self._repository.mark({kind: {commit: None} for kind in ("retired", "narrowed")})
        self._fs.rmtree(grave)
        return freed

    def _sweep(self) -> int:
        """Remove the contents that no listing names. Returns the bytes freed."""
        named: set[str] = set()
        sealed = self._repository.facts().snapshots
        for commit, files in sealed.items():
            found = self._links(commit)
            for path, etag in files.items():
                if found.get(path) != etag:
                    raise RepositoryError(
                        f"{self._snapshots / commit / path} does not lead to {etag}, as is listed: nothing is collected"
                        " there; hf-mirror fsck tells how to mend it"
                    )
            named.update(found.values())
        for snapshot in self._snapshots.iterdir():
            if snapshot.name not in sealed:  # a run was killed before it sealed it
                self._fs.rmtree(snapshot)
        blobs = self._repository.folder / "blobs"
        surplus = [blob for blob in blobs.iterdir() if blob.name not in named]
        # the pool's name goes first: a crash between the two leaves what is found here again
        freed = sum(self._store.forget(blob) for blob in surplus)
        self._fs.sync_dir(self._store.pool)
        for blob in surplus:
            self._fs.unlink(blob)
        self._fs.sync_dir(blobs)
        return freed

    def _links(self, commit: str) -> dict[str, str]:
        """Return path -> etag of the links of a snapshot."""
        return links(self._snapshots / commit)


def links(snapshot: Path) -> dict[str, str]:
    """Return path -> etag of the links in a snapshot's folder. Raises OSError where it can't be read."""
    found: dict[str, str] = {}

    def refuse(problem: OSError) -> None:
        raise problem

    for top, _folders, files in os.walk(snapshot, onerror=refuse):
        for name in files:
            path = os.path.join(top, name)
            found[os.path.relpath(path, snapshot)] = os.path.basename(os.readlink(path))
    return found


def graves(trash: Path) -> set[Repo]:
    """Return the repositories that have commits in the trash."""
    found = (Repo.of_folder(grave.name.rpartition(COMMIT_OF)[0]) for grave in trash.glob(f"*{COMMIT_OF}*"))
    return {repo for repo in found if repo}


def freed(going: Mapping[Repository, Iterable[str]]) -> int:
    """Return the bytes that are freed when these commits go: of the contents that nothing else names."""
    names: dict[int, int] = {}
    status: dict[int, os.stat_result] = {}
    for repository, commits in going.items():
        gone = set(commits)
        facts = repository.facts()
        kept = {etag for commit, files in facts.snapshots.items() if commit not in gone for etag in files.values()}
        etags = {etag for commit in gone for etag in facts.snapshots[commit].values()}
        for etag in etags - kept:
            found = (repository.folder / "blobs" / etag).stat()
            names[found.st_ino] = names.get(found.st_ino, 0) + 1
            status[found.st_ino] = found
    # the pool's name is the one more
    return sum(status[inode].st_size for inode, count in names.items() if status[inode].st_nlink <= count + 1)
