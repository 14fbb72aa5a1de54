# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk for a year of runs: it counts what is done to it, syncs nothing, and may kill the run at any call.

Without fsync a year takes minutes. A kill loses nothing that the kernel has, so nothing of what is looked at here hangs
on it; power cuts are proved elsewhere (``unit/engine/machine``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.fs import Fs

_GIB = 1 << 30


class Killed(BaseException):
    """The process is dead: nothing catches this, and nothing changes the disk any more."""


class YearFs(Fs):
    """``calls`` counts the calls that change or sync anything; the run is killed at number ``kill_at``.

    A write that is the last call is half done, any other is not done at all.
    """

    def __init__(self, kill_at: int | None = None) -> None:
        self.calls = 0
        self._kill_at = kill_at
        self._dead = False

    def _step(self, half: Callable[[], Any] | None = None) -> None:
        if self._dead:
            raise Killed
        self.calls += 1
        if self.calls == self._kill_at:
            if half:
                half()
            self._dead = True
            raise Killed

    # ---- names

    def mkdir(self, folder: Path) -> None:
        if not folder.is_dir():
            self._step()
            super().mkdir(folder)

    def link(self, source: Path, name: Path) -> None:
        self._step()
        super().link(source, name)

    def symlink(self, target: str, link: Path) -> None:
        self._step()
        super().symlink(target, link)

    def rename(self, source: Path, name: Path) -> None:
        self._step()
        super().rename(source, name)

    def unlink(self, name: Path) -> None:
        self._step()
        super().unlink(name)

    def rmtree(self, folder: Path) -> None:
        self._step(lambda: self._remove_some(folder))
        super().rmtree(folder)

    def _remove_some(self, folder: Path) -> None:
        files = [one for one in folder.rglob("*") if one.is_symlink() or one.is_file()]
        for file in files[: len(files) // 2]:
            file.unlink()

    # ---- content

    def write(self, file: Path, content: bytes, durable: bool = True) -> None:
        self._step(lambda: file.write_bytes(content[: len(content) // 2]))
        with file.open("xb") as target:
            target.write(content)

    def append(self, file: Path, content: bytes, durable: bool) -> None:
        self._step(lambda: super(YearFs, self).append(file, content[: len(content) // 2], False))
        super().append(file, content, False)

    def write_block(self, target: BinaryIO, block: bytes | bytearray | memoryview) -> None:
        self._step(lambda: super(YearFs, self).write_block(target, bytes(block)[: len(block) // 2]))
        super().write_block(target, block)

    def truncate(self, target: BinaryIO, size: int) -> None:
        self._step()
        super().truncate(target, size)

    def freeze(self, file: Path, mode: int, mtime: int) -> None:
        self._step()
        super().freeze(file, mode, mtime)

    # ---- durability

    def sync(self, target: BinaryIO) -> None:
        self._step()

    def sync_dir(self, folder: Path) -> None:
        self._step()

    def sync_all(self, folder: Path) -> None:
        self._step()

    def free(self, folder: Path) -> tuple[int, int, int]:
        return 90 * _GIB, 100 * _GIB, 1 << 20


class Reads:
    """Counts the files that this process opens and the folders that it lists, while told to."""

    def __init__(self) -> None:
        self._count = 0
        self._is_counting = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _arguments: tuple[Any, ...]) -> None:
        if self._is_counting and event in ("open", "os.listdir", "os.scandir"):
            self._count += 1

    @contextmanager
    def counted(self) -> Iterator[Callable[[], int]]:
        """Count for as long as the block lasts; what is lent says how many there were."""
        before = self._count
        self._is_counting = True
        try:
            yield lambda: self._count - before
        finally:
            self._is_counting = False
