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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._base import fs as _fs
from .._base.clock import Clock, stamp
from .._base.errors import Besides
from .._base.fs import Fs
from .._base.lock import locked
from .._border.json import read_document

Record = dict[str, Any]
#: Seconds by which the store gets older between two runs at most, whatever the clock says: two days of daily runs.
_LONGEST_PAUSE = 2 * 86400
#: The name of what fails with a run that died.
RUN = Besides.RUN.value
#: Seconds for which a content that arrived wrong is left alone at most.
LONGEST_DELAY = 7 * 86400


#: How a run can end: whole, stopped by somebody, or dead.
_ENDS = ("run", "stopped", "died")


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
    """What is left alone until a time (seconds since 1970): a content that arrived wrong, an upstream that failed."""

    times: int
    until: float
    message: str

    def counts(self, now: float) -> bool:
        """Say whether it is too early to ask again; a clock that was wrong must not forbid it for years."""
        return now < self.until <= now + LONGEST_DELAY


def _or_0(value: Any) -> Any:
    return 0 if value is None else value


@dataclass
class State:
    """What the next run, the alerts and the status page go by.

    Lost, it is rebuilt from the ledger, but for ``bad`` and ``upstreams``.
    ``age`` is the store's at the end of the ``last_run``: seconds that no clock that jumps can spend. ``node`` is what
    keepalived last made of this node of a pair, its ``state`` ``since`` when, and its ``takeovers``. ``upto`` is how
    far the ledger was read for it: file and bytes. ``under_way`` is the run that began and did not record its end yet.
    ``upstreams`` are those of several that are left for a while, by endpoint.
    """

    run: int = 0
    age: float = 0.0
    last_run: float | None = None
    repos: dict[str, RepoState] = field(default_factory=dict)
    bad: dict[str, Bad] = field(default_factory=dict)
    node: dict[str, Any] | None = None
    upto: tuple[str, int] = ("", 0)
    under_way: int | None = None
    upstreams: dict[str, Bad] = field(default_factory=dict)

    def to_json(self) -> Record:
        """Return a value that ``from_json`` understands."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> State:
        """Read what ``to_json`` wrote."""
        repos = {name: RepoState(**fields) for name, fields in value["repos"].items()}
        upstreams = {name: Bad(**fields) for name, fields in value.get("upstreams", {}).items()}
        bad = {name: Bad(**fields) for name, fields in value["bad"].items() if name.count(" ") >= 2}
        name, size = value["upto"]
        numbers = [value["run"], value["age"], size, *map(_or_0, (value["last_run"], value.get("under_way")))]
        for repo in repos.values():
            numbers += [repo.failures, *map(_or_0, (repo.last_success, repo.last_failure))]
        numbers += [one for known in (*bad.values(), *upstreams.values()) for one in (known.times, known.until)]
        texts = [name, *(known.message for known in upstreams.values())]
        texts += [text for repo in repos.values() for text in (repo.message, repo.cause)]
        if not all(isinstance(one, _NUMBER) for one in numbers) or not all(isinstance(one, str) for one in texts):
            raise TypeError("the state is none of ours")
        if min(numbers) < 0 or max(numbers) > 1 << 53:
            raise ValueError("the state has numbers that nothing counts to")
        upto = (str(name), int(size))
        node, under_way = value.get("node"), value.get("under_way")
        if node is not None and not (
            isinstance(node["state"], str)
            and isinstance(node["since"], str)
            and isinstance(node.get("takeovers", 0), int)
        ):
            raise TypeError("the state has a node that is none")
        return cls(value["run"], value["age"], value["last_run"], repos, bad, node, upto, under_way, upstreams)

    def age_at(self, seconds: float) -> float:
        """Return the store's age at a time: it grows from run to run, and never by more than a pause may take."""
        passed = 0.0 if self.last_run is None else seconds - self.last_run
        return self.age + min(max(passed, 0.0), _LONGEST_PAUSE)

    def apply(self, record: Mapping[str, Any]) -> None:
        """Take a record of the ledger into account."""
        self.run = max(self.run, record.get("run") or 0)
        if record["kind"] == "start":
            self.under_way = record.get("run")
        elif record["kind"] in _ENDS and record.get("run", self.under_way) == self.under_way:
            self.under_way = None
        if record["kind"] == "run":
            seconds: float = record["seconds"]
            self.age, self.last_run = self.age_at(seconds), seconds
            self.succeeded(record["succeeded"], seconds)
            for name, (message, cause) in record["failed"].items():
                repo = self.repos.setdefault(name, RepoState())
                repo.failures += 1
                repo.message, repo.cause, repo.last_failure = message, cause, seconds
            if RUN in self.repos:
                self.succeeded([RUN], seconds)
        elif record["kind"] == "died":
            run = self.repos.setdefault(RUN, RepoState())
            run.failures += 1
            run.message, run.cause, run.last_failure = record["message"], record["cause"], record["seconds"]
        elif record["kind"] == "alert":
            for name in record["failing"]:
                self.repos.setdefault(name, RepoState()).alerted = True
            for name in record["recovered"]:
                self.repos.setdefault(name, RepoState()).alerted = False
        elif record["kind"] == "node":
            before = self.node or {}
            came = record["state"] == "active" != before.get("state")
            takeovers = before.get("takeovers", 0) + came
            self.node = {"state": record["state"], "since": record["time"], "takeovers": takeovers}

    def succeeded(self, names: Iterable[str], seconds: float) -> None:
        """End the streaks of failures of these entries."""
        for name in names:
            old = self.repos.get(name, RepoState())
            self.repos[name] = RepoState(last_success=seconds, last_failure=old.last_failure, alerted=old.alerted)


class Ledger:
    """The ledger in a folder. Reading needs no lock."""

    def __init__(self, folder: Path, fs: Fs, clock: Clock) -> None:
        self._folder, self._fs, self._clock = folder, fs, clock
        self._state_file = folder / "state.json"
        self._named: Path | None = None  # the file whose name is durable

    def append(self, kind: str, durable: bool = True, **fields: Any) -> Record:
        """Write a record; the time is added. With ``durable`` it survives a power cut from here on."""
        now = self._clock.now()
        record: Record = {"time": stamp(now), "kind": kind, **fields}
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        with locked(self._folder / "lock", wait=True):
            # never an older file than the last: their order is that of the records, whatever the clock says
            file = max([self._folder / f"{stamp(now)[:7]}.jsonl", *self._files()])
            if _is_torn(file):
                # what lacks its end alone was nothing to whoever read it so far, and must not become a record now
                line = b" torn\n" + line
            self._fs.append(file, line, durable)
            if file != self._named:
                self._fs.sync_dir(self._folder)
                self._named = file
        return record

    def _files(self) -> list[Path]:
        return sorted(file for file in self._folder.glob("[0-9]*.jsonl") if file.is_file())

    def records(self, newest_first: bool = False) -> Iterator[Record]:
        """Yield all records that can be read."""
        for file in reversed(self._files()) if newest_first else self._files():
            found = list(_records(_whole_lines(file)))
            yield from reversed(found) if newest_first else found

    def state(self) -> State:
        """Return the state: what was saved and what was recorded since then, or all that was ever recorded."""
        try:
            state = State.from_json(read_document(self._state_file))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            state = State()
        for file in self._files():
            name, size = state.upto
            if file.name >= name:
                start = size if file.name == name else 0
                found = _whole_lines(file, start)
                for record in _records(found):
                    state.apply(record)
                state.upto = (file.name, start + len(found))
        return state

    def save(self, state: State) -> None:
        """Write a state that was read here; only who holds the run lock does so.

        What others record meanwhile is read after it.
        """
        with locked(self._folder / "lock", wait=True):
            content = json.dumps(state.to_json(), ensure_ascii=False, sort_keys=True).encode()
            _fs.replace_file(self._fs, self._state_file, content, self._folder)


def _whole_lines(file: Path, start: int = 0) -> bytes:
    """Return a file from a place on, but for a line that somebody is writing, or was."""
    with file.open("rb") as source:
        source.seek(start)
        found = source.read()
    return found[: found.rfind(b"\n") + 1]


def _records(lines: bytes) -> Iterator[Record]:
    """Yield the records that can be read."""
    for line in lines.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if _is_record(record):
            yield record


_NUMBER = (int, float)
#: What the records that the state is made of must have, for all who read them.
_NEEDED: Mapping[str, Mapping[str, Any]] = {
    "start": {"run": int},
    "run": {"run": int, "seconds": _NUMBER, "succeeded": list, "failed": dict},
    "died": {"seconds": _NUMBER, "message": str, "cause": str},
    "alert": {"failing": list, "recovered": list},
    "node": {"state": str},
}


def _is_record(value: Any) -> bool:
    """Say whether a line is a record: what is none is passed over as a torn one is."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str) or not isinstance(value.get("time"), str):
        return False
    if not all(isinstance(value.get(name), kind) for name, kind in _NEEDED.get(value["kind"], {}).items()):
        return False
    names = [*value.get("failing", ()), *value.get("recovered", ()), *value.get("succeeded", ())]
    failed = value["failed"].values() if value["kind"] == "run" else ()
    told = all(isinstance(one, list) and [type(text) for text in one] == [str, str] for one in failed)
    return told and all(isinstance(name, str) for name in names)


def _is_torn(file: Path) -> bool:
    """Say whether a file ends in the middle of a line."""
    try:
        with open(file, "rb", opener=_fs.no_wait) as source:
            source.seek(-1, os.SEEK_END)
            return source.read(1) != b"\n"
    except (FileNotFoundError, OSError):
        return False
