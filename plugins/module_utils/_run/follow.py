# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow the other node of a pair: have what it has, and let refs name what it published.

Contents come from the peer, and from the Hub where the peer can't give them; every byte is verified as the Hub's are.
All commits are sealed before any ref moves, and that is told in this node's own catalogue, for which the peer waits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from .._base.clock import StoppedError
from .._base.errors import Besides, MirrorError, as_problem
from .._base.names import Commit, Ref, RepoPath
from .._base.progress import Progress
from .._fetch.download import Downloads
from .._fetch.fetchers import Fetchers
from .._fetch.peer import Peer, PeerError
from .._plan.facts import Listing, Repo
from .._plan.plan import Fetch
from .._store.catalogue import Catalogue, write_catalogue
from .._store.decision import Standing, adopt, note_seen
from .._store.history import Entry, History, Mark, merge_history
from .._store.node import own_node
from .._store.piece import Piece
from .._store.purged import read_purged
from .._store.store import Store
from .._store.view_update import gate, note_entries, noted_entries, update_views
from .._store.views import Views
from .._store.whitelist_record import Records, merge_records, read_records, write_records
from .follow_plan import FollowPlan, check_serials, is_removed, plan_follow, plan_removal
from .gc_repository import RepositoryCollector
from .purge import Purge, pending_purges
from .recovery import recover, settle
from .seal import seal

_HOUR = 3600


@dataclass
class Followed:
    """What passes did: commits sealed, refs moved, repositories removed, problems, and which peers are ``away``."""

    sealed: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problems: dict[str, MirrorError] = field(default_factory=dict)
    away: dict[str, MirrorError] = field(default_factory=dict)
    fetched: int = 0

    def add(self, other: Followed) -> None:
        """Count in what a pass did with another peer."""
        self.sealed += other.sealed
        self.moved += other.moved
        self.removed += other.removed
        self.problems.update(other.problems)
        self.fetched += other.fetched

    @property
    def changed(self) -> bool:
        """True when anything was done that a reader sees."""
        return bool(self.sealed or self.moved or self.removed)


class Follower:
    """One node that follows another. The store's run lock must be held in a pass."""

    def __init__(
        self,
        store: Store,
        peer: Peer,
        fetchers: Fetchers,
        actor: str,
        grace_seconds: float,
        reserve: int = 3,
        workers: int = 8,
        progress: Progress | None = None,
    ) -> None:
        self._store, self._peer, self._workers, self._grace_seconds = store, peer, workers, grace_seconds
        self._about = {"actor": actor, "peer": peer.endpoint}
        self._progress = progress or Progress()
        self._downloads = Downloads(store, fetchers, reserve, self._progress)
        self._age = 0.0

    def recover(self) -> None:
        """Finish what an earlier pass or run left: the first step."""
        settle(self._store)
        recover(self._store, self._about, self._grace_seconds)

    def follow(self) -> Followed:
        """Make one pass. Raises PeerError where the peer can't be asked."""
        self._grow_older()
        theirs = self._peer.catalogue()
        if theirs.standing.node == own_node(self._store):
            raise PeerError(f"{self._peer.endpoint} is this node itself: remove it from its peers (mirror_sync_peers)")
        done = Followed(
            problems={
                name: MirrorError(f"{self._peer.endpoint} has an entry for {name} that can't be right: {why}")
                for name, why in theirs.problems.items()
            }
        )
        purges = pending_purges(self._store, theirs.purged)
        if purges.contents or purges.repos:
            done.removed += Purge(self._store, str(self._about["actor"])).apply(purges)
        try:
            self._whitelist(theirs.whitelist)
        except MirrorError as problem:
            done.problems[Besides.WHITELIST.value] = problem
        mine = write_catalogue(self._store)
        leads = self._leads(theirs.standing, mine.standing, done)
        known = {**{repo: Piece(history) for repo, history in mine.removed.items()}, **mine.pieces}
        told = {**theirs.removed, **{repo: piece.history for repo, piece in theirs.pieces.items()}}
        believed = {repo for repo, history in told.items() if self._is_possible(repo, known, history, done)}
        plans = [
            plan_follow(repo, self._in_time(repo, known.get(repo, Piece())), piece, self._over(repo), leads)
            for repo, piece in theirs.pieces.items()
            if repo in believed and not is_removed(mine.removed.get(repo, {}), piece.history)
        ]
        self._all(plans, theirs, done)
        gone = {repo: history for repo, history in theirs.removed.items() if repo in mine.pieces and repo in believed}
        removals = [plan_removal(repo, mine.pieces[repo], history) for repo, history in gone.items()]
        # before a repository goes, or what it had would still have a name there
        going = {plan.repo for plan in removals if plan}
        if not leads:
            self._views(mine, going, done)
        elif "views" not in theirs.problems:  # half of what is told would take the other half away
            self._views(theirs, going, done)
        self._all(removals, theirs, done)
        if leads and not done.problems:
            adopt(self._store, theirs.standing.last)
        write_catalogue(self._store)
        done.fetched = self._downloads.received
        return done

    def _leads(self, theirs: Standing, mine: Standing, done: Followed) -> bool:
        """Say whether what the peer decided counts here, and note that it was told."""
        try:
            theirs.last.check(mine.last)
        except MirrorError as problem:
            done.problems[Besides.VIEWS.value] = problem
            return False
        note_seen(self._store, theirs.last)
        return theirs.leads(mine, self._store.clock.now())

    def _whitelist(self, theirs: Records) -> None:
        """Know what files of the whitelist name that only another node has: this one may be next to sync."""
        mine = read_records(self._store)
        merged = merge_records(mine, theirs, self._store.clock.now())
        if merged != mine:
            write_records(self._store, merged)

    def _is_possible(self, repo: Repo, known: Mapping[Repo, Piece], history: History, done: Followed) -> bool:
        """Say whether what the peer tells of a repository can have happened, or note why not."""
        try:
            check_serials(repo, known.get(repo, Piece()).history, history)
        except MirrorError as problem:
            done.problems[str(repo)] = problem
            return False
        return True

    def _all(self, plans: Iterable[FollowPlan], theirs: Catalogue, done: Followed) -> None:
        for plan in [one for one in plans if one]:
            try:
                self._execute(plan, theirs, done)
            except StoppedError:  # nobody's trouble
                raise
            except Exception as problem:
                done.problems[str(plan.repo)] = as_problem(problem)

    def _grow_older(self) -> None:
        """Let the store's age grow where no sync does it."""
        state, now = self._store.ledger.state(), self._store.clock.now()
        if state.last_run is None or abs(now - state.last_run) >= _HOUR:
            state.age, state.last_run = state.age_at(now), now
            self._store.ledger.save(state)
        self._age = state.age_at(now)

    def _over(self, repo: Repo) -> set[str]:
        """Return the commits whose grace is over here."""
        return {commit for commit, since in self._retired(repo).items() if since <= self._age - self._grace_seconds}

    def _in_time(self, repo: Repo, piece: Piece) -> Piece:
        """Return a piece of the catalogue without what was retired at an age that is yet to come: it is retired again.

        The ledger was lost.
        """
        late = {commit for commit, since in self._retired(repo).items() if since > self._age}
        return dataclasses.replace(piece, retired=tuple(commit for commit in piece.retired if commit not in late))

    def _retired(self, repo: Repo) -> dict[str, float]:
        return {commit: mark["age"] for commit, mark in self._store.repository(repo).marks().get("retired", {}).items()}

    def _execute(self, plan: FollowPlan, theirs: Catalogue, done: Followed) -> None:
        repo = plan.repo
        about: dict[str, Any] = {**self._about, "repo_type": repo.repo_type, "repo_id": repo.repo_id}
        if plan.remove:
            self._store.ledger.append("remove", **about)
            self._store.remove(repo, theirs.removed[repo])
            done.removed.append(str(repo))
            return
        if plan.gate:
            repository = self._store.repository(repo)
            with repository.locked():
                gate(self._store, repository)
        for commit in plan.seal:
            if self._seal(repo, commit, about):
                done.sealed.append(f"{repo}@{commit}")
        if plan.seal:
            write_catalogue(self._store, repo)
        self._publish(plan, theirs.pieces[repo], about, done)

    def _seal(self, repo: Repo, commit: Commit, about: dict[str, Any]) -> bool:
        """Have a commit as the peer has it, but for what was purged here. Says whether there was anything to do."""
        repository, purged = self._store.repository(repo), read_purged(self._store)
        listing, listed = self._peer.listing(repo, commit)
        paths = tuple(path for path in listed if not purged.has(listing.files[path].etag))
        facts = repository.facts()
        present = facts.snapshots.get(commit)
        if paths != listed and present is not None and set(present) == set(paths):
            return False
        self._fetch(repo, listing, paths)
        from_hub = None if commit in facts.second_hand else repository.upstream(commit)
        is_news = from_hub is None or from_hub.files != listing.files
        if from_hub and not is_news:
            listing = dataclasses.replace(listing, teller=from_hub.teller)
        with repository.locked():
            seal(self._store, repository, listing, paths, about, second_hand=is_news or None)
        return True

    def _fetch(self, repo: Repo, listing: Listing, paths: Iterable[RepoPath]) -> None:
        missing = {
            listing.files[path].etag: Fetch(repo, listing.commit, path, listing.files[path])
            for path in paths
            if listing.files[path].etag not in self._store.pool
        }
        self._downloads.begin(missing, {})
        with ThreadPoolExecutor(self._workers) as pool:
            list(pool.map(self._downloads.fetch, missing.values()))

    def _publish(self, plan: FollowPlan, theirs: Piece, about: dict[str, Any], done: Followed) -> None:
        """Move refs and marks, then retire and collect. People change things here, too, until the lock is held."""
        repository = self._store.repository(plan.repo)
        with repository.locked():
            repository.recover_locked()
            facts = repository.facts()
            history = repository.history()
            moves, lost = dict[Ref, list[Entry]](), list[str]()
            for ref, planned in plan.histories.items():
                entries = merge_history(history.get(ref, []), planned)
                if entries == history.get(ref):
                    continue
                commit = entries[-1]["commit"]
                if commit and commit not in facts.snapshots:
                    lost.append(f"{ref} to {commit[:12]}")
                else:
                    moves[ref] = entries
            told = [
                {"ref": ref, "serial": last["serial"], "old": facts.refs.get(ref), "new": last["commit"] or None}
                for ref, (*_before, last) in moves.items()
            ]
            for move in told:
                self._store.ledger.append("intent", **about, **move)
            if moves:
                repository.follow(moves)
            for move in told:
                self._store.ledger.append("publish", **about, **move)
            done.moved += [f"{plan.repo}@{ref}" for ref in moves]
            if lost:
                more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
                raise MirrorError(f"{plan.repo}: the peer published {lost[0]}{more}, but does not serve it")
            if plan.marks:
                repository.merge_marks(theirs.marks)
            if plan.pending is not None:
                repository.replace_pending(plan.pending)
            self._retire(plan, about)

    def _retire(self, plan: FollowPlan, about: dict[str, Any]) -> None:
        repository = self._store.repository(plan.repo)
        facts = repository.facts()
        named = {*facts.refs.values(), *facts.pending.values(), *facts.pins, *facts.listed}
        marks: dict[str, Mark | None] = {commit: {"age": self._age} for commit in plan.retire if commit not in named}
        spared: dict[str, Mark | None] = dict.fromkeys(plan.spare)
        if marks or spared:
            repository.mark({"retired": {**marks, **spared}})
        collect = tuple(commit for commit in plan.collect if commit not in named and commit in facts.snapshots)
        if collect:
            self._store.ledger.append("collect", **about, commits=collect)
            freed = RepositoryCollector(self._store, repository).collect(collect)
            self._store.ledger.append("collected", durable=False, **about, commits=collect, bytes=freed)

    def _views(self, theirs: Catalogue, going: Container[Repo], done: Followed) -> None:
        """Have the views that one of both has of what is published here, without repositories that are ``going``."""
        wanted = [one for one in theirs.views if one.repo not in going]
        names = {view for one in wanted for view in one.views}
        shown = Views(self._store)
        # a peer that lost its store must not take the views with it
        known = [one for one in noted_entries(self._store) if one.repo in {*theirs.pieces, *theirs.removed}]
        kept = {view for one in noted_entries(self._store) if one not in known for view in one.views}
        for view in {view for one in known for view in one.views} - names - kept:
            shown.remove(view)
            self._progress.move()
        # what is wrong with an entry tells who syncs it
        problem = update_views(self._store, wanted).get(Besides.VIEWS.value)
        if problem:
            done.problems[Besides.VIEWS.value] = problem
        note_entries(self._store, wanted)
