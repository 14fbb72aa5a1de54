# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retire and collect the commits of one repository: marks first, then their folders, contents last.

What leaves is moved to the trash by renames that are durable before the first content goes: no reader meets half a
commit, and no power cut brings one back without its contents. Where a listing and its links disagree nothing is moved
(``RepositoryError``).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from .._base import fs as _fs
from .._base.clock import stamp
from .._base.names import Commit
from .._plan.facts import Repo
from .._plan.plan import Retention
from .._store.history import Mark
from .._store.pool import is_named
from .._store.repository import Repository
from .._store.repository_reader import OWN_MARKS, RepositoryError
from .._store.store import PART_OF, Store


class RepositoryCollector:
    """The commits of one repository that leave. Its lock must be held, and the store's run lock, too."""

    def __init__(self, store: Store, repository: Repository) -> None:
        self._store, self._fs, self._repository = store, store.fs, repository
        self._mirror = repository.folder / ".mirror"
        self._rev = self._mirror / "rev"
        self._snapshots = repository.folder / "snapshots"
        self._blobs = repository.folder / "blobs"
        self._grave = store.trash / f"{repository.folder.name}{PART_OF}"

    def mark(self, retention: Retention, age: float) -> None:
        """Retire what nothing names, take back what something names again, and begin graces anew."""
        about = {"age": age}
        retired: dict[str, Mark | None] = dict.fromkeys(retention.retire, about)
        retired.update(dict.fromkeys(retention.spare))
        if retired or retention.restart:
            self._repository.mark({"retired": retired, "narrowed": dict.fromkeys(retention.restart, about)})

    def collect(self, commits: Iterable[Commit]) -> int:
        """Take retired commits away, with the contents that nothing else names. Returns the bytes freed."""
        self._named()
        self._dig()
        for commit in commits:
            self._fs.rename(self._rev / commit, self._grave / "rev" / commit)
        # a listing goes before its files do
        self._fs.sync_dir(self._rev)
        return self._bury()

    def trim(self, commits: Iterable[Commit]) -> int:
        """Take away the links that a commit's listing dropped, and the contents. Returns the bytes freed."""
        names = tuple(commits)
        self._named()
        listed = self._repository.facts().snapshots
        for commit in names:
            self._trim(self._snapshots / commit, listed[commit])
        self._dig()
        freed = self._bury()
        self._repository.mark({"narrowed": dict.fromkeys(names)})
        return freed

    def _trim(self, snapshot: Path, listed: Container[str]) -> None:
        """Remove the links that are not listed, and the folders in it that nothing is in then."""
        for path in links(snapshot):
            if path not in listed:
                self._fs.unlink(snapshot / path)
        for folder, _folders, _files in os.walk(snapshot, topdown=False):
            if not os.listdir(folder) and folder != str(snapshot):
                self._fs.rmtree(Path(folder))
        _fs.sync_tree(self._fs, snapshot)

    def recover(self) -> list[str]:
        """Go on with what is in the trash already. Returns what was done."""
        if not self._grave.is_dir():
            return []
        if self._snapshots.is_dir():
            self._bury()
        else:
            self._store.bury(self._grave)
        return [f"{self._repository.repo}: commits were being collected"]

    def _dig(self) -> None:
        for name in ("rev", "snapshots", "blobs"):
            self._fs.mkdir(self._grave / name)
        self._fs.sync_dir(self._grave)
        self._fs.sync_dir(self._store.trash)

    def _bury(self) -> int:
        """Move what no listing names to the trash, and empty it. Returns the bytes freed."""
        self._dig()
        named, sealed = self._named(), self._repository.facts().snapshots
        for snapshot in [one for one in self._snapshots.iterdir() if one.name not in sealed]:
            self._fs.rmtree(self._grave / "snapshots" / snapshot.name)
            self._fs.rename(snapshot, self._grave / "snapshots" / snapshot.name)
        self._fs.sync_dir(self._snapshots)
        for blob in [one for one in self._blobs.iterdir() if one.name not in named]:
            self._fs.rename(blob, self._grave / "blobs" / blob.name)
        self._fs.sync_dir(self._blobs)
        gone = [one.name for one in (self._grave / "rev").iterdir() if one.name not in sealed]
        for commit in gone:
            self._fs.unlink(self._mirror / "upstream" / f"{commit}.json")
        if gone:
            self._fs.sync_dir(self._mirror / "upstream")
            # the other node of a pair must not take it for lost, nor bring it back
            now = stamp(self._store.clock.now())
            left: dict[str, dict[str, Mark | None]] = {kind: dict.fromkeys(gone) for kind in OWN_MARKS}
            self._repository.mark({**left, "collected": {commit: {"time": now} for commit in gone}})
            self._repository.derive()
        return self._store.bury(self._grave)

    def _named(self) -> set[str]:
        """Return the contents that a sealed commit has a link to. Raises RepositoryError where one is not as listed."""
        named: set[str] = set()
        for commit, files in self._repository.facts().snapshots.items():
            found = links(self._snapshots / commit)
            for path, etag in files.items():
                if found.get(path) != etag:
                    raise RepositoryError(
                        f"{self._snapshots / commit / path} does not lead to {etag}, as listed: nothing is collected"
                        " there. To see how to repair it, run: hf-mirror fsck"
                    )
            named.update(found.values())
        return named


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


def graves(trash: Path) -> list[Repo]:
    """Return the repositories of which something is in the trash."""
    found = (Repo.of_folder(grave.name.removesuffix(PART_OF)) for grave in sorted(trash.glob(f"*{PART_OF}")))
    return [repo for repo in found if repo]


def freed(going: Mapping[Repository, Iterable[Commit]]) -> int:
    """Return the bytes that are freed when these commits go: of the contents that nothing else names."""
    names: dict[int, int] = {}
    status: dict[int, os.stat_result] = {}
    for repository, commits in going.items():
        gone = set(commits)
        facts = repository.facts()
        kept = {etag for commit, files in facts.snapshots.items() if commit not in gone for etag in files.values()}
        etags = {etag for commit in gone for etag in facts.snapshots[commit].values()}
        for etag in etags - kept:
            with contextlib.suppress(FileNotFoundError):  # damaged: nothing will be collected there
                found = (repository.folder / "blobs" / etag).stat()
                names[found.st_ino] = names.get(found.st_ino, 0) + 1
                status[found.st_ino] = found
    return sum(status[inode].st_size for inode, count in names.items() if not is_named(status[inode], count))
