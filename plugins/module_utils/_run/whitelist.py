# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whitelist of a host: a folder of files, which are read once a run has begun."""

from __future__ import annotations

import contextlib
from pathlib import Path

from .._plan.whitelist import WhitelistError
from .._plan.whitelist_files import SUFFIXES, read_folder
from .._plan.whitelist_folder import Whitelist, join_files
from .._store.node import known_node, own_node
from .._store.store import Store
from .._store.whitelist_record import FileRecord, later, read_records, write_records


class WhitelistFolder:
    """A folder of whitelists, each of which somebody else may keep."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._noted: object = None

    def read(self, store: Store) -> Whitelist:
        """Return what all files say; one that is wrong or gone says what it said last.

        Raises WhitelistError where no file says or ever said anything, or the folder can't be read.
        """
        read, known, own = read_folder(self.folder), read_records(store), known_node(store)
        if not read and not known:
            raise WhitelistError(f"{self.folder} has no file named *.yml or *.yaml")
        gone = {name: f"{self.folder / name}" for name, one in known.items() if one.node == own}
        gone |= {name: f"{name} of another node" for name, one in known.items() if one.node != own and one.is_gone}
        return join_files(read, {name: one.wanted for name, one in known.items()}, gone)

    def note(self, store: Store, whitelist: Whitelist) -> None:
        """Note what files say, for when one is wrong or gone, and for the other nodes. The run lock must be held."""
        known = read_records(store)
        own, now = own_node(store), store.clock.now()
        noted = dict(known)
        for name in {*known, *whitelist.files}:
            old = known.get(name)
            said = whitelist.files.get(name, ())
            is_elsewhere = old and old.node != own and not self._has(name)
            if name not in whitelist.problems and not is_elsewhere:
                if old is None or old.wanted != said or old.is_gone:
                    noted[name] = FileRecord(said, later(now, old), own)
            elif old and old.node == own and not old.is_gone and not self._has(name):
                noted[name] = FileRecord(old.wanted, later(now, old), own, is_gone=True)
        write_records(store, noted)

    def is_news(self) -> bool:
        """Say whether the folder changed since this was asked."""
        noted, self._noted = self._noted, self._state()
        return noted != self._noted

    def forget(self) -> None:
        """Take the folder as it is now for news."""
        self._noted = None

    def _has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def _state(self) -> object:
        """Return what changes when a file does."""
        found = []
        with contextlib.suppress(OSError):
            for file in sorted(self.folder.iterdir()):
                if file.suffix in SUFFIXES:
                    status = file.stat()
                    found.append((file.name, status.st_mtime_ns, status.st_size, status.st_ino))
        return found
