# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count what the access log has new, into ``ledger/traffic.json``: counts and how far was read change together."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from .._base import fs as _fs
from .._base.errors import MirrorError
from .._base.lock import locked
from .._base.names import Commit, NameProblem, RepoPath
from .._border.history import number_of
from .._border.json import items, mapping, read_document
from .._plan.facts import Repo
from .._store.store import Store
from .access_log import Request, parse
from .log_cursor import Cursor, NewLines
from .traffic import Lookup, Sought, Traffic, from_json, to_json

#: Requests that are counted at a time: what was counted is kept, whatever ends the rest.
_BATCH = 50_000
#: Logs of which it is known how far they were read.
_LOGS = 10


@dataclass
class TrafficCount:
    """What was counted so far. Times are in seconds since 1970.

    ``cursors``: how far each log was read; ``since``, ``counted``: when it was begun and when it was done last;
    ``skipped``: lines that were torn or strange; ``gaps``: how often a part of a log was gone before it was read.
    """

    traffic: Traffic = field(default_factory=Traffic)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    since: float | None = None
    counted: float | None = None
    skipped: int = 0
    gaps: int = 0

    @classmethod
    def read(cls, store: Store) -> TrafficCount:
        """Return what was counted; what can't be read begins anew."""
        try:
            value = mapping(read_document(_file(store)), "it")
            cursors = {log: Cursor.from_json(one) for log, one in items(value.get("cursors"), "cursors", 2 * _LOGS)}
            since, counted = (
                None if value.get(name) is None else number_of(value[name], name, least=0, fraction=True)
                for name in ("since", "counted")
            )
            skipped, gaps = (number_of(value.get(name), name, least=0) for name in ("skipped", "gaps"))
            traffic = from_json(mapping(value.get("traffic"), "traffic"))
            return cls(traffic, cursors, since, counted, skipped, gaps)
        except (OSError, ValueError):
            return cls()

    def save(self, store: Store) -> None:
        """Write it down."""
        value = {
            "traffic": to_json(self.traffic),
            "cursors": {log: asdict(one) for log, one in list(self.cursors.items())[-_LOGS:]},
            "since": self.since,
            "counted": self.counted,
            "skipped": self.skipped,
            "gaps": self.gaps,
        }
        # the ledger's lock is also that of its draft
        with locked(store.root / "ledger" / "lock", wait=True):
            _fs.replace_file(store.fs, _file(store), json.dumps(value).encode(), store.root / "ledger")

    def describe(self, now: float) -> dict[str, Any] | None:
        """Return what is shown of it, None where nothing was counted yet."""
        if self.counted is None:
            return None
        today = datetime.fromtimestamp(now, timezone.utc)
        ages = {"day": 0, "week": 6, "month": 29}
        return {
            "since": self.since,
            "counted": self.counted,
            "gaps": self.gaps,
            "total": {name: {"requests": one[0], "bytes": one[1]} for name, one in sorted(self.traffic.total.items())},
            "hit_rate": {
                name: asdict(self.traffic.rate(f"{today - timedelta(days=days):%Y-%m-%d}"))
                for name, days in ages.items()
            },
        }


def count(store: Store, log: Path) -> int:
    """Count what is new, and return how many requests that was. Raises AccessLogError, BusyError."""
    with locked(store.root / "locks" / "count", wait=False, what="a count of the access log"):
        so_far, name = TrafficCount.read(store), str(log.absolute())
        new = NewLines(log, so_far.cursors.pop(name, None))
        lookup, number, lines = _lookup(store), 0, iter(new)
        while True:
            batch = list(itertools.islice(lines, _BATCH))
            store.clock.check()
            found = [parse(line) for line in batch]
            so_far.skipped += found.count(None)
            number += so_far.traffic.count([one for one in found if one], lookup)
            so_far.counted = store.clock.now()
            so_far.since = so_far.since or so_far.counted
            if new.cursor:
                so_far.cursors.pop(name, None)
                so_far.cursors[name] = new.cursor
            if len(batch) < _BATCH:
                so_far.gaps += new.is_gap
                so_far.save(store)
                return number
            so_far.save(store)


def _lookup(store: Store) -> Lookup:
    """Return what finds in the listings of the Hub whether a repository ever had a file."""

    @functools.lru_cache(maxsize=1)  # one listing may have 250,000 files
    def sizes(repo: Repo, commit: Commit) -> Mapping[str, int] | None:
        try:
            listing = store.repository(repo).upstream(commit)
        except (MirrorError, OSError):
            return None
        return {str(path): int(file.size) for path, file in listing.files.items()} if listing else None

    @functools.lru_cache(maxsize=1)
    def is_here(repo: Repo) -> bool:
        return store.repository(repo).folder.is_dir()

    def lookup(repo: Repo, request: Request) -> Sought:
        try:
            known = sizes(repo, Commit(request.commit))
            path = str(RepoPath(request.path))
        except NameProblem:
            return Sought(is_here(repo))
        return Sought(is_here(repo), known is not None and path not in known, (known or {}).get(path, 0))

    return lookup


def _file(store: Store) -> Path:
    return store.root / "ledger" / "traffic.json"
