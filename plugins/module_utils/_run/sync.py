# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run: do what the plan says, and nothing else. One repository's failure never stops the others."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

from .._base.clock import LimitError, StoppedError
from .._base.errors import Besides, HeldError, MirrorError, as_problem, join
from .._base.names import Ref
from .._base.progress import Progress
from .._fetch.download import Downloads
from .._fetch.fetchers import Fetchers
from .._fetch.health import Health
from .._fetch.peer import Peer
from .._inspect.judge import judge
from .._plan.facts import Repo
from .._plan.lockfile import LockFile
from .._plan.plan import CommitPlan, Fetch, Plan, Removal
from .._plan.wanted import Wanted
from .._store.catalogue import write_catalogue
from .._store.decision import begin, decide, read_standing
from .._store.ledger import LONGEST_DELAY, RepoState, State
from .._store.store import Store
from .._store.view_update import are_noted, leave_views, note_entries, update_views
from .._store.views import Views
from .gc import GRACE, GarbageCollector
from .recovery import note_death, recover, settle
from .seal import seal


@dataclass(frozen=True)
class Options:
    """How a run is made, with the settings that it goes by.

    ``reserve`` is the share of the disk, in percent, that stays free. What is retired stays for ``grace_seconds``.
    Before a commit is published, the ``peers`` have ``peer_wait`` seconds, together, to seal it, too. ``health`` is how
    upstreams fare.
    """

    workers: int = 8
    reserve: int = 3
    grace_seconds: float = GRACE
    actor: str = "hf-mirror"
    lock: LockFile | None = None
    health: Health | None = None
    peers: Sequence[Peer] = ()
    peer_wait: float = 0.0


class Sync:
    """One run over a whitelist. The store must be locked, and prepared."""

    def __init__(self, store: Store, fetchers: Fetchers, options: Options, progress: Progress) -> None:
        self._store, self._options = store, options
        self._ledger, self._clock = store.ledger, store.clock
        self._downloads = Downloads(store, fetchers, options.reserve, progress)
        self._progress = progress
        self._problems: dict[str, MirrorError] = {}
        self._run = 0
        self.warnings: list[str] = []

    def start(self) -> None:
        """Give the run its number and finish what an earlier one left: the first step."""
        settle(self._store)
        self._run = self._ledger.state().run + 1
        self._ledger.append("start", run=self._run, actor=self._options.actor)
        recover(self._store, {"run": self._run, "actor": self._options.actor}, self._options.grace_seconds)

    def end(self, problem: Exception | KeyboardInterrupt) -> None:
        """Record why the run comes to no end of its own: somebody stopped it, or it died."""
        about: dict[str, Any] = {"actor": self._options.actor, **({"run": self._run} if self._run else {})}
        with contextlib.suppress(OSError):  # the disk that it died of may refuse this, too
            is_stop = isinstance(problem, StoppedError) and not isinstance(problem, LimitError)
            if isinstance(problem, KeyboardInterrupt) or is_stop:
                self._ledger.append("stopped", **about)
            else:
                note_death(self._store, as_problem(problem), **about)

    def execute(self, plan: Plan, state: State) -> dict[str, MirrorError]:
        """Do what the plan says and return what could not be done, by entry."""
        started = self._clock.monotonic()
        commits = [commit for repo in plan.repos for commit in repo.commits if commit.changes or commit.confirm]
        self._downloads.begin(plan.fetches, state.bad)
        self._problems = dict(plan.problems)
        if commits or plan.changes or not are_noted(self._store, plan.upstream):
            self._attempt(Besides.LEDGER, lambda: begin(self._store))
        with ThreadPoolExecutor(self._options.workers) as pool:
            # a list, so that what a job raises comes out
            list(pool.map(lambda job: job(), [job for commit in commits for job in self._jobs(commit)]))
        if plan.views:  # before they are there, or nobody would know whose files they hold if this is cut short
            self._attempt(Besides.VIEWS, lambda: note_entries(self._store, plan.upstream, plan.views))
        self._attempt(Besides.VIEWS, lambda: self._views(plan))
        self._remove(plan)
        self._attempt(Besides.VIEWS, lambda: note_entries(self._store, plan.upstream))
        self._retain(plan, state)
        self._attempt(Besides.LEDGER, self._decide)
        self._attempt(Besides.CATALOGUE, lambda: write_catalogue(self._store))
        self._attempt(Besides.LEDGER, lambda: self._close(plan, state, self._clock.monotonic() - started))
        return self._problems

    def _attempt(self, what: Besides, call: Callable[[], Any]) -> None:
        """Make a step whose failure stops no other."""
        for problem in _problem_of(call):
            self._fail(what.value, problem)
        self._progress.move()

    def _fail(self, name: str, problem: MirrorError) -> None:
        """Note what went wrong, beside what did before."""
        known = self._problems.get(name)
        self._problems[name] = join([known, problem]) if known and str(known) != str(problem) else problem

    def _jobs(self, commit: CommitPlan) -> Iterable[Callable[[], None]]:
        """Return one job for each file of a commit; whoever ends last seals and publishes it."""
        left, problems, lock = [len(commit.fetches)], list[MirrorError](), threading.Lock()

        def fetch(action: Fetch) -> None:
            problem = _problem_of(lambda: self._downloads.fetch(action))
            with lock:
                problems.extend(problem)
                left[0] -= 1
                last = left[0] == 0
            if last:
                self._finish(commit, problems)

        if not commit.fetches:
            return [lambda: self._finish(commit, [])]
        return [lambda action=action: fetch(action) for action in commit.fetches]  # type: ignore[misc]

    # ---- sealing and publishing

    def _finish(self, commit: CommitPlan, problems: list[MirrorError]) -> None:
        """Seal and publish one commit once its files are there, or note why not."""
        problems = problems or _problem_of(lambda: self._seal_and_publish(commit))
        if problems:
            for entry in commit.entries:
                self._problems[str(entry)] = join(problems)
        self._progress.move()

    def _seal_and_publish(self, commit: CommitPlan) -> None:
        self._inspect(commit)
        repository = self._store.repository(commit.repo)
        about: dict[str, Any] = {"run": self._run, "repo_type": commit.repo.repo_type, "repo_id": commit.repo.repo_id}
        if commit.seal or commit.confirm:
            with repository.locked():
                seal(
                    self._store,
                    repository,
                    commit.listing,
                    commit.paths,
                    about,
                    None if commit.listing.doubt else False,
                )
            self._wait_for_peers(commit)
        with repository.locked():
            if commit.list_it:
                repository.mark({"listed": {commit.listing.commit: {"actor": self._options.actor}}})
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

    def _wait_for_peers(self, commit: CommitPlan) -> None:
        """Let the other nodes seal what is about to be published: clients may be sent there in the middle of it."""
        if not self._options.peers or not (commit.publishes or commit.list_it):
            return
        catalogue = write_catalogue(self._store, commit.repo)
        name = commit.listing.commit
        digest = catalogue.pieces[commit.repo].commits[name]
        until = self._clock.monotonic() + self._options.peer_wait
        for peer in self._options.peers:  # which fetch at the same time, whoever is asked first
            problem = peer.wait_for(commit.repo, name, digest, max(until - self._clock.monotonic(), 0))
            if problem and problem not in self.warnings:
                self.warnings.append(problem)

    def _inspect(self, commit: CommitPlan) -> None:
        """Look into what was verified: nothing but what the entries' formats and the lock file say."""
        for entry in commit.entries:  # what is sealed may be another entry's
            self._judge(entry, commit)
        for path in commit.paths if commit.seal else ():
            blob = self._store.pool.path(commit.listing.files[path].etag)
            if self._options.lock and not commit.listing.files[path].sha256:
                for entry in commit.entries:
                    self._options.lock.check_content(entry, path, blob)

    def _judge(self, entry: Wanted, commit: CommitPlan) -> None:
        """Raise HeldError where a file of an entry is none that its formats let through."""
        listed = commit.listing.files
        files = {str(path): self._store.pool.path(listed[path].etag) for path in entry.to_judge(listed)}
        held = judge(files, entry.formats == "safe", self._clock) if files else {}
        if held:
            path, reason = next(iter(held.items()))
            more = f" (so are {', '.join([*held][1:4])})" if len(held) > 1 else ""
            raise HeldError(
                f"{path} of {commit.repo}@{commit.listing.commit[:12]} {reason}, and the entry says formats:"
                f" {entry.formats}: the whole commit is held{more}. To accept the file, add it to formats_allow"
            )

    def _views(self, plan: Plan) -> None:
        for name, problem in update_views(self._store, plan.upstream).items():
            self._fail(name, problem)

    def _retain(self, plan: Plan, state: State) -> None:
        """Retire and collect what nothing names any more."""
        problems = self._collector().execute(plan, plan.upstream, state.age_at(self._clock.now()), self._progress.move)
        if problems:
            self._fail(Besides.RETENTION.value, join(problems))

    def _decide(self) -> None:
        """Let what this run did count, or one that died, and all nodes follow it."""
        standing = read_standing(self._store)
        if not standing.is_deciding:
            return
        if self._problems and standing.is_behind(self._clock.now()):
            self.warnings.append(
                "this node could not yet adopt a decision of another node, and this run failed in part: its own"
                " decision does not apply to the other nodes"
            )
            return
        decide(self._store)

    def _collector(self) -> GarbageCollector:
        about = {"run": self._run, "actor": self._options.actor}
        return GarbageCollector(self._store, about, self._options.grace_seconds)

    def _remove(self, plan: Plan) -> None:
        about: dict[str, Any] = {"run": self._run, "actor": self._options.actor}

        def withdraw(repo: Repo, ref: Ref) -> None:
            with self._store.repository(repo).locked():
                self._ledger.append("withdraw", **about, repo_type=repo.repo_type, repo_id=repo.repo_id, ref=ref)
                repository = self._store.repository(repo)
                if ref in map(str, repository.facts().listed):
                    repository.mark({"listed": {ref: None}})
                else:
                    repository.withdraw(ref, self._options.actor)

        def remove(repo: Repo) -> None:
            self._ledger.append("remove", **about, repo_type=repo.repo_type, repo_id=repo.repo_id)
            self._store.remove(repo, self._store.repository(repo).last_words(self._options.actor))

        for view in plan.removal.views:
            self._attempt(Besides.VIEWS, partial(Views(self._store).remove, view))
        # before it goes, or it would still have a name there
        if plan.removal.is_named:
            self._attempt(Besides.VIEWS, partial(leave_views, self._store, plan.removal.takes))
        for name, step in [
            *((f"{repo}@{ref}", partial(withdraw, repo, ref)) for repo, ref in plan.removal.refs),
            *((str(repo), partial(remove, repo)) for repo in plan.removal.repos),
        ]:
            for problem in _problem_of(step):
                # under one name: what goes is no entry of the runs to come, which tell whether it worked
                self._fail(Besides.REMOVAL.value, MirrorError(f"{name}: {problem}"))

    def _close(self, plan: Plan, state: State, duration: float) -> None:
        """Write the run's record, and what the next one goes by."""
        now = self._clock.now()
        failed = {name: (str(problem), problem.cause) for name, problem in self._problems.items()}
        for name, problem in self._problems.items():
            if problem.trace:
                self._ledger.append("trace", run=self._run, name=name, trace=problem.trace)
        before = state.repos
        entries = [name for name in map(str, plan.upstream) if name not in failed]
        others = [name for name in before if Besides.has(name) and name not in failed]
        if Besides.REMOVAL.value not in failed:
            others += [name for name in before if _is_of(name, plan.removal)]
        changed = {str(entry) for repo in plan.repos for c in repo.commits if c.changes for entry in c.entries}
        updated = [name for name in entries if name in changed or before.get(name, RepoState()).failures]
        told = self._options.health.warnings if self._options.health else []
        about: dict[str, Any] = {"upstreams": told} if told else {}
        self._ledger.append(
            "run",
            run=self._run,
            seconds=now,
            duration=round(duration, 3),
            actor=self._options.actor,
            unchanged=len(entries) - len(updated),
            succeeded=[*updated, *(name for name in others if before[name].failures)],
            failed=failed,
            fetched_bytes=self._downloads.received,
            **about,
        )
        state = self._ledger.state()  # with that record, and what others recorded meanwhile
        state.succeeded(entries, now)
        state.succeeded(others, now)
        state.bad = {key: bad for key, bad in self._downloads.bad.items() if bad.until + LONGEST_DELAY > now}
        state.upstreams = self._options.health.to_remember() if self._options.health else {}
        self._ledger.save(state)


def _is_of(name: str, removal: Removal) -> bool:
    """Say whether an entry, by its name, is of what is taken away."""
    refs = {f"{repo}@{ref}" for repo, ref in removal.refs}
    return name in refs or any(name.startswith(f"{repo}@") for repo in removal.repos)


def _problem_of(call: Callable[[], Any]) -> list[MirrorError]:
    try:
        call()
    except StoppedError:
        raise
    except Exception as problem:
        return [as_problem(problem)]
    return []
