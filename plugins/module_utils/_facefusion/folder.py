# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FaceFusion's folder of models, ``.assets/models``: what is in it, and how a file gets there.

FaceFusion looks for names that it knows and for nothing else, so what begins with a dot is out of its way. What was not
asked for is left alone, whatever it is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .._base.errors import MirrorError
from .._base.fs import Fs, no_link
from .._base.lock import locked
from .._base.names import RepoPath
from .._fetch.fetch import DiskFullError
from .._plan.facts import File
from .record import Record, Seen

_LOCK = ".hf-mirror.lock"
_BLOCK = 1 << 20
_MODE = 0o644  # whoever runs FaceFusion reads them


@dataclass(frozen=True)
class Item:
    """A file that is wanted: its path in the repository, its name in the folder, what it has to be."""

    path: RepoPath
    name: str
    file: File
    #: Whether there is a file of that name, and what is known of it where it is the right one.
    exists: bool
    seen: Seen | None


class Folder:
    """The folder, called by several threads once its record was read."""

    record: Record

    def __init__(self, path: Path, fs: Fs | None = None) -> None:
        self.path, self.fs = path, fs or Fs()

    def read_record(self) -> None:
        """Read the record, as whom the folder belongs to: it may be what that one wants others to read."""
        self.record = Record(self.path)

    @contextlib.contextmanager
    def alone(self) -> Iterator[OSError | None]:
        """Let no other run change the folder meanwhile. Yields why nothing can be written, or None."""
        with contextlib.ExitStack() as stack:
            refusal = None
            try:
                self.fs.mkdir(self.path)
                stack.enter_context(locked(self.path / _LOCK, wait=True))
            except OSError as problem:
                refusal = problem
            self.read_record()
            yield refusal

    def look(self, path: RepoPath, name: str, file: File) -> Item:
        """See whether a file is there and right. It is hashed unless nothing was done to it since the last time."""
        place = self.path / name
        try:
            status = place.stat()
        except (FileNotFoundError, NotADirectoryError):
            return Item(path, name, file, place.is_symlink(), None)
        if not stat.S_ISREG(status.st_mode):
            raise MirrorError(f"{place} is not a file, but {path} has to be there: move it away")
        seen = self.record.seen(name, status, file)
        if seen is None and status.st_size == file.size:
            etag, crc32 = _hashes(place, file)
            if etag == file.etag:
                seen = self.record.remember(name, status, etag, crc32)
        return Item(path, name, file, True, seen)

    def part(self, item: Item) -> Path:
        """Return where a file is while it arrives: hidden beside its place, and gone on with after a kill."""
        place = self.path / item.name
        return place.with_name(f".{place.name}.{item.file.etag[:16]}.part")

    def make_place(self, item: Item) -> None:
        """Make the folder in which a file is to be."""
        self.fs.mkdir((self.path / item.name).parent)

    def check_room(self, items: list[Item]) -> None:
        """Refuse what there is no room for, before anything is fetched."""
        need = sum(max(item.file.size - _size_of(self.part(item)), 0) for item in items)
        free = self.fs.free(nearest(self.path))[0]
        if need > free:
            raise DiskFullError(
                f"the disk of {self.path} is too full: {need} bytes are needed, {free} are free, {need - free} bytes"
                " are missing. Nothing was changed"
            )

    def content(self, item: Item) -> bytes:
        """Return a short file that is here, or has arrived."""
        return (self.path / item.name if item.seen else self.part(item)).read_bytes()

    def crc32(self, item: Item) -> int:
        """Return the CRC32 of a file that is here, or has arrived."""
        if item.seen:
            return item.seen.crc32
        etag, crc32 = _hashes(self.part(item), item.file)
        if etag != item.file.etag:
            raise MirrorError(f"{self.part(item)} was changed after the download: run this again")
        return crc32

    def settle(self, item: Item) -> None:
        """Make a file that has arrived durable, which takes its time."""
        with open(self.part(item), "rb+", opener=no_link) as target:
            os.fchmod(target.fileno(), _MODE)
            self.fs.sync(target)

    def put(self, item: Item, crc32: int) -> None:
        """Let a file that is settled and was verified take its place."""
        part, place = self.part(item), self.path / item.name
        self.fs.rename(part, place)
        self.fs.sync_dir(place.parent)
        self.record.remember(item.name, place.stat(), item.file.etag, crc32)
        # of other contents that were once to come here
        for old in place.parent.glob(f".{place.name}.{'[0-9a-f]' * 16}.part"):
            self.fs.unlink(old)

    def drop(self, item: Item) -> None:
        """Take away what has arrived and can't be used."""
        self.fs.unlink(self.part(item))

    def refusal(self, problem: OSError) -> MirrorError:
        """Return what to say where the system refuses something."""
        name, why = problem.filename or self.path, problem.strerror or str(problem)
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            return DiskFullError(f"the disk of {self.path} is full", cause=f"the disk of {self.path} is full")
        if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            user = f"the user with id {os.geteuid()}"
            return MirrorError(f"{name}: {why}. Let {user} write in {nearest(self.path)}, or run this as another user")
        if problem.errno == errno.ELOOP:
            return MirrorError(f"{name} is a symbolic link, which is never written through: remove it")
        return MirrorError(f"{name}: {why}")

    def write_record(self) -> None:
        """Keep what was learned."""
        self.record.write(self.fs)


def nearest(path: Path) -> Path:
    """Return a folder, or where it is not to be seen the nearest above it that is."""
    return path if os.path.exists(path) or path == path.parent else nearest(path.parent)


def _hashes(place: Path, file: File) -> tuple[str, int]:
    """Return hash and CRC32 of a file."""
    hasher, crc32 = file.hasher(), 0
    with place.open("rb", buffering=0) as source:
        while block := source.read(_BLOCK):
            hasher.update(block)
            crc32 = zlib.crc32(block, crc32)
    return str(hasher.hexdigest()), crc32


def _size_of(place: Path) -> int:
    try:
        return os.stat(place).st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0
