# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pool: all contents of a store, by what they hash to. It alone knows what they are called there, and how often.

Each content has its first name here; a repository, a view or a part of a download gives it more, by hard links.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .._base.fs import Fs
from .._base.names import ETAG, Etag
from .inode import ContentNames, Inode, is_rotten

_ETAG = re.compile(ETAG)
#: Every blob's modification time: both nodes of a pair must send the same Last-Modified.
MTIME = 1_577_836_800  # 2020-01-01T00:00:00Z
_BLOB_MODE, _PART_MODE = 0o444, 0o644


class TooManyNamesError(OSError):
    """A file has all names that its file system gives it: ext4 gives 65,000."""


def is_named(status: os.stat_result, names: int = 0) -> bool:
    """Say whether a content has more names than the pool's and so many others."""
    return status.st_nlink > names + 1


class Usage(NamedTuple):
    """What a pool has: contents, their bytes, and how many of them were found rotten."""

    contents: int
    bytes: int
    rotten: int


class Pool:
    """The contents of the store at ``root``, those that are put together in ``staging`` among them."""

    def __init__(self, root: Path, fs: Fs) -> None:
        self._root, self._fs = root, fs
        self.folder, self._staging = root / "pool", root / "staging"

    def path(self, etag: str) -> Path:
        """Return where a content is read."""
        return self.folder / etag

    def __contains__(self, etag: object) -> bool:
        """Say whether a content is here that nobody found rotten."""
        try:
            status = self.path(str(etag)).lstat()
        except FileNotFoundError:
            return False
        return stat.S_ISREG(status.st_mode) and not is_rotten(status)

    def size(self, etags: Iterable[str]) -> int:
        """Return the bytes of those of these contents that are here."""
        return sum(self.path(etag).stat().st_size for etag in etags if etag in self)

    def usage(self) -> Usage:
        """Count all contents, in one pass."""
        count = size = rotten = 0
        for _name, status in self.statuses():
            count, size, rotten = count + 1, size + status.st_size, rotten + is_rotten(status)
        return Usage(count, size, rotten)

    def statuses(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield name and status of all that is here, whatever it is."""
        for entry in os.scandir(self.folder) if self.folder.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):
                yield entry.name, entry.stat(follow_symlinks=False)

    def rotten(self) -> frozenset[str]:
        """Return the contents that were found rotten."""
        return frozenset(name for name, status in self.statuses() if is_rotten(status))

    # ---- coming

    def part(self, etag: str) -> Path:
        """Return where a content is put together."""
        return self._staging / f"{etag}.part"

    def adopt(self, part: Path, etag: Etag) -> None:
        """Take a verified file in, for what is rotten, too. A commit's seal makes its name durable."""
        self.freeze(part)
        try:
            self._fs.link(part, self.path(etag))
        except FileExistsError:  # what has the name was verified, too
            if etag not in self:
                ContentNames(self._root, self._fs).take_over(part, Inode.of(self.path(etag)))
                return
        self._fs.unlink(part)

    def freeze(self, part: Path) -> None:
        """Make a verified file what all contents are; durable then."""
        self._fs.freeze(part, _BLOB_MODE, MTIME)
        with part.open("rb") as content:
            self._fs.sync(content)

    def thaw(self, part: Path) -> None:
        """Take that back, where it got no name: it can be gone on with only when it can be written."""
        self._fs.freeze(part, _PART_MODE, int(part.stat().st_mtime))

    def link(self, etag: str, name: Path) -> None:
        """Give a content one more name. Raises FileNotFoundError where it is not here, TooManyNamesError."""
        try:
            self._fs.link(self.path(etag), name)
        except OSError as problem:
            if problem.errno != errno.EMLINK:
                raise
            raise TooManyNamesError(errno.EMLINK, os.strerror(errno.EMLINK), str(name)) from problem

    def renew(self, etag: str, build: Path) -> None:
        """Let a copy, which is made in an empty folder, take over the pool's name, and get the next ones."""
        old, draft = self.path(etag), build / etag
        self._fs.write(draft, old.read_bytes())
        status = old.stat()
        self._fs.freeze(draft, status.st_mode & 0o777, int(status.st_mtime))
        with draft.open("rb") as content:
            self._fs.sync(content)
        self._fs.rename(draft, old)
        self.sync()

    def sync(self) -> None:
        """Make names durable."""
        self._fs.sync_dir(self.folder)

    # ---- going

    def forget(self, blob: Path) -> int:
        """Take the name of a content away that has one more, ``blob``, which is to go. Returns the bytes freed then."""
        name, status = self.path(blob.name), blob.stat()
        if is_named(status, 1):
            return 0
        if is_named(status) and name.exists() and name.samefile(blob):
            self._fs.unlink(name)
        return status.st_size

    def take_down(self, etag: str) -> None:
        """Remove a content, and what was fetched of it."""
        for left in (self.path(etag), self.part(etag)):
            self._fs.unlink(left)
        self.sync()

    def orphans(self, before: float) -> dict[str, int]:
        """Return what nothing has named since a time: contents and parts of downloads, with their bytes."""
        found = {}
        for folder, part_of in ((self.folder, False), (self._staging, True)):
            for entry in os.scandir(folder) if folder.is_dir() else ():
                status = entry.stat(follow_symlinks=False)
                # the inode's time of change moves when a name goes, the time of modification is all contents' own
                since = status.st_mtime if part_of else status.st_ctime
                is_ours = entry.name.endswith(".part") if part_of else not entry.name.startswith(".")
                if is_ours and not is_named(status) and since < before:
                    found[f"{folder.name}/{entry.name}"] = status.st_size
        return found

    def forget_orphan(self, name: str) -> None:
        """Remove one of these, unless it got a name meanwhile."""
        file = self._root / name
        with contextlib.suppress(FileNotFoundError):
            if not is_named(file.stat()):
                self._fs.unlink(file)

    def recover(self) -> list[str]:
        """Finish or take back what a run that was killed left of downloads and repairs. Returns what was done."""
        done = ContentNames(self._root, self._fs).finish()
        for part in sorted(self._staging.glob("*.part")):
            if not _ETAG.fullmatch(part.stem):
                continue
            status = part.lstat()
            # one with more names is a content, maybe a rotten one, and must not be written again
            if not stat.S_ISREG(status.st_mode):
                self._fs.rmtree(part)
                done.append(f"{part.name} was no file")
            elif part.stem in self or is_named(status):
                self._fs.unlink(part)
                done.append(f"{part.name} was verified and in the pool already")
            elif not status.st_mode & 0o200:
                self.thaw(part)
        return done
