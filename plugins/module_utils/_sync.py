# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run: do what the plan says, and nothing else. One repository's failure never stops the others."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

from ._body import FetchError
from ._clock import StoppedError, stamp
from ._collect import GRACE, Collector
from ._errors import MirrorError
from ._facts import Repo
from ._fetch import DiskFullError, Fetcher, HashMismatchError
from ._ledger import LONGEST_DELAY, Bad, RepoState, State
from ._lockfile import LockFile
from ._plan import CommitPlan, Fetch, Plan
from ._progress import Progress
from ._repository import Mark
from ._scan import refuse_pickle
from ._store import Store
from ._view_update import note_entries, update_views
from ._views import Views

#: Names under which something fails that is no entry of the whitelist.
_OTHERS = frozenset({"views", "max_delete", "retention"})
#: A content that arrived wrong is asked for again after an hour, two, four, at last once a week.
_FIRST_DELAY = 3600


@dataclass(frozen=True)
class Options:
    """How a run is made. ``reserve`` is the share of the disk, in percent, that stays free; ``grace`` is in seconds."""

    workers: int = 8
    reserve: int = 3
    grace: float = GRACE
    actor: str = "hf-mirror"
    lock: LockFile | None = None


class Sync:
    """One run over a whitelist. The store must be locked, and prepared."""

    def __init__(self, store: Store, fetcher: Fetcher, options: Options, progress: Progress) -> None:
        self._store, self._fetcher, self._options, self._progress = store, fetcher, options, progress
        self._ledger, self._clock = store.ledger, store.clock
        self._full: DiskFullError | None = None
        self._room = threading.Lock()
        self._under_way: dict[str, int] = {}
        self._one_at_a_time: dict[str, threading.Lock] = {}
        self._bad: dict[str, Bad] = {}
        self._problems: dict[str, MirrorError] = {}
        self._run = 0

    def start(self) -> list[str]:
        """Give the run its number and finish what an earlier one left: the first step."""
        self._run = self._ledger.state().run + 1
        self._ledger.append("start", run=self._run, actor=self._options.actor)
        done = [*self._store.recover(), *self._collector().recover()]
        Views(self._store).recover()
        for what in done:
            self._ledger.append("recover", durable=False, run=self._run, what=what)
        return done

    def execute(self, plan: Plan, state: State) -> dict[str, MirrorError]:
        """Do what the plan says and return what could not be done, by entry."""
        started = self._clock.monotonic()
        commits = [commit for repo in plan.repos for commit in repo.commits if commit.changes]
        fetches = plan.fetches
        self._one_at_a_time = {etag: threading.Lock() for etag in fetches}
        self._progress.received = lambda: self._fetcher.fetched
        self._progress.begin("fetching", len(fetches), sum(fetch.file.size for fetch in fetches.values()))
        self._problems = dict(plan.problems)
        self._bad = dict(state.bad)
        with ThreadPoolExecutor(self._options.workers) as pool:
            try:
                # a list, so that what a job raises comes out
                list(pool.map(lambda job: job(), [job for commit in commits for job in self._jobs(commit)]))
            except StoppedError:
                self._ledger.append("stopped", run=self._run, actor=self._options.actor)
                raise
        self._attempt("views", lambda: self._views(plan))
        self._remove(plan)
        self._attempt("views", lambda: note_entries(self._store, plan.upstream))
        self._retain(plan, state)
        self._attempt("ledger", lambda: self._close(plan, state, self._clock.monotonic() - started))
        return self._problems

    def _attempt(self, what: str, call: Callable[[], Any]) -> None:
        """Make a step whose failure stops no other."""
        for problem in _problem_of(call):
            self._problems[what] = problem

    def _jobs(self, commit: CommitPlan) -> Iterable[Callable[[], None]]:
        """Return one job for each file of a commit; whoever ends last seals and publishes it."""
        left, problems, lock = [len(commit.fetches)], list[MirrorError](), threading.Lock()

        def fetch(action: Fetch) -> None:
            problem = _problem_of(lambda: self._fetch(action))
            with lock:
                problems.extend(problem)
                left[0] -= 1
                last = left[0] == 0
            if last:
                self._finish(commit, problems)

        if not commit.fetches:
            return [lambda: self._finish(commit, [])]
        return [lambda action=action: fetch(action) for action in commit.fetches]  # type: ignore[misc]

    # ---- fetching

    def _fetch(self, action: Fetch) -> None:
        etag = action.file.etag
        with self._one_at_a_time[etag]:
            if self._store.has(etag):
                return
            self._clock.check()
            part = self._store.part(etag)
            self._reserve(action)
            try:
                self._fetcher.fetch(action, part)
                self._store.adopt(part, etag)
            except DiskFullError as problem:
                self._full = problem
                raise
            except HashMismatchError as problem:
                self._remember(action, problem)
                raise
            finally:
                with self._room:
                    self._under_way.pop(etag, None)
                self._progress.step()

    def _reserve(self, action: Fetch) -> None:
        """Refuse a file that there is no room for, the files under way counted in."""
        if self._full:
            raise self._full
        with self._room:
            missing = sum(size - _size_of(self._store, etag) for etag, size in self._under_way.items())
            need = action.file.size - _size_of(self._store, action.file.etag)
            room = self._store.room(self._options.reserve)
            if need + missing > room:
                cause = f"the disk of {self._store.root} is full ({self._options.reserve} % stay free)"
                raise DiskFullError(f"{action.path} of {action.repo} needs {need} bytes: {cause}", cause=cause)
            self._under_way[action.file.etag] = action.file.size

    def _remember(self, action: Fetch, problem: MirrorError) -> None:
        key = bad_key(action)
        times = self._bad[key].times + 1 if key in self._bad else 1
        delay = min(_FIRST_DELAY * 2 ** (times - 1), LONGEST_DELAY)
        self._bad[key] = Bad(times, self._clock.now() + delay, str(problem))

    # ---- sealing and publishing

    def _finish(self, commit: CommitPlan, problems: list[MirrorError]) -> None:
        """Seal and publish one commit once its files are there, or note why not."""
        problems = problems or _problem_of(lambda: self._seal_and_publish(commit))
        if problems:
            for entry in commit.entries:
                self._problems[str(entry)] = _join(problems)

    def _seal_and_publish(self, commit: CommitPlan) -> None:
        self._inspect(commit)
        repository = self._store.repository(commit.repo)
        about: dict[str, Any] = {"run": self._run, "repo_type": commit.repo.repo_type, "repo_id": commit.repo.repo_id}
        with repository.locked():
            if commit.seal:
                if commit.dropped:
                    # noted before it is so: the links must go one day, even if this is cut short now
                    age = self._ledger.state().age_at(self._clock.now())
                    repository.mark({"narrowed": {commit.listing.commit: {"age": age}}})
                try:
                    repository.seal(commit.listing, commit.paths)
                except FileNotFoundError as problem:
                    raise MirrorError(f"{problem.filename} went away while it was being used: run again") from problem
                self._ledger.append("seal", durable=False, **about, commit=commit.listing.commit)
            if commit.list_it:
                repository.mark({"listed": {commit.listing.commit: self._mark()}})
            for publish in commit.publishes:
                move: dict[str, Any] = {
                    "ref": publish.ref,
                    "serial": publish.serial,
                    "old": publish.old,
                    "new": publish.new,
                }
                self._ledger.append("intent", **about, **move, actor=self._options.actor)
                repository.publish(publish, self._options.actor)
                self._ledger.append("publish", **about, **move, actor=self._options.actor)
            for ref in commit.pending:
                repository.set_pending(ref, commit.listing.commit)
                self._ledger.append("pending", **about, ref=ref, commit=commit.listing.commit)

    def _mark(self) -> Mark:
        return {"time": stamp(self._clock.now()), "actor": self._options.actor}

    def _inspect(self, commit: CommitPlan) -> None:
        """Look into what was verified: no pickles where none are wanted, nothing but what the lock file says."""
        for path in commit.paths if commit.seal else ():
            blob = self._store.pool / commit.listing.files[path].etag
            if commit.no_pickle:
                refuse_pickle(blob, path, f"{commit.repo}@{commit.listing.commit[:12]}")
            if self._options.lock and not commit.listing.files[path].sha256:
                for entry in commit.entries:
                    self._options.lock.check_content(entry, path, blob)

    def _views(self, plan: Plan) -> None:
        for problem in update_views(self._store, plan.upstream):
            self._problems["views"] = problem

    def _retain(self, plan: Plan, state: State) -> None:
        """Retire and collect what nothing names any more."""
        problems = self._collector().execute(plan, plan.upstream, state.age_at(self._clock.now()))
        if problems:
            self._problems["retention"] = _join(problems)

    def _collector(self) -> Collector:
        about = {"run": self._run, "actor": self._options.actor}
        return Collector(self._store, about, self._options.grace)

    def _remove(self, plan: Plan) -> None:
        about: dict[str, Any] = {"run": self._run, "actor": self._options.actor}

        def withdraw(repo: Repo, ref: str) -> None:
            with self._store.repository(repo).locked():
                self._ledger.append("withdraw", **about, repo_type=repo.repo_type, repo_id=repo.repo_id, ref=ref)
                repository = self._store.repository(repo)
                if ref in repository.refs():
                    repository.withdraw(ref, self._options.actor)
                else:  # a commit that was listed by its id
                    repository.mark({"listed": {ref: None}})

        def remove(repo: Repo) -> None:
            self._ledger.append("remove", **about, repo_type=repo.repo_type, repo_id=repo.repo_id)
            self._store.remove(repo)

        for view in plan.removal.views:
            self._attempt("views", partial(Views(self._store).remove, view))
        for repo, ref in plan.removal.refs:
            self._attempt(f"{repo}@{ref}", partial(withdraw, repo, ref))
        for repo in plan.removal.repos:
            self._attempt(str(repo), partial(remove, repo))

    def _close(self, plan: Plan, state: State, duration: float) -> None:
        """Write the run's record, and what the next one goes by."""
        now = self._clock.now()
        failed = {name: (str(problem), problem.cause) for name, problem in self._problems.items()}
        names = [*map(str, plan.upstream), *_OTHERS.intersection(state.repos)]
        fine = [name for name in names if name not in failed]
        changed = {str(entry) for repo in plan.repos for c in repo.commits if c.changes for entry in c.entries}
        news = [name for name in fine if name in changed or state.repos.get(name, RepoState()).failures]
        self._ledger.append(
            "run",
            run=self._run,
            seconds=now,
            duration=round(duration, 3),
            actor=self._options.actor,
            unchanged=len(fine) - len(news),
            succeeded=news,
            failed=failed,
            fetched_bytes=self._fetcher.fetched,
        )
        state = self._ledger.state()  # with that record, and what others recorded meanwhile
        state.succeeded(fine, now)
        state.bad = {key: bad for key, bad in self._bad.items() if bad.until + LONGEST_DELAY > now}
        self._ledger.save(state)


def bad_key(action: Fetch) -> str:
    """Return the name under which a wrong content is remembered: a new commit is a new chance."""
    return f"{action.commit} {action.file.etag} {action.path}"


def _size_of(store: Store, etag: str) -> int:
    try:
        return store.part(etag).stat().st_size
    except FileNotFoundError:
        return 0


def _join(problems: list[MirrorError]) -> MirrorError:
    """Return one problem for several, each reason once."""
    causes = list(dict.fromkeys(problem.cause for problem in problems))
    text = "; ".join(dict.fromkeys(str(problem) for problem in problems)) if len(causes) > 1 else str(problems[0])
    return MirrorError(text, cause="; ".join(causes))


def _problem_of(call: Callable[[], Any]) -> list[MirrorError]:
    try:
        call()
    except StoppedError:
        raise
    except MirrorError as problem:
        return [problem]
    except OSError as problem:
        return [FetchError(str(problem))]
    return []
