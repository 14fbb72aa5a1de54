# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several upstreams is asked first: one that is away, limited, behind or wrong is left for a while, and told.

What is left is asked after the others, so that nothing fails that one of them could have given. Only one that is away
is not asked at all: each file would wait for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from .._base.clock import Clock, stamp
from .._base.names import Commit
from .._store.ledger import LONGEST_DELAY, Bad

#: Seconds for which an upstream is left the first time; each time in a row it is twice as long, up to a week.
AWAY, FRUITLESS, BEHIND, WRONG = 300, 300, 3600, 86400
#: Those who are only away are tried again within the hour.
_LONGEST_AWAY = 3600

Upstream = TypeVar("Upstream")


class Health:
    """How the upstreams of a run fare, by endpoint; ``known`` is what an earlier run learned.

    ``warnings`` has a sentence for each that was left. Used by several threads.
    """

    def __init__(self, clock: Clock, known: Mapping[str, Bad] | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[str, Bad] = dict(known or {})
        self._told = {name: bad for name, bad in self._left.items() if bad.counts(clock.now())}
        self._away: set[str] = set()
        self._lacking: dict[str, list[str]] = {}
        #: Who listed a commit in this run: what is wrong with its hashes may be wrong there.
        self.listed: dict[Commit, str] = {}

    @property
    def warnings(self) -> list[str]:
        """Return what a person should know."""
        with self._lock:
            lacking = [
                f"{endpoint} did not list {names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}, and another"
                " upstream did"
                for endpoint, names in self._lacking.items()
            ]
            return [*(self._sentence(endpoint, bad) for endpoint, bad in self._told.items()), *lacking]

    def _sentence(self, endpoint: str, bad: Bad) -> str:
        kept = "is not asked" if endpoint in self._away else "is asked after the others"
        return f"{endpoint} {bad.message}: it {kept} until {stamp(bad.until)}"

    def to_remember(self) -> dict[str, Bad]:
        """Return what the next run should know."""
        now = self._clock.now()
        with self._lock:
            return {name: bad for name, bad in self._left.items() if now < bad.until + LONGEST_DELAY}

    def order(self, upstreams: Sequence[Upstream], name: Callable[[Upstream], str]) -> list[Upstream]:
        """Return those to ask, in this order. Where all are away it is the one that has been so for the longest."""
        now = self._clock.now()
        with self._lock:
            left = {one for one in map(name, upstreams) if one in self._left and self._left[one].counts(now)}
            found = [one for one in upstreams if name(one) not in left]
            found += [one for one in upstreams if name(one) in left - self._away]
            return found or [min(upstreams, key=lambda one: self._left[name(one)].until)]

    def leave(self, endpoint: str, seconds: float, why: str, is_away: bool = False) -> None:
        """Ask an upstream after the others, or not at all while it ``is_away``, for so many seconds or longer."""
        now = self._clock.now()
        with self._lock:
            before = self._left.get(endpoint)
            times = before.times if before else 0
            if not (before and before.counts(now)):
                times += 1
            elif is_away <= (endpoint in self._away) and before.until - now > seconds / 2:
                return  # another thread was first, or there is a graver reason
            longest = _LONGEST_AWAY if is_away else LONGEST_DELAY
            until = now + min(seconds * 2 ** min(max(times - 1, 0), 20), longest)
            self._left[endpoint] = self._told[endpoint] = Bad(times, until, why)
            (self._away.add if is_away else self._away.discard)(endpoint)

    def limited(self, endpoint: str, seconds: float) -> None:
        """Ask an upstream after the others for as long as it wants to be left, and no longer: that is no failure."""
        now = self._clock.now()
        with self._lock:
            before = self._left.get(endpoint)
            if before and before.counts(now):
                return
            until = now + min(seconds, LONGEST_DELAY)
            bad = Bad(before.times if before else 0, until, "limits how often it may be asked")
            self._left[endpoint] = self._told[endpoint] = bad
            self._away.discard(endpoint)

    def fine(self, endpoint: str) -> None:
        """Note that an upstream gave what it was asked for: it is not away, and a row of failures is over."""
        now = self._clock.now()
        with self._lock:
            if endpoint in self._left and (endpoint in self._away or not self._left[endpoint].counts(now)):
                del self._left[endpoint]
                self._away.discard(endpoint)

    def lacks(self, endpoint: str, what: str) -> None:
        """Note what an upstream did not list although another one did."""
        with self._lock:
            names = self._lacking.setdefault(endpoint, [])
            if what not in names:
                names.append(what)
