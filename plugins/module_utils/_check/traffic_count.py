# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count what the access log has new, into ``ledger/traffic.json``: counts and how far was read change together."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from .._base import fs as _fs
from .._base.errors import MirrorError
from .._base.lock import locked
from .._base.names import Commit, NameProblem, RepoPath
from .._border.json import read_document
from .._plan.facts import Repo
from .._store.store import Store
from .access_log import Request, parse
from .log_cursor import Cursor, NewLines
from .traffic import Lookup, Traffic, from_json, to_json


@dataclass
class TrafficCount:
    """What was counted so far. Times are in seconds since 1970.

    ``since``, ``counted``: when it was begun and when it was done last; ``skipped``: lines that were torn or strange;
    ``gaps``: how often a part of the log was gone before it was read.
    """

    traffic: Traffic = field(default_factory=Traffic)
    cursor: Cursor | None = None
    since: float | None = None
    counted: float | None = None
    skipped: int = 0
    gaps: int = 0

    @classmethod
    def read(cls, store: Store) -> TrafficCount:
        """Return what was counted; what can't be read begins anew."""
        try:
            value = read_document(_file(store))
            cursor = Cursor(**value["cursor"]) if value["cursor"] else None
            more = [value[name] for name in ("since", "counted", "skipped", "gaps")]
            return cls(from_json(value["traffic"]), cursor, *more)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def save(self, store: Store) -> None:
        """Write it down."""
        value = {
            "traffic": to_json(self.traffic),
            "cursor": asdict(self.cursor) if self.cursor else None,
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
        so_far = TrafficCount.read(store)
        new = NewLines(log, so_far.cursor)

        def requests() -> Iterator[Request]:
            for line in new:
                store.clock.check()
                request = parse(line)
                if request:
                    yield request
                else:
                    so_far.skipped += 1

        number = so_far.traffic.count(requests(), _lookup(store))
        so_far.cursor, so_far.counted = new.cursor, store.clock.now()
        so_far.since = so_far.since or so_far.counted
        so_far.gaps += new.is_gap
        so_far.save(store)
        return number


def _lookup(store: Store) -> Lookup:
    """Return what finds in the listings of the Hub whether a repository ever had a file."""

    @functools.lru_cache(maxsize=4)  # one listing may have 250,000 files
    def sizes(repo: Repo, commit: Commit) -> Mapping[str, int] | None:
        try:
            listing = store.repository(repo).upstream(commit)
        except (MirrorError, OSError):
            return None
        return {str(path): int(file.size) for path, file in listing.files.items()} if listing else None

    def lookup(repo: Repo, request: Request) -> tuple[bool, int]:
        try:
            known = sizes(repo, Commit(request.commit))
            path = str(RepoPath(request.path))
        except NameProblem:
            return False, 0
        return known is not None and path not in known, (known or {}).get(path, 0)

    return lookup


def _file(store: Store) -> Path:
    return store.root / "ledger" / "traffic.json"
