# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that says on the console what it is about to do to the disk, and what it has told to be durable.

The engine is handed its clock and its disk; these are the real ones, and speak.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.fs import Fs
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.ledger import Ledger, Record

from powercut.words import CALL, COLLECTION, PUBLISH, STAGES, SYNC, TOLD

#: All that a disk is asked to do, but for reading.
_CALLS = (
    "mkdir",
    "open_part",
    "write",
    "note",
    "append",
    "write_block",
    "truncate",
    "sync",
    "sync_dir",
    "sync_all",
    "link",
    "symlink",
    "rename",
    "unlink",
    "rmtree",
    "freeze",
    "forbid",
)
_console = threading.Lock()


def say(word: str, what: object) -> None:
    """Write a line that whoever cuts the power reads."""
    with _console:
        print(word, what, flush=True)


class StandingClock(Clock):
    """The same time in each run, or no two stores would be equal; waits are real ones."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def now(self) -> float:
        return self._seconds


class TellingFs(Fs):
    """Says before each call what the engine is at: collecting, publishing, or anything else in a sync.

    Several threads fetch and publish at once: a publish is under way while one of them is at it.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._top = str(root)
        self._stages: dict[int, str] = {}
        self.is_collecting = False

    def tell(self, call: str, path: str) -> None:
        thread, under_way = threading.get_ident(), self._stages
        under_way[thread] = self._stage_of(call, path, under_way.get(thread, SYNC))
        stage = max(list(under_way.values()), key=STAGES.index)
        say(CALL, f"{stage} {call}")

    def end(self) -> None:
        """Take note that what a thread was at is done."""
        self._stages[threading.get_ident()] = SYNC

    def _stage_of(self, call: str, path: str, before: str) -> str:
        name = path.removeprefix(self._top).split("/")[1:2]
        if name == ["ledger"]:  # a record belongs to what it tells of
            return before
        if name == ["trash"] or (self.is_collecting and name in (["hub"], ["pool"])):
            return COLLECTION
        is_publish = name in (["hub"], ["names"], ["views"]) or (name == ["pool"] and call == "sync_dir")
        return PUBLISH if is_publish else SYNC


def _telling(name: str) -> Callable[..., Any]:
    def call(self: TellingFs, place: Any, *arguments: Any) -> Any:
        self.tell(name, str(getattr(place, "name", place) if not isinstance(place, Path) else place))
        return getattr(Fs, name)(self, place, *arguments)

    return call


for _name in _CALLS:
    setattr(TellingFs, _name, _telling(_name))


class TellingLedger(Ledger):
    """Says of each record that is durable that it is."""

    def __init__(self, folder: Path, fs: TellingFs, clock: Clock) -> None:
        super().__init__(folder, fs, clock)
        self._disk = fs

    def append(self, kind: str, durable: bool = True, **fields: Any) -> Record:
        # the last of a run that changes repositories
        self._disk.is_collecting = self._disk.is_collecting or kind in ("retire", "collect")
        record = super().append(kind, durable, **fields)
        if durable:
            say(TOLD, json.dumps(record))
        if kind in ("publish", "collected"):
            self._disk.end()
        return record


def engine(root: Path, hub: str, now: float) -> Engine:
    """Return the engine for a store and a Hub, at a time."""
    fs, clock = TellingFs(root), StandingClock(now)
    found = Engine(Settings(root, endpoint=hub, workers=4, actor="power cut"), clock, fs)
    found.store.ledger = TellingLedger(root / "ledger", fs, clock)
    return found
