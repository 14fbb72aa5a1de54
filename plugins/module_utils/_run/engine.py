# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as its doors (the module, the command) use it: put together once, then plan or run."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from .._base.clock import Clock, StoppedError
from .._base.errors import Besides, MirrorError, as_problem, join
from .._base.fs import Fs
from .._base.inside import network
from .._base.lock import BusyError
from .._base.progress import Progress
from .._base.rate_limit import BandwidthLimit
from .._check.repair import Repair
from .._check.scrub import Report, Scrub
from .._fetch.fetch import Fetcher
from .._fetch.fetchers import Fetchers
from .._fetch.health import Health
from .._fetch.http import Http, Pools, leave_to_environment, proxies_of
from .._fetch.hub import Hub
from .._fetch.peer import Peer, PeerError, peer_at
from .._fetch.reach import Reach
from .._fetch.source import Source
from .._fetch.upstreams import Upstreams
from .._fetch.window import Segments
from .._fetch.xet import Xet
from .._plan.plan import Plan
from .._plan.wanted import Wanted
from .._plan.whitelist_folder import Whitelist
from .._store.catalogue import CATALOGUE, write_catalogue
from .._store.store import Store, StoreError
from .._store.view_update import plan_leave
from .follow import Followed, Follower
from .gc import GarbageCollector, plan_gc
from .peer_watch import PeerWatch
from .planning import Planner
from .recovery import recover, settle
from .removal_plan import MaxDeleteError, named, surplus
from .settings import Settings
from .sync import Options, Sync
from .upstream import Upstream, first_believed, tokens_for, upstreams_of
from .watchdog import GiveUp, Watchdog, end_process
from .whitelist import WhitelistFolder


@dataclass
class Outcome:
    """What a run came to, or in check mode would come to.

    ``problems`` names what failed, by entry, of which there were so many ``entries``.
    """

    plan: Plan
    problems: dict[str, MirrorError]
    is_new: bool
    fetched: int = 0
    entries: int = 0

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
        self._upstreams = upstreams_of(settings.endpoint)
        #: What a peer and this node had when the one had nothing new for the other.
        self._level: dict[str, tuple[str, int, int]] = {}

    def plan(self, wanted: list[Wanted] | WhitelistFolder, state: str = "present") -> Outcome:
        """Say what a run would do. Takes no lock and writes nothing.

        ``state``: ``present`` has the entries, ``absent`` takes them away, ``exact`` has them and nothing else.
        """
        is_new = not self.store.check()
        with self._watched():
            health, whitelist = self._health(), self.whitelist(wanted)
            plan = self._plan(whitelist, state, Upstreams(self._believed(self._hubs()), health))
            plan.other_warnings += health.warnings
            self.clock.check()  # answers that were cut short are nobody's failure
        return Outcome(plan, plan.problems, is_new, entries=len(whitelist.wanted))

    def whitelist(self, wanted: Sequence[Wanted] | WhitelistFolder) -> Whitelist:
        """Return what is wanted just now."""
        if isinstance(wanted, WhitelistFolder):
            return wanted.read(self.store)
        return Whitelist(tuple(wanted))

    def run(
        self,
        wanted: list[Wanted] | WhitelistFolder,
        state: str = "present",
        wait: bool = False,
        give_up: GiveUp = end_process,
    ) -> Outcome:
        """Do it. With ``wait`` a run that is under way is waited for, else BusyError says who runs.

        Raises StoppedError where it is stopped, LimitError where a limit ends it. ``give_up`` is the ``Watchdog``'s.
        """
        is_new = self.store.prepare()
        hubs = self._hubs()
        with (
            self.store.locked(wait),
            self.progress.written(self.store.fs, self.store.root / "ledger" / "progress.json"),
            self._fetchers([], hubs) as (fetchers, health),
        ):
            settings = self.settings
            options = Options(
                settings.workers,
                settings.reserve,
                settings.grace_seconds,
                settings.actor,
                settings.lock,
                health,
                self._peers,
                settings.peer_wait,
            )
            sync = Sync(self.store, fetchers, options, self.progress)

            def cut(problem: StoppedError) -> None:
                sync.end(problem)
                give_up(problem)

            try:
                with self._watched(cut):
                    sync.start()
                    whitelist = self.whitelist(wanted)
                    plan = self._plan(whitelist, state, Upstreams(self._believed(hubs), health))
                    self.clock.check()  # answers that were cut short are nobody's failure
                    if isinstance(wanted, WhitelistFolder) and state != "absent":
                        wanted.note(self.store, whitelist)
                    problems = sync.execute(plan, self.store.ledger.state())
                plan.other_warnings += [*fetchers.warnings, *sync.warnings, *health.warnings]
            except (Exception, KeyboardInterrupt) as problem:
                sync.end(problem)
                raise
            return Outcome(plan, problems, is_new, fetchers.fetched, len(whitelist.wanted))

    def follow(self, folder: WhitelistFolder | None = None) -> Followed:
        """Have what the peers have, and tell them what this node's ``folder`` of whitelists says.

        Raises BusyError where a run is under way, PeerError where all of them are mute.
        """
        peers = self._peers
        if not peers:
            raise MirrorError("there is no peer to replicate")
        self.store.prepare()
        done = Followed()
        with self._watched():
            if folder and folder.is_news():
                self._note(folder, done)
            for peer in peers:
                try:
                    self._follow(peer, done)
                except PeerError as problem:
                    done.away[peer.endpoint] = problem
                    self._peer_watch.away(peer, problem)
        if len(done.away) == len(peers):
            raise PeerError(str(join(done.away.values())))
        return done

    def _note(self, folder: WhitelistFolder, done: Followed) -> None:
        """Tell the peers what this node's files say. What is wrong with them keeps it from following nobody."""
        try:
            with self.store.locked():
                folder.note(self.store, folder.read(self.store))
                write_catalogue(self.store)
        except StoppedError:
            raise
        except Exception as problem:
            folder.forget()
            if isinstance(problem, BusyError):
                raise
            done.problems[Besides.WHITELIST.value] = as_problem(problem)

    def _follow(self, peer: Peer, done: Followed) -> None:
        peer.catalogue()
        level = self._level.get(peer.endpoint)
        if level and level == self._both(peer):  # nothing changed on either since the last pass
            self._peer_watch.answered(peer, "", is_level=True)
            return
        self._level.pop(peer.endpoint, None)
        try:
            one = self._pass(peer)
        except BusyError:  # by a sync, which may take hours
            self._peer_watch.answered(peer, "", is_level=True)
            raise
        if not one.problems:
            self._level[peer.endpoint] = self._both(peer)
        done.add(one)
        self._peer_watch.answered(peer, str(join(one.problems.values())) if one.problems else "", is_level=False)

    def _pass(self, peer: Peer) -> Followed:
        settings = self.settings
        with self.store.locked(), self._fetchers([peer], self._hubs()) as (fetchers, _health):
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
        mine = (self.store.root / CATALOGUE).stat().st_mtime_ns
        return peer.told, mine, int(self.clock.now() // 3600)

    @functools.cached_property
    def _peer_watch(self) -> PeerWatch:
        return PeerWatch(self.store, [peer.endpoint for peer in self._peers])

    @functools.cached_property
    def _peers(self) -> list[Peer]:
        """The other nodes. What each told last is kept from pass to pass."""
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
        collector = GarbageCollector(self.store, about, grace_seconds)
        with self.store.locked():
            settle(self.store)
            recover(self.store, about, grace_seconds)
            plan = self._plan_collection(wanted)
            age = self.store.ledger.state().age_at(self.clock.now())
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
        plan_gc(self.store, wanted, plan, age, self.settings.grace_seconds)
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
        with self._fetchers(self._peers, self._hubs(), is_patient=False) as (fetchers, _health):
            tokens = {one.repo: one.token for one in wanted if one.token}
            mender = Repair(self.store, fetchers, tokens, settings.reserve)
            return Scrub(self.store, mender, self.progress, settings.actor, rate).run(seconds)

    @contextlib.contextmanager
    def _fetchers(
        self, peers: Iterable[Peer], hubs: list[Hub], is_patient: bool = True
    ) -> Iterator[tuple[Fetchers, Health]]:
        """Lend the fetchers for a run, and how the upstreams fare."""
        health, fs, segments = self._health(), self.store.fs, Segments(self.clock)
        from_peers = [Fetcher(Source(peer, self.clock), fs, self.clock, segments) for peer in peers]
        from_hubs = [Fetcher(source, fs, self.clock, segments) for source in map(self._source, hubs)]
        believed = [one.url for one in self._upstreams if one.is_believed]
        fetchers = Fetchers(from_hubs, health, from_peers, is_patient, believed)
        try:
            yield fetchers, health
        finally:
            fetchers.close()

    def _plan(self, whitelist: Whitelist, state: str, upstreams: Upstreams) -> Plan:
        known, wanted = self.store.ledger.state(), list(whitelist.wanted)
        if state == "absent":
            plan = Plan(removal=named(self.store, wanted))
            try:
                plan.views = plan_leave(self.store, plan.removal.takes).views
            except MirrorError as problem:
                plan.other_problems[Besides.VIEWS.value] = problem
            wanted = []
        else:
            survey = Planner(self.store, upstreams, self.settings.workers, self.settings.lock)
            plan = survey.plan(wanted, known, self.progress, exact=state == "exact")
        if state == "exact":
            try:
                plan.removal = surplus(self.store, wanted, self.settings.max_delete, plan)
            except MaxDeleteError as problem:
                plan.other_problems[Besides.MAX_DELETE.value] = problem
                for commit in [one for repo in plan.repos for one in repo.commits]:
                    commit.keep_all()
        for name, text in whitelist.problems.items():
            plan.other_problems[f"{Besides.WHITELIST.value} {name}"] = MirrorError(text)
        plan.other_warnings += [
            f"{name} is older here than on another node, whose version applies: copy that to all nodes"
            for name in whitelist.older
        ]
        plan_gc(self.store, wanted, plan, known.age_at(self.clock.now()), self.settings.grace_seconds)
        return plan

    def _health(self) -> Health:
        """Return how the upstreams fare, as the last run has left it."""
        names = [one.url for one in self._upstreams]
        known = self.store.ledger.state().upstreams if len(names) > 1 and self.store.check() else {}
        return Health(self.clock, {name: known[name] for name in names if name in known})

    def _hubs(self) -> list[Hub]:
        """Return the upstreams in order."""
        settings, hubs = self.settings, list[Hub]()
        limit = BandwidthLimit(settings.bandwidth, self.clock)
        for one, tokens in zip(self._upstreams, tokens_for(self._upstreams, settings.tokens)):
            proxies = self._proxies(one)
            pools = Pools(proxies, self._reach(one, proxies).check)
            http = Http(self.clock, pools, [limit, BandwidthLimit(one.bandwidth, self.clock)])
            http.move = self.progress.move
            hubs.append(Hub(one.url, http, tokens, is_first=one is first_believed(self._upstreams)))
        self.progress.is_told_to_wait = lambda: any(hub.http.rate_limits.is_closed() for hub in hubs)
        return hubs

    def _believed(self, hubs: list[Hub]) -> list[Hub]:
        return [hub for hub, one in zip(hubs, self._upstreams) if one.is_believed]

    def _proxies(self, one: Upstream) -> dict[str, str]:
        if one.proxy is None:
            return proxies_of(self.settings.proxy)
        return proxies_of(one.proxy) if one.proxy else {}

    def _reach(self, one: Upstream, proxies: Mapping[str, str]) -> Reach:
        mend = "if this is intended, add its network to allow_networks"
        return Reach(one.url, map(network, self.settings.allow_networks), proxies, mend)

    def _source(self, hub: Hub) -> Source:
        one = next(one for one in self._upstreams if one.url == hub.endpoint)
        # hf_xet has no word for a proxy but the environment's, which all of them share
        if not self.settings.xet or one.proxy is not None:
            return Source(hub, self.clock)
        proxies = self._proxies(one)
        leave_to_environment(proxies)
        return Source(hub, self.clock, Xet(hub.http, judge=self._reach(one, proxies).check_url))


def open_store(folder: Path, clock: Clock | None = None) -> Store:
    """Return the store in a folder. Raises StoreError where there is none yet."""
    store = Store(folder, clock=clock)
    if not store.check():
        raise StoreError(f"{folder} is no store yet. Create it with: hf-mirror sync")
    return store
