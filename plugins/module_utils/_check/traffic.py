# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and bytes by how they ended, by repository and by user; and the hit rate. Pure, and bounded in size.

A download counts once, however many requests it takes: served, it is the request that has the file's beginning. What is
missing is mostly asked for by HEAD, after which no client of the Hub comes again, so HEAD counts as well as GET; both,
from one client for one address, are one. What people look for that the repository never had is no miss: clients probe
for optional files.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple

from .._base.names import NameProblem, shown
from .._border.history import number_of
from .._border.json import AnswerProblem, items, mapping, sequence
from .._plan.facts import Repo
from .access_log import Request

#: How requests for files end. ``served``: from here; ``rest``: more of what was begun before; ``hub``: sent to the
#: public Hub; ``missing``: not here; ``absent``: nowhere, the repository never had it.
SERVED, REST, HUB, MISSING, ABSENT, DENIED, LIMITED, FAILED, OTHER = (
    "served",
    "rest",
    "hub",
    "missing",
    "absent",
    "denied",
    "limited",
    "failed",
    "other",
)
OUTCOMES = (SERVED, REST, HUB, MISSING, ABSENT, DENIED, LIMITED, FAILED, OTHER)
#: Days, repositories and users that are told apart; of others the oldest are counted together, under no name.
DAYS, REPOS, USERS = 90, 2_000, 500
#: Downloads below which a rate says nothing.
LEAST = 20
#: Of how many misses of this call it is known that they were one already, and for how many seconds.
_RECENT, _GAP = 10_000, 600
#: Of a range that begins with the file; one of a single byte only asks how long it is.
_BEGINNING = re.compile(r"(?:bytes=0-(?!0$).*)?")
_ODD = {403: DENIED, 429: LIMITED}

#: A day as counts are kept by.
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Sought(NamedTuple):
    """What is known of what was not served: whether the mirror has the repository, whether that never had the file.

    ``size`` is the file's where that is known, in bytes.
    """

    is_here: bool
    is_absent: bool = False
    size: int = 0


Lookup = Callable[[Repo, Request], Sought]


@dataclass
class Tally:
    """Downloads that were served, those that were not, requests and bytes of both; ``last`` in seconds since 1970."""

    served: int = 0
    missed: int = 0
    bytes: int = 0
    last: float = 0.0

    def add(self, outcome: str, size: int, time: float) -> None:
        """Count a request."""
        self.served += outcome == SERVED
        self.missed += outcome in (HUB, MISSING)
        self.bytes += size
        self.last = max(self.last, time)

    def join(self, other: Tally) -> None:
        """Count another one in."""
        self.served, self.missed = self.served + other.served, self.missed + other.missed
        self.bytes, self.last = self.bytes + other.bytes, max(self.last, other.last)


@dataclass
class Rate:
    """The hit rate: the part of downloads, and of their bytes, that came from here. None where there are too few."""

    served: int
    missed: int
    rate: float | None
    bytes_rate: float | None


@dataclass
class Traffic:
    """What was counted. ``total`` and ``days`` have outcome -> requests, bytes; a day is UTC's, as ``2026-11-30``.

    ``missed_bytes`` has, by day, the size of what was not served, where that is known.
    """

    total: dict[str, list[int]] = field(default_factory=dict)
    days: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    missed_bytes: dict[str, int] = field(default_factory=dict)
    repos: dict[str, Tally] = field(default_factory=dict)
    users: dict[str, Tally] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._misses: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def count(self, requests: Iterable[Request], lookup: Lookup) -> int:
        """Count requests, and return how many there were."""
        number, sought = 0, list[Request]()
        for request in requests:
            number += 1
            if request.path and request.method in ("GET", "HEAD") and request.status in (302, 401, 404):
                sought.append(request)
            else:
                self._add(request, _served(request), 0)
        # one listing after the other, however clients mix them: reading one may take a second
        for request in sorted(sought, key=lambda one: (one.repo_type, one.repo_id, one.commit)):
            self._add(request, *self._missed(request, lookup))
        self._bound()
        return number

    def _add(self, request: Request, outcome: str, missed_bytes: int) -> None:
        day = datetime.fromtimestamp(request.ended, timezone.utc).strftime("%Y-%m-%d")
        for counts in (self.total, self.days.setdefault(day, {})):
            one = counts.setdefault(outcome, [0, 0])
            one[0] += 1
            one[1] += request.bytes
        if missed_bytes:
            self.missed_bytes[day] = self.missed_bytes.get(day, 0) + missed_bytes
        repo = _repo(request)
        name = f"view {request.view}" if request.view and outcome == SERVED else str(repo or "")
        self.repos.setdefault(name, Tally()).add(outcome, request.bytes, request.ended)
        self.users.setdefault(request.user, Tally()).add(outcome, request.bytes, request.ended)
        if len(self.repos) > 2 * REPOS or len(self.users) > 2 * USERS:
            self._bound()

    def _missed(self, request: Request, lookup: Lookup) -> tuple[str, int]:
        """Return how a request ended that was not served, and how many bytes that was."""
        repo = _repo(request)
        sought = lookup(repo, request) if repo else Sought(is_here=False)
        # to who may not see a repository nginx says what it says of one that is not there
        if sought.is_here and (request.status == 401 or request.error == "RepoNotFound"):
            return DENIED, 0
        if sought.is_absent:
            return ABSENT, 0
        if self._is_again(request):
            return OTHER, 0
        return (HUB if request.status == 302 else MISSING), sought.size

    def _is_again(self, request: Request) -> bool:
        """Say whether a miss was counted already: by the HEAD that came before it, or the last try."""
        names = (request.client, request.user, request.repo_type, request.repo_id, request.ref, request.commit)
        key = (*names, request.view, request.path)
        before = self._misses.pop(key, None)
        self._misses[key] = request.ended
        if len(self._misses) > _RECENT:
            self._misses.popitem(last=False)
        return before is not None and request.ended - before <= _GAP

    def _bound(self) -> None:
        for day in sorted(self.days)[:-DAYS]:
            del self.days[day]
            self.missed_bytes.pop(day, None)
        for tallies, most in ((self.repos, REPOS), (self.users, USERS)):
            named = sorted((name for name in tallies if name), key=lambda name: tallies[name].last)
            for name in named[: max(len(named) - most, 0)]:
                tallies.setdefault("", Tally()).join(tallies.pop(name))

    def rate(self, since: str) -> Rate:
        """Return the hit rate of a day and those after it."""
        days = [day for day in self.days if day >= since]
        served = sum(_of(self.days[day], SERVED) for day in days)
        missed = sum(_of(self.days[day], HUB) + _of(self.days[day], MISSING) for day in days)
        here = sum(_of(self.days[day], one, 1) for day in days for one in (SERVED, REST))
        elsewhere = sum(self.missed_bytes.get(day, 0) for day in days)
        if served + missed < LEAST:
            return Rate(served, missed, None, None)
        by_bytes = here / (here + elsewhere) if here + elsewhere else None
        return Rate(served, missed, served / (served + missed), by_bytes)


def _served(request: Request) -> str:
    """Return how all other requests ended."""
    status = request.status
    if not request.path or request.method not in ("GET", "HEAD"):
        return OTHER
    if status in _ODD or status >= 500:
        return _ODD.get(status, FAILED)
    if request.method == "HEAD" or status not in (200, 206, 304):
        return OTHER
    return SERVED if status != 206 or _BEGINNING.fullmatch(request.range) else REST


def _of(counts: Mapping[str, list[int]], outcome: str, what: int = 0) -> int:
    return counts.get(outcome, [0, 0])[what]


def _repo(request: Request) -> Repo | None:
    """Return the repository of a request, None where there is none of that name: it is anybody's words."""
    try:
        return Repo(request.repo_type, request.repo_id)
    except NameProblem:
        return None


def to_json(traffic: Traffic) -> dict[str, Any]:
    """Return a value that ``from_json`` understands."""
    tallies = {kind: {name: vars(one) for name, one in getattr(traffic, kind).items()} for kind in ("repos", "users")}
    return {"total": traffic.total, "days": traffic.days, "missed_bytes": traffic.missed_bytes, **tallies}


def from_json(value: Mapping[str, Any]) -> Traffic:
    """Read what ``to_json`` wrote. Raises NameProblem."""

    def counts(told: Any) -> dict[str, list[int]]:
        found = {}
        for name, pair in mapping(told, "counts").items():
            one = [number_of(number, name, least=0) for number in sequence(pair, name, 2)]
            if name not in OUTCOMES or len(one) != 2:
                raise AnswerProblem(f"{shown(name)} is no count")
            found[name] = one
        return found

    def tallies(kind: str, most: int) -> dict[str, Tally]:
        found = {}
        for name, told in items(value.get(kind), kind, 2 * most + 1):
            one = mapping(told, name)
            served, missed, size = (number_of(one.get(what), what, least=0) for what in ("served", "missed", "bytes"))
            found[name] = Tally(served, missed, size, number_of(one.get("last"), "last", least=0, fraction=True))
        return found

    days = {day: counts(told) for day, told in items(value.get("days"), "days", 10 * DAYS)}
    missed = {day: number_of(size, day, least=0) for day, size in items(value.get("missed_bytes"), "bytes", 10 * DAYS)}
    if not all(_DAY.fullmatch(day) for day in (*days, *missed)):
        raise AnswerProblem("that is no day")
    return Traffic(counts(value.get("total")), days, missed, tallies("repos", REPOS), tallies("users", USERS))
