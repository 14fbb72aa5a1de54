# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several upstreams is asked first: one that is away, limited or wrong is left for a while, and told.

What is left is asked after the others, so that nothing fails that one of them could have given; one that is away is
asked last. What goes wrong with one repository leaves nobody: for that repository alone the others are asked first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TypeVar

from .._base.clock import Clock, stamp
from .._base.names import Commit
from .._plan.facts import Repo
from .._store.ledger import LONGEST_DELAY, Bad

#: Seconds for which an upstream is left the first time; each time in a row it is twice as long, up to a week.
AWAY, WRONG = 300, 86400
#: Those who are only away are tried again within the hour.
_LONGEST_AWAY = 3600
#: So many repositories in a row, with no answer between: the trouble is not one repository's.
_SEVERAL = 3

Upstream = TypeVar("Upstream")


class Lack(Enum):
    """What a person should know of an upstream that is not left for it; the value is the sentence."""

    LISTING = "did not list {what}, and another upstream did"
    FILE = "did not give {what}, and another upstream did"
    BEHIND = "is behind: {what}; the commit here stays"
    GONE = "no longer has {what}; the commit here stays"


class Health:
    """How the upstreams of a run fare, by endpoint; ``known`` is what an earlier run learned.

    ``warnings`` has a sentence for each that was left, or lacks something. Used by several threads.
    """

    def __init__(self, clock: Clock, known: Mapping[str, Bad] | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[str, Bad] = dict(known or {})
        self._told = {name: bad for name, bad in self._left.items() if bad.counts(clock.now())}
        self._away: set[str] = set()
        self._troubled: set[tuple[str, Repo]] = set()
        self._row: dict[str, set[Repo]] = {}
        self._lacking: dict[tuple[str, Lack], list[str]] = {}
        #: Who listed a commit in this run: what is wrong with its hashes may be wrong there.
        self.listed: dict[Commit, str] = {}

    @property
    def warnings(self) -> list[str]:
        """Return what a person should know."""
        with self._lock:
            lacking = [
                f"{endpoint} {lack.value.format(what=names[0] + (f' and {len(names) - 1} more' if names[1:] else ''))}"
                for (endpoint, lack), names in self._lacking.items()
            ]
            return [*(self._sentence(endpoint, bad) for endpoint, bad in self._told.items()), *lacking]

    def _sentence(self, endpoint: str, bad: Bad) -> str:
        kept = "last" if endpoint in self._away else "after the others"
        return f"{endpoint} {bad.message}: it is asked {kept} until {stamp(bad.until)}"

    def to_remember(self) -> dict[str, Bad]:
        """Return what the next run should know."""
        now = self._clock.now()
        with self._lock:
            return {name: bad for name, bad in self._left.items() if now < bad.until + LONGEST_DELAY}

    def order(self, upstreams: Sequence[Upstream], name: Callable[[Upstream], str], repo: Repo) -> list[Upstream]:
        """Return them in the order in which they are asked about a repository."""
        now = self._clock.now()

        def place(one: Upstream) -> int:
            endpoint = name(one)
            if endpoint in self._left and self._left[endpoint].counts(now):
                return 2 if endpoint in self._away else 1
            return 1 if (endpoint, repo) in self._troubled else 0

        with self._lock:
            return sorted(upstreams, key=place)

    def is_away(self, endpoint: str) -> bool:
        """Say whether an upstream is left because nobody is there."""
        with self._lock:
            return endpoint in self._away and self._left[endpoint].counts(self._clock.now())

    def leave(self, endpoint: str, seconds: float, why: str, is_away: bool = False) -> None:
        """Ask an upstream after the others, or last of all while it ``is_away``, for so many seconds or longer."""
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

    def trouble(self, endpoint: str, repo: Repo, why: str) -> None:
        """Ask an upstream after the others about a repository, and leave it where several had trouble in a row."""
        with self._lock:
            self._troubled.add((endpoint, repo))
            row = self._row.setdefault(endpoint, set())
            row.add(repo)
            count = len(row)
        if count >= _SEVERAL:
            self.leave(endpoint, AWAY, f"failed for {count} repositories in a row ({why})", is_away=True)

    def limited(self, endpoint: str, seconds: float) -> None:
        """Ask an upstream after the others for as long as it wants to be left, and no longer: that is no failure."""
        now = self._clock.now()
        with self._lock:
            before = self._left.get(endpoint)
            if before and before.counts(now):
                return
            until = now + min(seconds, LONGEST_DELAY)
            bad = Bad(before.times if before else 0, until, "limits the rate of requests")
            self._left[endpoint] = self._told[endpoint] = bad
            self._away.discard(endpoint)

    def answered(self, endpoint: str) -> None:
        """Note that an upstream gave an answer that means something: a row of troubles is over."""
        with self._lock:
            self._row.pop(endpoint, None)

    def fine(self, endpoint: str) -> None:
        """Note that an upstream gave what it was asked for: it is not away, and a row of failures is over."""
        now = self._clock.now()
        self.answered(endpoint)
        with self._lock:
            if endpoint in self._left and (endpoint in self._away or not self._left[endpoint].counts(now)):
                del self._left[endpoint]
                self._away.discard(endpoint)

    def lacks(self, endpoint: str, what: str, lack: Lack) -> None:
        """Note what an upstream did not give, and is not left for."""
        with self._lock:
            names = self._lacking.setdefault((endpoint, lack), [])
            if what not in names:
                names.append(what)
