# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as its doors (the module, the command) use it: put together once, then plan or run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ._clock import Clock, StoppedError
from ._collect import survey_retention
from ._errors import MirrorError
from ._fetch import Fetcher
from ._fs import Fs
from ._http import Http
from ._hub import Hub
from ._lockfile import LockFile
from ._plan import Plan
from ._progress import Progress
from ._removal import MaxDeleteError, named, surplus
from ._source import Source
from ._store import Store
from ._survey import Survey
from ._sync import Options, Sync
from ._wanted import Wanted
from ._xet import Xet


@dataclass(frozen=True)
class Settings:
    """What an operator decides.

    ``bandwidth`` is in bytes a second, 0 for no limit; ``reserve`` in percent; ``grace`` in hours.
    """

    store: Path
    endpoint: str = "https://huggingface.co"
    proxy: str | None = None
    tokens: Mapping[str | None, str] = field(default_factory=dict, repr=False)
    workers: int = 8
    bandwidth: int = 0
    reserve: int = 3
    grace: int = 72
    max_delete: str = "10%"
    actor: str = "hf-mirror"
    lock: LockFile | None = None
    xet: bool = False


@dataclass
class Outcome:
    """What a run came to, or in check mode would come to. ``problems`` names what failed, by entry."""

    plan: Plan
    problems: dict[str, MirrorError]
    is_new: bool
    fetched: int = 0

    @property
    def changed(self) -> bool:
        """True when something was to be done."""
        return self.plan.changes or self.is_new


class Engine:
    """A store and its upstream."""

    def __init__(self, settings: Settings, clock: Clock | None = None, fs: Fs | None = None) -> None:
        if settings.workers < 1:
            raise MirrorError(f"workers is {settings.workers}, it must be at least 1")
        self.settings = settings
        self.clock = clock or Clock()
        self.store = Store(settings.store, fs, self.clock)
        self.progress = Progress()

    def plan(self, wanted: list[Wanted], state: str = "present") -> Outcome:
        """Say what a run would do. Takes no lock and writes nothing.

        ``state``: ``present`` has the entries, ``absent`` takes them away, ``exact`` has them and nothing else.
        """
        is_new = not self.store.check()
        plan = self._plan(wanted, state, self._hub())
        self.clock.check()  # answers that were cut short are nobody's failure
        return Outcome(plan, plan.problems, is_new)

    def run(self, wanted: list[Wanted], state: str = "present", wait: bool = False) -> Outcome:
        """Do it. With ``wait`` a run that is under way is waited for, else BusyError says who runs."""
        is_new = self.store.prepare()
        hub = self._hub()
        with self.store.locked(wait), self.progress.written(self.store.root / "ledger" / "progress.json"):
            source = self._source(hub)
            fetcher = Fetcher(source, self.store.fs, self.clock)
            settings = self.settings
            options = Options(
                settings.workers, settings.reserve, settings.grace * 3600.0, settings.actor, settings.lock
            )
            sync = Sync(self.store, fetcher, options, self.progress)
            try:
                sync.start()
                plan = self._plan(wanted, state, hub)
                self._check_stop()
                problems = sync.execute(plan, self.store.ledger.state())
                plan.other_warnings += source.warnings
            finally:
                fetcher.close()
                source.close()
            return Outcome(plan, problems, is_new, fetcher.fetched)

    def _plan(self, wanted: list[Wanted], state: str, hub: Hub) -> Plan:
        known = self.store.ledger.state()
        if state == "absent":
            plan = Plan(removal=named(self.store, wanted))
            wanted = []
        else:
            survey = Survey(self.store, hub, self.settings.workers, self.settings.lock)
            plan = survey.plan(wanted, known, self.progress, exact=state == "exact")
        if state == "exact":
            try:
                plan.removal = surplus(self.store, wanted, self.settings.max_delete, plan)
            except MaxDeleteError as problem:
                plan.other_problems["max_delete"] = problem
                for commit in [one for repo in plan.repos for one in repo.commits]:
                    commit.keep_all()
        survey_retention(self.store, wanted, plan, known.age_at(self.clock.now()), self.settings.grace * 3600.0)
        return plan

    def _check_stop(self) -> None:
        """End a run that was stopped while the Hub was asked: answers that were cut short are nobody's failure."""
        try:
            self.clock.check()
        except StoppedError:
            self.store.ledger.append("stopped", actor=self.settings.actor)
            raise

    def _hub(self) -> Hub:
        settings = self.settings
        http = Http(self.clock, settings.proxy, limit=settings.bandwidth)
        return Hub(settings.endpoint, http, settings.tokens, settings.proxy)

    def _source(self, hub: Hub) -> Source:
        return Source(hub, self.clock, Xet(hub.http) if self.settings.xet else None)


def become_owner(store: Path) -> None:
    """Go on as the user whom the store belongs to, where root started this: one user writes a store."""
    os.umask(0o022)  # nginx, another user, reads what is written here, whatever the operator's own umask is
    if os.geteuid() == 0 and store.is_dir():
        owner = store.stat()
        if owner.st_uid != 0:
            os.setgroups([])
            os.setgid(owner.st_gid)
            os.setuid(owner.st_uid)
