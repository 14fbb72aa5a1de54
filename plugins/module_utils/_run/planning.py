# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the Hub and the store, and make the plan of a run. Writes nothing: check mode and a run use the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from .._base.clock import StoppedError
from .._base.errors import MirrorError, as_problem
from .._base.names import Commit
from .._base.progress import Progress
from .._fetch.hub import Hub
from .._fetch.latest import Latest
from .._fetch.upstreams import KeptError, Upstreams
from .._plan.facts import Listing, Repo, RepoFacts, Snapshot
from .._plan.lockfile import LockFile
from .._plan.plan import CommitPlan, Plan, Upstream, plan_repo
from .._plan.views import GatedError, current_files
from .._plan.wanted import Wanted
from .._store.ledger import State
from .._store.purged import read_purged
from .._store.store import Store
from .._store.view_update import plan_update


class Planner:
    """The facts for one run over a whitelist."""

    def __init__(self, store: Store, upstreams: Upstreams, workers: int, lock: LockFile | None = None) -> None:
        self._store, self._upstreams, self._workers, self._lock = store, upstreams, workers, lock
        self._purged = read_purged(store)

    def plan(self, wanted: list[Wanted], state: State, progress: Progress, exact: bool = False) -> Plan:
        """Return what is to be done, the entries whose last success is the oldest first."""
        # one that takes all night must not starve the others for ever
        order = sorted(wanted, key=lambda one: _last_success(state, one))
        facts: dict[Repo, RepoFacts] = {}
        broken: dict[Repo, MirrorError] = {}
        for repo in dict.fromkeys(one.repo for one in order):
            try:
                facts[repo] = self._store.repository(repo).facts()
            except Exception as problem:  # also documents that somebody else wrote
                broken[repo] = as_problem(problem)
        progress.begin("asking the Hub", len(order))

        def ask(one: Wanted) -> Upstream:
            repo = one.repo
            answer = broken[repo] if repo in broken else self._ask(one, facts[repo])
            progress.step()
            return answer

        with ThreadPoolExecutor(self._workers) as pool:
            upstream = dict(zip(order, pool.map(ask, order)))
        plan = Plan(upstream=upstream, facts=facts)
        bad, rotten = self._bad(state), self._store.pool.rotten()
        for repo in dict.fromkeys(one.repo for one in order):
            answers = {one: upstream[one] for one in order if one.repo == repo}
            known = facts.get(repo, RepoFacts())
            plan.repos.append(plan_repo(repo, answers, known, self._store.pool, bad, exact, rotten))
        self.plan_views(plan, facts)
        return plan

    def _ask(self, wanted: Wanted, facts: RepoFacts) -> Upstream:
        try:
            self._purged.check_repo(wanted.repo)
            if self._lock:
                listing = self._lock.check(wanted, self._at_commit(wanted, facts, self._lock.commit(wanted)))
            else:
                listing = self._listing(wanted, facts)
            for path in wanted.select(listing.files, listing.refused):
                self._purged.check_content(listing.files[path].etag, f"{path} of {wanted.repo}")
        except StoppedError:
            raise
        except Exception as problem:  # what came is odd in a way that nobody foresaw: this entry fails, no other
            return as_problem(problem)
        return listing

    def _listing(self, wanted: Wanted, facts: RepoFacts) -> Listing:
        ref = wanted.revision
        if wanted.commit:
            return self._at_commit(wanted, facts, wanted.commit)
        if ref in facts.frozen:
            return self._at_commit(wanted, facts, facts.refs[ref])
        try:
            return self._upstreams.ask(
                wanted, partial(self._ask_hub, wanted, facts), partial(self._latest, wanted, facts)
            )
        except KeptError as kept:  # which is told
            return self._at_commit(wanted, facts, kept.commit)

    def _ask_hub(self, wanted: Wanted, facts: RepoFacts, hub: Hub) -> Listing:
        """Return what a Hub says of a ref now."""
        repo, ref = wanted.repo, wanted.revision
        known = facts.pending.get(ref) or facts.refs.get(ref)
        if known and facts.snapshots.get(known):
            commit = hub.head(repo, ref, min(facts.snapshots[known], key=len), wanted.token)
            if commit in facts.rejected.get(ref, ()):
                return self._at_commit(wanted, facts, facts.refs[ref])
            listing = self._told(repo, facts, commit, hub) if commit else None
            if listing:
                return listing
        commit, card = hub.info(repo, ref, wanted.token)
        if commit in facts.rejected.get(ref, ()):
            return self._at_commit(wanted, facts, facts.refs[ref])
        told = self._told(repo, facts, commit, hub)
        if told:
            return told
        return dataclasses.replace(hub.listing(repo, commit, card, wanted.token), confirms=commit in facts.snapshots)

    def _latest(self, wanted: Wanted, facts: RepoFacts) -> Latest | None:
        """Return what is here of a ref."""
        commit = _newest(wanted, facts)
        if not commit:
            return None
        read = partial(self._store.repository(wanted.repo).upstream, commit)
        return Latest(commit, facts.history.get(wanted.revision, ()), read, self._store.clock)

    def _told(self, repo: Repo, facts: RepoFacts, commit: Commit, hub: Hub) -> Listing | None:
        """Return the listing of a commit, unless one that this Hub stands before told it: that is to be compared."""
        seen = self._seen(repo, facts, commit)
        return None if seen and self._upstreams.is_before(hub, seen.teller) else seen

    def _seen(self, repo: Repo, facts: RepoFacts, commit: Commit) -> Listing | None:
        """Return the Hub's listing of a commit if it came from the Hub before."""
        return None if commit in facts.second_hand else self._store.repository(repo).upstream(commit)

    def _at_commit(self, wanted: Wanted, facts: RepoFacts, commit: Commit) -> Listing:
        """Return the listing of a commit that stays the same whatever the Hub does, be it that it has it no more."""
        seen = self._seen(wanted.repo, facts, commit)
        if seen:
            return seen
        try:
            return self._upstreams.ask(wanted, partial(self._hub_at_commit, wanted, commit))
        except StoppedError:
            raise
        except MirrorError as problem:
            told = self._store.repository(wanted.repo).upstream(commit)
            if not told:
                raise
            return dataclasses.replace(told, doubt=str(problem))

    def _hub_at_commit(self, wanted: Wanted, commit: Commit, hub: Hub) -> Listing:
        repo = wanted.repo
        found, card = hub.info(repo, commit, wanted.token)
        if found != commit:
            raise MirrorError(f"{wanted}: asked for commit {commit}, the Hub answers for {found}")
        return hub.listing(repo, commit, card, wanted.token)

    def _bad(self, state: State) -> Mapping[tuple[str, str, str], str]:
        now = self._store.clock.now()
        found: dict[tuple[str, str, str], str] = {}
        for key, bad in state.bad.items():
            if bad.counts(now):
                commit, etag, path = key.split(" ", 2)
                hours = max(round((bad.until - now) / 3600), 1)
                found[commit, path, etag] = f"{bad.message} (tried {bad.times} times, again in {hours} h)"
        return found

    def plan_views(self, plan: Plan, facts: Mapping[Repo, RepoFacts]) -> None:
        """Find the views that the plan would change."""
        planned = {one.repo: one for one in plan.repos}

        def look(one: Wanted) -> Snapshot:
            repo, repository = planned.get(one.repo), self._store.repository(one.repo)
            commits = repo.commits if repo else []
            if repository.is_gated or any(commit.seal and commit.listing.is_gated for commit in commits):
                raise GatedError(one.repo)
            commit = _coming(commits, one)
            if commit:
                return {path: commit.listing.files[path].etag for path in commit.paths}
            return current_files(one, facts.get(one.repo) or repository.facts())

        changes = plan_update(self._store, plan.upstream, look)
        plan.views = changes.views
        for one, problem in changes.problems.items():
            planned[one.repo].problems.setdefault(one, problem)


def _coming(commits: Iterable[CommitPlan], wanted: Wanted) -> CommitPlan | None:
    """Return the commit that the plan lets an entry show, None where it stays as it is."""
    for commit in commits:
        moves = any(publish.ref == wanted.revision for publish in commit.publishes)
        if wanted in commit.entries and (moves or wanted.is_commit):
            return commit
    return None


def _newest(wanted: Wanted, facts: RepoFacts) -> Commit | None:
    """Return the newest commit of a ref that is here: where a person publishes, the one that waits."""
    waiting = facts.pending.get(wanted.revision) if wanted.publish == "manual" else None
    return waiting or facts.refs.get(wanted.revision)


def _last_success(state: State, wanted: Wanted) -> float:
    repo = state.repos.get(str(wanted))
    return (repo.last_success if repo else None) or 0.0
