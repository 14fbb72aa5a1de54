# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whitelist of a host: a folder of files, which are read once a run has begun."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._base.clock import seconds_of, stamp
from .._plan.wanted import Wanted
from .._plan.whitelist import WhitelistError
from .._plan.whitelist_files import SUFFIXES, Entries, read_folder
from .._plan.whitelist_folder import Whitelist, join_files
from .._store.node import known_node, own_node
from .._store.store import Store
from .._store.whitelist_record import FileRecord, later, read_own, read_records, write_records


class WhitelistFolder:
    """A folder of whitelists, each of which somebody else may keep.

    ``instead`` has entries by the name of the file that they stand for.
    """

    def __init__(self, folder: Path, instead: Mapping[str, Sequence[Any]] | None = None) -> None:
        self.folder, self._instead = folder, instead or {}
        self._noted: object = None

    def read(self, store: Store) -> Whitelist:
        """Return what all files say; one that is wrong or gone says what it said last.

        Raises WhitelistError where no file says or ever said anything, or the folder can't be read.
        """
        read, known, own = read_folder(self.folder), read_records(store), known_node(store)
        for name, given in self._instead.items():
            entries = Entries()
            entries.extend(given)
            entries.sources = [f"{name} entry {number}" for number in range(1, len(given) + 1)]
            read[name] = entries
        if not read and not known:
            raise WhitelistError(f"{self.folder} has no file named *.yml or *.yaml")
        gone = {name: f"{self.folder / name}" for name, one in known.items() if one.node == own}
        gone |= {name: f"{name} of another node" for name, one in known.items() if one.node != own and one.is_gone}
        said = read_own(store)

        def is_older(name: str, entries: tuple[Wanted, ...]) -> bool:
            one = known[name]
            # where it is gone, whoever has it again, or emptied it, did so since
            if name in self._instead or one.node == own or one.is_gone or one.wanted == entries:
                return False
            if name in said:  # what it said before another node said otherwise
                return said[name] == entries
            return _written(self.folder / name, store.clock.now()) < seconds_of(one.time)

        return join_files(read, {name: one.wanted for name, one in known.items()}, gone, is_older)

    def note(self, store: Store, whitelist: Whitelist) -> None:
        """Note what files say, for when one is wrong or gone, and for the other nodes. The run lock must be held."""
        known, said = read_records(store), dict(read_own(store))
        own, now = own_node(store), store.clock.now()
        noted = dict(known)
        for name in {*known, *whitelist.files}:
            old, is_here = known.get(name), _exists(self.folder / name)
            entries = whitelist.files.get(name, ())
            if name in whitelist.problems:
                if old and old.node == own and not old.is_gone and not is_here:
                    noted[name] = FileRecord(old.wanted, later(now, old), own, is_gone=True)
            elif old is None or ((is_here or old.node == own) and (old.wanted != entries or old.is_gone)):
                # a file that is new here may be older than what another node tells of it
                since = later(now, old) if old else stamp(min(now, _written(self.folder / name, now)))
                noted[name] = FileRecord(entries, since, own)
        said.update({name: one for name, one in whitelist.said.items() if name not in whitelist.problems})
        write_records(store, noted, {name: entries for name, entries in said.items() if name in noted})

    def is_news(self) -> bool:
        """Say whether the folder changed since this was asked."""
        noted, self._noted = self._noted, self._state()
        return noted != self._noted

    def forget(self) -> None:
        """Take the folder as it is now for news."""
        self._noted = None

    def _state(self) -> object:
        """Return what changes when a file does."""
        found: list[object] = []
        with contextlib.suppress(OSError):
            status = self.folder.stat()
            found.append((status.st_mode, status.st_ctime_ns))
            files = sorted(file for file in self.folder.iterdir() if file.name.endswith(SUFFIXES))
            found += [(file.name, _status(file)) for file in files]
        return found


def _status(file: Path) -> object:
    try:
        status = file.stat()
    except (OSError, RuntimeError) as problem:
        return str(problem)
    return status.st_ctime_ns, status.st_mtime_ns, status.st_size, status.st_ino


def _written(file: Path, now: float) -> float:
    """Return when a file was written, ``now`` where it has just gone."""
    try:
        return max(file.stat().st_mtime, 0.0)
    except OSError:
        return now


def _exists(file: Path) -> bool:
    """Say whether there is a file of that name, wherever it leads."""
    return os.path.lexists(file)
