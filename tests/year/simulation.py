# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The year: each day something happens, a run is made, the store is looked at."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from unit.engine.machine import invariants
from unit.engine.machine.upstream import StandingClock

from year import checks
from year.disk import Killed, Reads, YearFs
from year.mirror import GRACE, YearMirror
from year.model import Model
from year.story import Day, Story
from year.upstream import YearUpstream

_DAY = 86400.0
_LOOK_CLOSER_EVERY = 30
#: Each repository has as many commits from the first day on as will be kept on the last.
_WARM_UP = 4


@dataclass
class Measured:
    """A day, and the run that ended it. Sizes are in bytes.

    ``listed`` counts the whitelist's entries, ``repos`` what the store has; ``kept`` are the contents that roots and
    retired commits name, ``roots`` those that roots name. ``calls`` changed the disk, ``reads`` opened files and listed
    folders, ``requests`` went upstream; ``blocks`` is what Python has allocated, ``memory`` what the process has.
    """

    day: int
    listed: int
    repos: int
    published: int
    collected: int
    store: int
    kept: int
    roots: int
    ledger: int
    seconds: float
    calls: int
    reads: int
    requests: int
    blocks: int
    memory: int
    kills: int
    failures: int


class Simulation:
    """A year of ``count`` repositories in a folder that is empty."""

    def __init__(self, root: Path, count: int, seed: int = 1) -> None:
        self._root = root
        self._upstream, self._clock = YearUpstream(), StandingClock()
        self._mirror = YearMirror(root, self._upstream, self._clock)
        self.model = Model(GRACE * 3600.0)
        self._story = Story(self._upstream, count, seed)
        self._random = Random(seed)
        self._reads = Reads()
        self._began, self._passed = self._clock.seconds, 0
        self._calls = 1

    def days(self, count: int) -> Iterator[Measured]:
        """Live so many days."""
        for _day in range(_WARM_UP):
            self._live(0, self._story.warm_up())
        for number in range(1, count + 1):
            yield self._live(number, self._story.day(number))
            if number % _LOOK_CLOSER_EVERY == 0 or number == count:
                self._look_closer()

    def _live(self, number: int, day: Day) -> Measured:
        self._passed += 1
        self._clock.seconds = self._began + (self._passed + day.clock_error) * _DAY
        for order in self._story.decisions(self.model) if number else ():
            self._mirror.decide(order)
        before, now = self.model.look(), self._clock.seconds
        published, collected = self.model.published, self.model.collected
        expected = self.model.run(day.whitelist, self._upstream, now, day.max_delete, time.time())
        whitelist = [entry.to_json() for entry in day.whitelist]
        for _kill in range(day.kills):
            fs = YearFs(self._random.randint(1, self._calls))
            try:
                self._mirror.run(whitelist, day.max_delete, fs)
            except Killed:
                checks.after_kill(self._root, before, self.model)
        fs, asked, started = YearFs(), self._upstream.requests, time.perf_counter()
        with self._reads.counted() as read:
            outcome = self._mirror.run(whitelist, day.max_delete, fs)
        seconds = time.perf_counter() - started
        assert outcome.problems.keys() == expected, f"day {number}: {outcome.problems}, expected {expected}"
        self._calls = fs.calls
        model = self.model
        return Measured(
            day=number,
            listed=len(day.whitelist),
            repos=len(model.repos),
            published=model.published - published,
            collected=model.collected - collected,
            store=checks.at_rest(self._root, model),
            kept=sum(model.contents().values()),
            roots=sum(model.contents(only_roots=True).values()),
            ledger=sum(entry.stat().st_size for entry in os.scandir(self._root / "ledger")),
            seconds=seconds,
            calls=fs.calls,
            reads=read(),
            requests=self._upstream.requests - asked,
            blocks=sys.getallocatedblocks(),
            memory=_memory(),
            kills=day.kills,
            failures=len(expected),
        )

    def _look_closer(self) -> None:
        """Hash all contents, and let fsck look at everything."""
        invariants.blobs(self._root)
        invariants.ledger_is_in_order(self._root)
        assert not self._mirror.findings()


def _memory() -> int:
    """Return the memory that this process has in use (RSS)."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
