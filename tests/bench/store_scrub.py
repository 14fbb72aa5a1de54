# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a whole store from the disk: a scrub beside tools that do nothing but read, or read and hash."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from ansible_collections.modelops.hf_mirror.plugins.module_utils._store import store as _store

from bench.contenders import BIN
from bench.measure import Measured, run, series

FILES, BLOCKS, BLOCK = 20, 100, 1_000_000
BYTES = FILES * BLOCKS * BLOCK
_READ = 'for file; do dd if="$file" of=/dev/null bs=4M status=none; done'


class LargeContents:
    """A store below ``scratch`` with 2 GB that are on the disk and not in the page cache."""

    def __init__(self, scratch: Path) -> None:
        self._root, self._log = scratch / "scrub", scratch / "log"

    def measure(self, rounds: int) -> dict[str, list[Measured]]:
        """Make the store, measure, and remove it."""
        self._make()
        files = [str(self._root / "pool" / name) for name in sorted(os.listdir(self._root / "pool"))]
        scrub = [str(BIN / "hf-mirror"), "--store", str(self._root), "scrub", "--no-repair", "--json"]
        commands = {
            "hf-mirror scrub": scrub,
            "sha256sum": ["sha256sum", *files],
            "dd": ["sh", "-c", _READ, "sh", *files],
        }
        found = series(rounds, {name: self._cold(command, files) for name, command in commands.items()})
        shutil.rmtree(self._root)
        return found

    def _make(self) -> None:
        self._root.mkdir()
        store = _store.Store(self._root)
        store.prepare()
        for number in range(FILES):
            part = store.pool.part(str(number))
            hasher = hashlib.sha256()
            # in small blocks: what this process ever had is counted as memory of what it starts
            with part.open("wb") as target:
                for _block in range(BLOCKS):
                    block = os.urandom(BLOCK)
                    hasher.update(block)
                    target.write(block)
            store.pool.adopt(part, hasher.hexdigest())
        subprocess.run(["sync"], check=True)

    def _cold(self, command: list[str], files: list[str]) -> Callable[[], Measured]:
        def measured() -> Measured:
            for file in files:
                descriptor = os.open(file, os.O_RDONLY)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)
            return run(command, {}, self._log)

        return measured
