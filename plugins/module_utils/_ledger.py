# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: what happened, in JSON lines, one file a month; and the state that is derived from it.

Intents are durable before what they announce happens. A torn last line (power cut) is skipped by readers and ended by
the next writer. Unchanged repositories are one count in the run's record: a year of 500 repositories is some megabytes.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import _fs
from ._clock import Clock, stamp
from ._fs import Fs
from ._lock import locked

Record = dict[str, Any]


@dataclass
class RepoState:
    """How one entry of the whitelist fares. Times are seconds since 1970; ``failures`` counts those in a row."""

    failures: int = 0
    message: str = ""
    cause: str = ""
    last_success: float | None = None
    last_failure: float | None = None
    alerted: bool = False


@dataclass
class Bad:
    """A content that arrived wrong: it is not asked for again before ``until`` (seconds since 1970)."""

    times: int
    until: float
    message: str


@dataclass
class State:
    """What the next run, the alerts and the status page go by. Lost, it is rebuilt from the ledger, but for ``bad``."""

    run: int = 0
    repos: dict[str, RepoState] = field(default_factory=dict)
    bad: dict[str, Bad] = field(default_factory=dict)

    def to_json(self) -> Record:
        """Return a value that ``from_json`` understands."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> State:
        """Read what ``to_json`` wrote."""
        repos = {name: RepoState(**fields) for name, fields in value["repos"].items()}
        return cls(value["run"], repos, {name: Bad(**fields) for name, fields in value["bad"].items()})

    def apply(self, record: Mapping[str, Any]) -> None:
        """Take a record of the ledger into account."""
        self.run = max(self.run, record.get("run", 0))
        if record["kind"] == "run":
            seconds: float = record["seconds"]
            for name in record["succeeded"]:
                self._succeeded(name, seconds)
            for name, (message, cause) in record["failed"].items():
                repo = self.repos.setdefault(name, RepoState())
                repo.failures += 1
                repo.message, repo.cause, repo.last_failure = message, cause, seconds
        elif record["kind"] == "alert":
            for name in record["failing"]:
                self.repos.setdefault(name, RepoState()).alerted = True
            for name in record["recovered"]:
                self.repos.setdefault(name, RepoState()).alerted = False

    def _succeeded(self, name: str, seconds: float) -> None:
        old = self.repos.get(name, RepoState())
        self.repos[name] = RepoState(last_success=seconds, last_failure=old.last_failure, alerted=old.alerted)


class Ledger:
    """The ledger in a folder. Reading needs no lock."""

    def __init__(self, folder: Path, fs: Fs, clock: Clock) -> None:
        self._folder, self._fs, self._clock = folder, fs, clock
        self._state_file = folder / "state.json"

    def append(self, kind: str, durable: bool = True, **fields: Any) -> Record:
        """Write a record; the time is added. With ``durable`` it survives a power cut from here on."""
        now = self._clock.now()
        record: Record = {"time": stamp(now), "kind": kind, **fields}
        file = self._folder / f"{stamp(now)[:7]}.jsonl"
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"
        with locked(self._folder / "lock", wait=True):
            new = not file.exists()
            if _is_torn(file):
                line = b"\n" + line
            self._fs.append(file, line, durable)
            if new and durable:
                self._fs.sync_dir(self._folder)
        return record

    def records(self, newest_first: bool = False) -> Iterator[Record]:
        """Yield all records that can be read."""
        files = sorted(self._folder.glob("[0-9]*.jsonl"), reverse=newest_first)
        for file in files:
            lines = file.read_bytes().splitlines()
            for line in reversed(lines) if newest_first else lines:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict) and "kind" in record:
                    yield record

    def state(self) -> State:
        """Return the state, rebuilt where its file is missing or broken."""
        try:
            return State.from_json(json.loads(self._state_file.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            state = State()
            for record in self.records():
                state.apply(record)
            return state

    def save(self, state: State) -> None:
        """Write the state; only who holds the run lock, or reports alerts, does so."""
        content = json.dumps(state.to_json(), ensure_ascii=False, sort_keys=True).encode()
        with locked(self._folder / "lock", wait=True):
            _fs.replace_file(self._fs, self._state_file, content, self._folder)


def _is_torn(file: Path) -> bool:
    """Say whether a file ends in the middle of a line."""
    try:
        with file.open("rb") as source:
            source.seek(-1, os.SEEK_END)
            return source.read(1) != b"\n"
    except (FileNotFoundError, OSError):
        return False
