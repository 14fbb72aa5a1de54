# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A content's inode with all names that it has in a store; where it is rotten, a sound file takes over all of them.

A rotten content has mode 0000: no name of it is served. Nothing is written in place. Before the first name is replaced
both files have a name in ``staging``, ETAG.rotten and ETAG.sound, so that anybody can finish what a crash cut short.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from .._base.fs import Fs
from .._base.lock import locked

_ROTTEN, _SOUND, _DRAFT = ".rotten", ".sound", ".name"


def is_rotten(status: os.stat_result) -> bool:
    """Say whether a content is known to be rotten."""
    return not stat.S_IMODE(status.st_mode)


@dataclass(frozen=True)
class Inode:
    """A content on the disk; ``etag`` is what its names say it is."""

    etag: str
    device: int
    number: int

    @classmethod
    def of(cls, name: Path) -> Inode:
        """Return the inode of a name that is an etag, whatever its suffix. Raises FileNotFoundError."""
        status = name.lstat()
        return cls(name.stem, status.st_dev, status.st_ino)

    def names(self, root: Path) -> list[Path]:
        """Return what it is called in a store, in the pool first."""
        found = [root / "pool" / self.etag, root / "staging" / f"{self.etag}.part"]
        for folder in ("hub", "trash"):
            found += sorted(root.glob(f"{folder}/*/blobs/{self.etag}"))
        for top, _folders, files in os.walk(root / "views"):
            found += [Path(top, file) for file in sorted(files)]
        return [name for name in found if self.is_at(name)]

    def is_at(self, name: Path, rotten: bool = False) -> bool:
        """Say whether it has a name, and with ``rotten`` whether it is known to be rotten, too."""
        try:
            status = name.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return (status.st_dev, status.st_ino) == (self.device, self.number) and (not rotten or is_rotten(status))


class ContentNames:
    """The names of contents in the store at ``root``. One lock is for all who replace any: a sync and a scrub may."""

    def __init__(self, root: Path, fs: Fs) -> None:
        self._root, self._fs = root, fs
        self._staging = root / "staging"

    def take_over(self, sound: Path, rotten: Inode) -> int:
        """Give a verified, frozen and durable file of ``staging`` all names of a rotten content, and no other.

        Returns how many names the rotten one has left: none of them is the store's.
        """
        with self._locked():
            self._finish(rotten.etag)
            names = rotten.names(self._root)
            if not names:  # somebody else repaired or collected it
                self._fs.unlink(sound)
                return 0
            try:
                self._fs.link(names[0], self._staging / f"{rotten.etag}{_ROTTEN}")
            except OSError as problem:
                if problem.errno != errno.EMLINK:  # ext4 gives a file 65,000: the next scrub finds what a crash leaves
                    raise
            self._fs.rename(sound, self._staging / f"{rotten.etag}{_SOUND}")
            self._fs.sync_dir(self._staging)
            return self._replace(rotten)

    def finish(self) -> list[str]:
        """Finish what a crash cut short. Returns what was done."""
        with self._locked():
            etags = {file.stem for suffix in (_ROTTEN, _SOUND) for file in self._staging.glob(f"*{suffix}")}
            for etag in sorted(etags):
                self._finish(etag)
        return [f"{etag} was being repaired" for etag in sorted(etags)]

    def discard(self, rotten: Inode) -> bool:
        """Remove a rotten content if nothing but the pool has it, and say whether it did."""
        with self._locked():
            names = rotten.names(self._root)
            if not names or any(name.parent.name not in ("pool", "staging") for name in names):
                return False
            for name in names:
                self._fs.unlink(name)
            self._fs.sync_dir(self._root / "pool")
        return True

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self._root / "locks" / "names", wait=True)

    def _finish(self, etag: str) -> None:
        rotten, sound = (self._staging / f"{etag}{suffix}" for suffix in (_ROTTEN, _SOUND))
        if rotten.exists() or sound.exists():
            # names that a killed process gave may not be durable yet, and once these two are gone nothing tells
            self._fs.sync_all(self._root)
        if rotten.exists() and sound.exists():
            self._replace(Inode.of(rotten))
        else:  # it had not begun, or was done
            self._fs.unlink(rotten)
            self._fs.unlink(sound)

    def _replace(self, rotten: Inode) -> int:
        handle, sound, draft = (self._staging / f"{rotten.etag}{suffix}" for suffix in (_ROTTEN, _SOUND, _DRAFT))
        while True:
            # again, until all are found: a view may move meanwhile
            names = [name for name in rotten.names(self._root) if rotten.is_at(name, rotten=True)]
            if len(names) < 2:
                break
            for name in names[:-1]:
                with self._claimed(rotten, name) as is_mine:
                    if is_mine:
                        self._fs.unlink(draft)
                        self._fs.link(sound, draft)
                        self._fs.rename(draft, name)
            self._sync_dirs(names[:-1])
        for name in names:
            with self._claimed(rotten, name) as is_mine:
                if is_mine:
                    # not linked: the rotten one may have had all the names that ext4 gives a file
                    self._fs.rename(sound, name)
        self._sync_dirs(names)
        left = handle.lstat().st_nlink - 1 if handle.exists() else 0
        for name in (draft, sound, handle):
            self._fs.unlink(name)
        self._fs.sync_dir(self._staging)
        return left

    @contextlib.contextmanager
    def _claimed(self, rotten: Inode, name: Path) -> Iterator[bool]:
        """Say whether a name is still the rotten one's, and let nobody collect it meanwhile."""
        lock: AbstractContextManager[None] = contextlib.nullcontext()
        if name.parent.name == "blobs" and name.parents[2] == self._root / "hub":
            lock = locked(self._root / "locks" / "repo" / name.parents[1].name, wait=True)
        with lock, contextlib.suppress(FileNotFoundError):  # a view or a repository may go
            yield rotten.is_at(name, rotten=True)

    def _sync_dirs(self, names: list[Path]) -> None:
        for folder in sorted({name.parent for name in names}):
            with contextlib.suppress(FileNotFoundError):
                self._fs.sync_dir(folder)
