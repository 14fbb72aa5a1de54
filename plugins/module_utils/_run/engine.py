# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as its doors (the module, the command) use it: put together once, then plan or run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from .._base.clock import Clock, StoppedError
from .._base.errors import Besides, MirrorError, join
from .._base.fs import Fs
from .._base.inside import network
from .._base.progress import Progress
from .._check.repair import Repair
from .._check.scrub import Report, Scrub
from .._fetch.fetch import Fetcher
from .._fetch.http import Http, Pools, proxies_of
from .._fetch.hub import Hub
from .._fetch.peer import Peer, PeerError, PeerSource, peer_at
from .._fetch.reach import Reach
from .._fetch.source import Source
from .._fetch.xet import Xet
from .._plan.plan import Plan
from .._plan.wanted import Wanted
from .._store.catalogue import write_catalogue
from .._store.decision import decide
from .._store.store import Store, StoreError
from .collect import Collector, survey_retention
from .follow import Followed, Follower
from .recovery import recover, settle
from .removal import MaxDeleteError, named, surplus
from .settings import Settings
from .survey import Survey
from .sync import Options, Sync
from .watchdog import GiveUp, Watchdog, end_process


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
        settings.check()
        self.settings = settings
        self.clock = clock or Clock()
        self.store = Store(settings.store, fs, self.clock)
        self.progress = Progress()
        #: What a peer and this node had when the one had nothing new for the other.
        self._level: dict[str, tuple[str, int, int]] = {}

    def plan(self, wanted: list[Wanted], state: str = "present") -> Outcome:
        """Say what a run would do. Takes no lock and writes nothing.

        ``state``: ``present`` has the entries, ``absent`` takes them away, ``exact`` has them and nothing else.
        """
        is_new = not self.store.check()
        with self._watched():
            plan = self._plan(wanted, state, self._hub())
            self.clock.check()  # answers that were cut short are nobody's failure
        return Outcome(plan, plan.problems, is_new)

    def run(
        self, wanted: list[Wanted], state: str = "present", wait: bool = False, give_up: GiveUp = end_process
    ) -> Outcome:
        """Do it. With ``wait`` a run that is under way is waited for, else BusyError says who runs.

        Raises StoppedError where it is stopped, LimitError where a limit ends it. ``give_up`` is the ``Watchdog``'s.
        """
        is_new = self.store.prepare()
        hub = self._hub()
        with (
            self.store.locked(wait),
            self.progress.written(self.store.fs, self.store.root / "ledger" / "progress.json"),
        ):
            source = self._source(hub)
            fetcher = Fetcher(source, self.store.fs, self.clock)
            settings = self.settings
            options = Options(
                settings.workers,
                settings.reserve,
                settings.grace_seconds,
                settings.actor,
                settings.lock,
                self._peers(),
                settings.peer_wait,
            )
            sync = Sync(self.store, fetcher, options, self.progress)

            def cut(problem: StoppedError) -> None:
                sync.end(problem)
                give_up(problem)

            try:
                with self._watched(cut):
                    sync.start()
                    plan = self._plan(wanted, state, hub)
                    self.clock.check()  # answers that were cut short are nobody's failure
                    problems = sync.execute(plan, self.store.ledger.state())
                plan.other_warnings += [*source.warnings, *sync.warnings]
            except (Exception, KeyboardInterrupt) as problem:
                sync.end(problem)
                raise
            finally:
                fetcher.close()
                source.close()
            return Outcome(plan, problems, is_new, fetcher.fetched)

    def follow(self) -> Followed:
        """Have what the peers have. Raises BusyError where a run is under way, PeerError where all of them are mute."""
        peers = self._peers()
        if not peers:
            raise MirrorError("there is no peer to follow")
        self.store.prepare()
        done = Followed()
        with self._watched():
            for peer in peers:
                try:
                    done.add(self._follow(peer))
                except PeerError as problem:
                    done.away[peer.endpoint] = problem
        if len(done.away) == len(peers):
            raise PeerError(str(join(done.away.values())))
        return done

    def _follow(self, peer: Peer) -> Followed:
        peer.catalogue()
        level = self._level.get(peer.endpoint)
        if level and level == self._both(peer):  # nothing changed on either since the last pass
            return Followed()
        self._level.pop(peer.endpoint, None)
        done = self._pass(peer)
        if not done.problems:
            self._level[peer.endpoint] = self._both(peer)
        return done

    def _pass(self, peer: Peer) -> Followed:
        settings = self.settings
        with self.store.locked(), self._fetchers([peer]) as fetchers:
            grace_seconds = settings.grace_seconds
            follower = Follower(
                self.store,
                peer,
                fetchers,
                settings.actor,
                grace_seconds,
                settings.reserve,
                settings.workers,
                self.progress,
            )
            follower.recover()
            return follower.follow()

    def _watched(self, give_up: GiveUp = end_process) -> AbstractContextManager[None]:
        """Bound what goes on in a run or a pass."""
        settings = self.settings
        return Watchdog(self.clock, self.progress, settings.time_limit, settings.memory_limit, give_up).watching()

    def _both(self, peer: Peer) -> tuple[str, int, int]:
        # graces end without anybody's doing: look at all of it once an hour
        mine = (self.store.root / "catalogue.json").stat().st_mtime_ns
        return peer.told, mine, int(self.clock.now() // 3600)

    def _peers(self) -> list[Peer]:
        return [peer_at(url, self.clock) for url in self.settings.peers]

    def collect(self, wanted: list[Wanted], check: bool = False) -> Outcome:
        """Retire and collect what nothing names any more, without a sync. Asks no Hub.

        ``wanted`` says how many commits of a ref stay; of refs that it does not name all do. With ``check`` it says
        what would be done, takes no lock and writes nothing. Raises BusyError where a run is under way.
        """
        if check:
            plan = self._plan_collection(wanted)
            return Outcome(plan, plan.problems, False)
        about, grace_seconds = {"actor": self.settings.actor}, self.settings.grace_seconds
        collector = Collector(self.store, about, grace_seconds)
        with self.store.locked():
            settle(self.store)
            recover(self.store, about, grace_seconds)
            plan = self._plan_collection(wanted)
            age = self.store.ledger.state().age_at(self.clock.now())
            if plan.changes:
                decide(self.store)
            problems = collector.execute(plan, wanted, age)
            try:
                write_catalogue(self.store)
            except MirrorError as problem:
                problems.append(problem)
        if problems:
            plan.other_problems[Besides.RETENTION.value] = join(problems)
        return Outcome(plan, plan.problems, False)

    def _plan_collection(self, wanted: list[Wanted]) -> Plan:
        plan = Plan()
        for repository in self.store.repositories():
            try:
                repository.facts()
            except MirrorError as problem:
                plan.other_problems[str(repository.repo)] = problem
        age = self.store.ledger.state().age_at(self.clock.now())
        survey_retention(self.store, wanted, plan, age, self.settings.grace_seconds)
        return plan

    def scrub(self, wanted: list[Wanted], repair: bool = True, check: bool = False) -> Report:
        """Hash all contents again, as fast and as long as the settings say, or to the end of the round.

        What is rotten is made unreadable and, with ``repair``, fetched again; ``wanted`` says which token opens which
        repository. With ``check`` nothing is changed. Raises BusyError where a scrub is under way; a run may be.
        """
        settings = self.settings
        rate, seconds = settings.scrub_rate, settings.scrub_seconds
        if check or not repair:
            return Scrub(self.store, None, self.progress, settings.actor, rate, check).run(seconds)
        with self._fetchers(self._peers()) as fetchers:
            tokens = {one.repo: one.token for one in wanted if one.token}
            mender = Repair(self.store, fetchers, tokens, settings.reserve)
            return Scrub(self.store, mender, self.progress, settings.actor, rate).run(seconds)

    @contextlib.contextmanager
    def _fetchers(self, peers: Iterable[Peer]) -> Iterator[list[Fetcher]]:
        """Lend fetchers in the order in which they are to be asked: the peers', if there are any, then the Hub's."""
        sources = [*(PeerSource(peer, self.clock) for peer in peers), self._source(self._hub())]
        fetchers = [Fetcher(source, self.store.fs, self.clock) for source in sources]
        try:
            yield fetchers
        finally:
            for fetcher in fetchers:
                fetcher.close()
            for source in sources:
                source.close()

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
                plan.other_problems[Besides.MAX_DELETE.value] = problem
                for commit in [one for repo in plan.repos for one in repo.commits]:
                    commit.keep_all()
        survey_retention(self.store, wanted, plan, known.age_at(self.clock.now()), self.settings.grace_seconds)
        return plan

    def _hub(self) -> Hub:
        settings, proxies = self.settings, proxies_of(self.settings.proxy)
        http = Http(self.clock, Pools(proxies, self._reach(proxies).check), settings.bandwidth)
        self.progress.is_told_to_wait, http.move = http.gate.is_closed, self.progress.move
        return Hub(settings.endpoint, http, settings.tokens)

    def _reach(self, proxies: Mapping[str, str]) -> Reach:
        mend = "if that is right, name its network in allow_networks"
        return Reach(self.settings.endpoint, map(network, self.settings.allow_networks), proxies, mend)

    def _source(self, hub: Hub) -> Source:
        if not self.settings.xet:
            return Source(hub, self.clock)
        proxies = proxies_of(self.settings.proxy)
        # hf_xet makes connections of its own, and has no word for a proxy but the environment's
        os.environ.update({f"{scheme}_proxy": url for scheme, url in proxies.items()})
        return Source(hub, self.clock, Xet(hub.http, judge=self._reach(proxies).check_url))


def open_store(folder: Path, clock: Clock | None = None) -> Store:
    """Return the store in a folder. Raises StoreError where there is none yet."""
    store = Store(folder, clock=clock)
    if not store.check():
        raise StoreError(f"{folder} is no store yet: hf-mirror sync makes it one")
    return store
