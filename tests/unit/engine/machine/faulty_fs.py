# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that fail: the engine's ``Fs``, one system call after the other, each of which may be the last."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.fs import Fs
from unit.engine.machine.disk import Cut, Data, Disk, Meta, Move, Name

GIB = 1 << 30


class Crash(BaseException):
    """The process is dead: nothing catches this, and nothing changes the disk any more."""


class CrashingFs(Fs):
    """Counts the system calls that change or sync anything in ``calls``, and dies at number ``crash_at``.

    A write that is the last call is half done, any other is not done at all. What is done is told to ``disk``, the
    model; nothing is really synced. It refuses what would leave the store, and what another user than root may not do.
    """

    def __init__(self, disk: Disk, crash_at: int | None = None) -> None:
        self.disk, self.crash_at = disk, crash_at
        self.calls = 0
        self.dead = False
        self._inside: set[str] = set()  # folders of the store
        #: For each call the number of events on the disk before it.
        self.marks: list[int] = []

    @property
    def is_full(self) -> bool:
        """True when the disk has refused something for want of room."""
        return False

    def step(self, path: Path, half: Callable[[], None] | None = None, grows: bool = False) -> None:
        """Stand before a system call; ``grows`` where it may need room on the disk."""
        self._refuse_outside(path)
        if self.dead:
            raise Crash
        self.marks.append(len(self.disk.events))
        self.calls += 1
        if self.calls == self.crash_at:
            if half:
                half()
            self.dead = True
            raise Crash

    def _refuse_outside(self, path: Path) -> None:
        folder, root = os.path.dirname(path), str(self.disk.root)
        if folder not in self._inside and str(path) != root:
            real = os.path.realpath(folder)
            assert real == root or real.startswith(f"{root}/"), f"{path} is outside of the store"
            self._inside.add(folder)

    # ---- names

    def mkdir(self, folder: Path) -> None:
        wanted = [folder]
        while not wanted[-1].exists():
            wanted.append(wanted[-1].parent)
        for missing in reversed(wanted[:-1]):
            self.step(missing, grows=True)
            missing.mkdir()
            self.disk.do(Name(*self.disk.place(missing), self.disk.new_folder()))

    def link(self, source: Path, name: Path) -> None:
        self.step(name, grows=True)
        super().link(source, name)
        self.disk.do(Name(*self.disk.place(name), self._known(source)))

    def symlink(self, target: str, link: Path) -> None:
        self.step(link, grows=True)
        super().symlink(target, link)
        self.disk.do(Name(*self.disk.place(link), self.disk.new_link(target)))

    def rename(self, source: Path, name: Path) -> None:
        self.step(name)
        self._refuse_outside(source)
        super().rename(source, name)
        self.disk.do(Move(*self.disk.place(source), *self.disk.place(name), self._known(source)))

    def unlink(self, name: Path) -> None:
        if os.path.lexists(name):
            self.step(name)
            super().unlink(name)
            if self.disk.inode(name) is not None:
                self.disk.do(Name(*self.disk.place(name), None))

    def rmtree(self, folder: Path) -> None:
        if not folder.exists():
            return
        for top, folders, files in os.walk(folder, topdown=False):
            for name in sorted(files) + [one for one in folders if Path(top, one).is_symlink()]:
                self.unlink(Path(top, name))
            self.step(Path(top))
            os.rmdir(top)
            self.disk.do(Name(*self.disk.place(Path(top)), None))

    # ---- content

    def write(self, file: Path, content: bytes, durable: bool = True) -> None:
        self.step(file, grows=True)
        with file.open("xb", buffering=0) as target:
            self.disk.do(Name(*self.disk.place(file), self.disk.new_file()))
            self._write(target, content)
            if durable:
                self.sync(target)

    def append(self, file: Path, content: bytes, durable: bool) -> None:
        if not file.exists():
            self.step(file, grows=True)
            file.touch()
            self.disk.do(Name(*self.disk.place(file), self.disk.new_file()))
        with file.open("ab", buffering=0) as target:
            self._write(target, content)
            if durable:
                self.sync(target)

    def write_block(self, target: BinaryIO, block: bytes | bytearray | memoryview) -> None:
        self._write(target, bytes(block))

    def _write(self, target: BinaryIO, content: bytes) -> None:
        path = Path(target.name)
        self.step(path, half=lambda: self._put(target, content[: len(content) // 2]), grows=True)
        self._put(target, content)

    def _put(self, target: BinaryIO, content: bytes) -> None:
        at = os.fstat(target.fileno()).st_size
        super().write_block(target, content)
        self.disk.do(Data(self._known(Path(target.name)), at, content))

    def truncate(self, target: BinaryIO, size: int) -> None:
        if not os.fstat(target.fileno()).st_mode & 0o200:
            raise PermissionError(errno.EACCES, "only root may open this for writing", target.name)
        self.step(Path(target.name))
        super().truncate(target, size)
        self.disk.do(Cut(self._known(Path(target.name)), size))

    def freeze(self, file: Path, mode: int, mtime: int) -> None:
        self.step(file)
        file.chmod(mode)
        self.disk.do(Meta(self._known(file), mode=mode))
        self.step(file)
        os.utime(file, (mtime, mtime))
        self.disk.do(Meta(self._known(file), mtime=mtime))

    def forbid(self, source: BinaryIO) -> None:
        path = Path(source.name)
        self.step(path)
        os.fchmod(source.fileno(), 0)
        self.disk.do(Meta(self._known(path), mode=0))
        self.sync(source)

    def _known(self, path: Path) -> int:
        """Return the inode of a path; the engine opens parts by itself, so that one may be new here."""
        inode = self.disk.inode(path)
        if inode is None:
            inode = self.disk.new_file()
            self.disk.do(Name(*self.disk.place(path), inode))
        return inode

    # ---- durability

    def sync(self, target: BinaryIO) -> None:
        self.step(Path(target.name))
        self.disk.sync(self._known(Path(target.name)))

    def sync_dir(self, folder: Path) -> None:
        self.step(folder)
        inode = self.disk.inode(folder)
        assert inode is not None, f"nobody made {folder}"
        self.disk.sync(inode)

    def sync_all(self, folder: Path) -> None:
        self.step(folder)
        self.disk.sync(None)

    def free(self, folder: Path) -> tuple[int, int, int]:
        return 90 * GIB, 100 * GIB, 1 << 20


class FullFs(CrashingFs):
    """A disk that is full from the ``full_at``-th call on that needs room: half of a write fits, nothing after it.

    With ``is_short`` there is room again after that one call.
    ``free`` is what the disk says of itself: free bytes, all bytes, free inodes; ``fetched``, what came and was not
    thrown away, is taken off it.
    """

    def __init__(
        self,
        disk: Disk,
        full_at: int | None = None,
        free: tuple[int, int, int] | None = None,
        is_short: bool = False,
    ) -> None:
        super().__init__(disk)
        self.full_at, self.says, self.is_short = full_at, free, is_short
        self.growing = 0
        self.fetched = 0

    @property
    def is_full(self) -> bool:
        if self.full_at is None or self.growing < self.full_at:
            return False
        return not self.is_short or self.growing == self.full_at

    def step(self, path: Path, half: Callable[[], None] | None = None, grows: bool = False) -> None:
        super().step(path, half, grows)
        self.growing += grows
        if grows and self.is_full:
            if half and self.growing == self.full_at:
                half()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def free(self, folder: Path) -> tuple[int, int, int]:
        free, total, inodes = self.says or super().free(folder)
        return free - self.fetched, total, inodes

    def write_block(self, target: BinaryIO, block: bytes | bytearray | memoryview) -> None:
        super().write_block(target, block)
        self.fetched += len(block)

    def truncate(self, target: BinaryIO, size: int) -> None:
        # what arrived wrong makes room for another try
        before = os.fstat(target.fileno()).st_size
        super().truncate(target, size)
        self.fetched -= max(before - size, 0)


def faulty(disk: Disk, fault: tuple[Any, ...] | None) -> CrashingFs:
    """Return a disk that fails as ``stories.FAULTS`` says: its kind, and at which call."""
    if not fault:
        return CrashingFs(disk)
    return FullFs(disk, fault[1]) if fault[0] == "full" else CrashingFs(disk, fault[1])
