# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store's root: its format, its locks, its room on the disk; contents are ``pool``'s."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from .._base import fs as _fs
from .._base.clock import Clock
from .._base.errors import MirrorError
from .._base.fs import Fs
from .._base.lock import held, locked
from .._base.names import shown
from .._border.json import read_document
from .._plan.facts import Repo
from .history import History
from .ledger import Ledger
from .pool import Pool
from .repository import Repository
from .spelling import Spellings

FORMAT = 1
#: In the trash: REPOSITORY@ has what leaves a repository that stays (``_run.gc_repository``);
#: no repository's folder ends so.
PART_OF = "@"
_FOLDERS = ("hub", "pool", "views", "staging", "trash", "ledger", "locks", "locks/repo", "names")
#: File systems whose flock may grant everybody (huggingface_hub issue 4228): reading is fine, writing is not.
_NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "fuse", "ceph", "9p")


class StoreError(MirrorError):
    """The store is not there or not ours."""


class Store:
    """A store at ``root``. Reading needs no more than that; writing wants ``prepare`` and ``locked`` first."""

    def __init__(self, root: Path, fs: Fs | None = None, clock: Clock | None = None) -> None:
        self.root = root
        self.fs = fs or Fs(root)
        self.clock = clock or Clock()
        self.hub = root / "hub"
        self.pool = Pool(root, self.fs)
        self.staging = root / "staging"
        self.trash = root / "trash"
        self.ledger = Ledger(root / "ledger", self.fs, self.clock)

    def check(self) -> bool:
        """Say whether there is a store here (False: an empty or missing folder). Raises StoreError if it isn't ours."""
        linked = [name for name in _FOLDERS if (self.root / name).is_symlink()]
        if linked:
            raise StoreError(f"{self.root / linked[0]} is a symbolic link: a store needs real folders, on one disk")
        try:
            found = read_document(self.root / "store.json")["format"]
        except FileNotFoundError:
            strangers = sorted(set(os.listdir(self.root)) - {"lost+found", *_FOLDERS}) if self.root.is_dir() else []
            if strangers:
                raise StoreError(
                    f"{self.root} has no store.json and is not empty ({strangers[0]}): not a store, or not mounted"
                ) from None
            return False
        except (ValueError, KeyError, TypeError, RecursionError) as problem:
            raise StoreError(f"{self.root}/store.json can't be read: {problem}") from problem
        if found != FORMAT:
            raise StoreError(f"{self.root} has store format {shown(found)}, this collection knows {FORMAT}: update it")
        return True

    def prepare(self) -> bool:
        """Make the folder a store where it is none yet and return whether it did. The folder itself must exist."""
        found = self.check()
        if not self.root.is_dir():
            raise StoreError(f"{self.root} does not exist: create it, or mount the file system that holds the store")
        if _file_system(self.root).split(".")[0] in _NETWORK_FILE_SYSTEMS:
            raise StoreError(f"{self.root} is on {_file_system(self.root)}: a store needs a local file system")
        for name in _FOLDERS:
            if not (self.root / name).is_dir():
                self.fs.mkdir(self.root / name)
        if found:
            return False
        self._try_links()
        content = json.dumps({"format": FORMAT}).encode() + b"\n"
        _fs.replace_file(self.fs, self.root / "store.json", content, self.staging)
        return True

    def _try_links(self) -> None:
        """See that the store is one file system with hard links: st_dev does not tell (bind mounts)."""
        draft, name = self.staging / "draft", self.pool.path(".try")
        self.fs.unlink(draft)
        self.fs.unlink(name)
        try:
            self.fs.write(draft, b"")
            self.fs.link(draft, name)
        except OSError as problem:
            raise StoreError(f"{self.root} must be one file system with hard links: {problem}") from problem
        finally:
            self.fs.unlink(draft)
            self.fs.unlink(name)
            self.pool.sync()

    def locked(self, wait: bool = False) -> AbstractContextManager[None]:
        """Hold the run lock: one sync at a time. Raises BusyError at once when another process has it."""
        return locked(self.root / "locks" / "run", wait, f"a sync of {self.root}")

    def running(self) -> str | None:
        """Return who holds the run lock."""
        return held(self.root / "locks" / "run")

    def repository(self, repo: Repo) -> Repository:
        """Return what the store has of one repository."""
        return Repository(self.hub, self.pool, self.root / "locks" / "repo", repo, self.fs, self.clock)

    def repositories(self) -> Iterator[Repository]:
        """Yield every repository of the store, by name."""
        folders = sorted(self.hub.iterdir()) if self.hub.is_dir() else []
        for folder in folders:
            repo = Repo.of_folder(folder.name)
            if repo and (folder / ".mirror").is_dir():
                yield self.repository(repo)

    def recover(self) -> list[str]:
        """Finish or take back what a run that was killed left: the first step of every run. Returns what was done."""
        # names that a killed run gave may not be durable yet, and what follows counts on them
        self.fs.sync_all(self.root)
        done = self.pool.recover()
        for left in [one for one in self.trash.iterdir() if PART_OF not in one.name]:
            self.bury(left)
            done.append(f"{left.name} was being removed")
        for repository in self.repositories():
            with contextlib.suppress(MirrorError, OSError):  # what is broken there is told when it is planned for
                done += [f"{repository.repo}: {what}" for what in repository.recover()]
        folders = [repository.folder.name for repository in self.repositories()]
        return done + Spellings(self.root, self.fs).recover(folders, self.staging)

    def remove(self, repo: Repo, history: History) -> int:
        """Take a repository away, whole at once, and the contents that nothing else names. Returns the bytes freed.

        ``history`` is what is remembered of it.
        """
        repository = self.repository(repo)
        with repository.locked():
            repository.leave_behind(history)
            Spellings(self.root, self.fs).remove(repository.folder.name)
            grave = self.trash / repository.folder.name
            self.fs.rmtree(grave)
            self.fs.rename(repository.folder, grave)
            # no power cut may bring back a snapshot without its blobs
            self.fs.sync_dir(self.hub)
        return self.bury(grave)

    def bury(self, grave: Path) -> int:
        """Empty a folder of the trash, and the pool of what its ``blobs`` alone had. Returns the bytes freed."""
        # while the grave is there it tells what to look for, however often this is killed
        freed = sum(self.pool.forget(blob) for blob in (grave / "blobs").glob("*"))
        self.pool.sync()
        self.fs.rmtree(grave)
        return freed

    def room(self, reserve: int) -> int:
        """Return how many bytes may still be written when ``reserve`` percent of the disk are to stay free."""
        free, total, inodes = self.fs.free(self.root)
        return free - total * reserve // 100 if inodes > _INODES else 0

    def full(self, reserve: int) -> str:
        """Return what to say where there is no room."""
        if self.fs.free(self.root)[2] <= _INODES:
            return f"the file system of {self.root} has fewer than {_INODES} free inodes (df -i)"
        return f"the disk of {self.root} is full ({reserve} % stay free)"


#: Inodes that stay free: a snapshot takes one for each of its files.
_INODES = 10_000


def _file_system(folder: Path) -> str:
    """Return the type of the file system that holds a folder (/proc/self/mountinfo)."""
    here = os.path.realpath(folder)
    best, kind = "", ""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            for line in mounts:
                fields, _dash, rest = line.partition(" - ")
                point = fields.split()[4].replace("\\040", " ")
                if len(point) >= len(best) and (here == point or here.startswith(point.rstrip("/") + "/")):
                    best, kind = point, rest.split()[0]
    except OSError:
        return ""
    return kind
