# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning: wanted + facts -> actions. Pure: the same function serves check mode and a run."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Union

from .._base.errors import HeldError, MirrorError, as_problem
from .._base.names import Commit, Etag, Ref, RepoPath, ViewName
from .facts import File, Listing, Repo, RepoFacts, Snapshot
from .wanted import Wanted, substance

#: A listing, or why there is none.
Upstream = Union[Listing, MirrorError]


@dataclass(frozen=True)
class Fetch:
    """Bring a file of a commit into the pool; ``token`` names the token to use."""

    repo: Repo
    commit: Commit
    path: RepoPath
    file: File
    token: str | None = None


@dataclass(frozen=True)
class Publish:
    """Let a ref name another commit; ``old`` is what it must still name then, ``serial`` the number of the publish.

    ``is_rollback``: a person goes back to ``new``, and no sync is to bring ``old`` again.
    """

    repo: Repo
    ref: Ref
    old: Commit | None
    new: Commit
    serial: int
    is_rollback: bool = False


@dataclass
class CommitPlan:
    """The actions for one commit, in their order: fetch all, seal, then publish or leave pending.

    It is done as a whole or not at all; ``entries`` are the whitelist's entries that want it. ``list_it``: it stays for
    as long as the whitelist names it by its id. ``dropped``, ``added``: paths that leave
    its listing, and that come into it. ``confirm``: a peer, or a later upstream, told what is sealed,
    and the Hub says so, too. ``tokens``: path -> the name of the token of an entry that wants it.
    """

    repo: Repo
    listing: Listing
    paths: tuple[RepoPath, ...]
    entries: list[Wanted]
    seal: bool = False
    list_it: bool = False
    confirm: bool = False
    dropped: tuple[RepoPath, ...] = ()
    added: tuple[RepoPath, ...] = ()
    tokens: dict[str, str | None] = field(default_factory=dict)
    fetches: list[Fetch] = field(default_factory=list)
    publishes: list[Publish] = field(default_factory=list)
    pending: list[Ref] = field(default_factory=list)

    def keep_all(self) -> None:
        """Leave in the listing what was to be dropped from it."""
        if self.dropped:
            self.paths = tuple(sorted({*self.paths, *self.dropped}))
            self.dropped = ()
            # without what is new, or fetched again, nothing is left to be sealed
            self.seal = bool(self.added or self.fetches)

    @property
    def etags(self) -> set[Etag]:
        """Return the contents of its files."""
        return {self.listing.files[path].etag for path in self.paths}

    @property
    def changes(self) -> bool:
        """True when there is anything to do."""
        return bool(self.seal or self.publishes or self.pending or self.list_it)


@dataclass
class RepoPlan:
    """The plan for one repository; ``problems`` names the entries that can't be had, and why."""

    repo: Repo
    commits: list[CommitPlan] = field(default_factory=list)
    problems: dict[Wanted, MirrorError] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """True when there is anything to do."""
        return any(commit.changes for commit in self.commits)

    @property
    def publishes(self) -> list[Publish]:
        """Return all refs that move."""
        return [publish for commit in self.commits for publish in commit.publishes]


@dataclass(frozen=True)
class Removal:
    """What leaves the store: whole repositories, single refs, views.

    ``is_named``: a person named it, and what views have of it goes along; else the whitelist says what views have.
    """

    repos: tuple[Repo, ...] = ()
    refs: tuple[tuple[Repo, Ref], ...] = ()
    views: tuple[ViewName, ...] = ()
    is_named: bool = False

    def __bool__(self) -> bool:
        return bool(self.repos or self.refs or self.views)

    def takes(self, one: Wanted) -> bool:
        """Say whether what an entry has is among it."""
        return one.repo in self.repos or (one.repo, one.revision) in self.refs


@dataclass(frozen=True)
class Retention:
    """What is to be done with the commits of one repository.

    ``retire``: commits that nothing names any more; ``spare``: retired ones that something names again; ``collect``:
    retired ones whose grace is over; ``trim``: commits whose listing got shorter a grace ago; ``restart``: such ones
    whose grace begins anew, for the ledger was lost.
    """

    repo: Repo
    retire: tuple[Commit, ...] = ()
    spare: tuple[Commit, ...] = ()
    collect: tuple[Commit, ...] = ()
    trim: tuple[Commit, ...] = ()
    restart: tuple[Commit, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.retire or self.spare or self.collect or self.trim or self.restart)

    def __and__(self, other: Retention) -> Retention:
        """Return what both want."""
        both = {
            name: tuple(commit for commit in getattr(self, name) if commit in getattr(other, name))
            for name in ("retire", "spare", "collect", "trim", "restart")
        }
        return Retention(self.repo, **both)


@dataclass
class Plan:
    """What a run would do. ``upstream`` is what the Hub answered for each entry, ``facts`` what the store has of them.

    ``other_problems`` belong to no entry (``Besides``). ``views`` has what changes: name -> files, none where it goes.
    ``orphans`` are contents and parts of them that nothing has named for long, with their bytes; ``freed`` are the
    bytes that they and ``retention`` bring.
    """

    repos: list[RepoPlan] = field(default_factory=list)
    upstream: dict[Wanted, Upstream] = field(default_factory=dict)
    facts: dict[Repo, RepoFacts] = field(default_factory=dict)
    views: dict[ViewName, dict[str, Etag]] = field(default_factory=dict)
    other_problems: dict[str, MirrorError] = field(default_factory=dict)
    other_warnings: list[str] = field(default_factory=list)
    removal: Removal = field(default_factory=Removal)
    retention: list[Retention] = field(default_factory=list)
    orphans: dict[str, int] = field(default_factory=dict)
    freed: int = 0

    @property
    def changes(self) -> bool:
        """True when there is anything to do."""
        return bool(self.views or self.removal or self.retention or self.orphans) or any(
            repo.changes for repo in self.repos
        )

    @property
    def problems(self) -> dict[str, MirrorError]:
        """Return what can't be had, by entry."""
        found = {str(wanted): problem for repo in self.repos for wanted, problem in repo.problems.items()}
        return {**found, **self.other_problems}

    @property
    def warnings(self) -> list[str]:
        """Return what a person should know although nothing is wrong."""
        return [*(warning for repo in self.repos for warning in repo.warnings), *self.other_warnings]

    @property
    def fetches(self) -> dict[Etag, Fetch]:
        """Return what is to be fetched, each content once however many commits have it."""
        return {f.file.etag: f for repo in self.repos for commit in repo.commits for f in commit.fetches}


def plan_repo(
    repo: Repo,
    upstream: Mapping[Wanted, Upstream],
    facts: RepoFacts,
    pool: Container[str],
    bad: Mapping[tuple[str, str, str], str],
    exact: bool = False,
    rotten: Container[str] = frozenset(),
) -> RepoPlan:
    """Plan one repository from its whitelist entries and what the Hub answered for each.

    Several entries may mean one commit: their files are joined. A listing only grows, but for ``exact``, where nobody
    else has entries. ``pool`` holds the etags that need no fetching, none of those that are ``rotten``; ``bad`` says of
    (commit, path, etag) why it is not to be asked for again yet.
    """
    plan = RepoPlan(repo)
    commits: dict[Commit, CommitPlan] = {}
    for wanted, answer in upstream.items():
        try:
            if isinstance(answer, MirrorError):
                raise answer
            paths = wanted.select(answer.files, answer.refused)
            _hold(wanted, answer, paths, facts)
            check_same(repo, answer, facts.snapshots.get(answer.commit, {}))
            _refuse_bad(answer, paths, pool, bad)
        except Exception as problem:  # also what nobody foresaw: this entry fails, no other
            plan.problems[wanted] = as_problem(problem)
            continue
        commit = commits.setdefault(answer.commit, CommitPlan(repo, answer, (), []))
        commit.entries.append(wanted)
        commit.paths = tuple(sorted({*commit.paths, *paths}))
        commit.tokens.update({path: commit.tokens.get(path) or wanted.token for path in paths})
        commit.confirm = answer.confirms or (answer.commit in facts.second_hand and not answer.doubt)
        if answer.doubt:
            plan.warnings.append(
                f"{wanted}: the listing of commit {answer.commit[:12]} came from the peer and can't be compared with"
                f" the Hub: {answer.doubt}"
            )
        _move(wanted, commit, facts)
    for commit in commits.values():
        # what an entry wants that can't be had just now must not look as though nobody wanted it
        _complete(commit, facts, pool, rotten, narrow=exact and not plan.problems)
        if commit.added and not commit.dropped and commit.listing.commit in facts.snapshots:
            plan.warnings.append(
                f"{repo}@{commit.listing.commit[:12]} gets more files: clients that listed this commit before see them"
                " with the next commit, or with an empty cache"
            )
    plan.commits = list(commits.values())
    return plan


def check_same(repo: Repo, listing: Listing, sealed: Snapshot) -> None:
    """Raise MirrorError where a listing says something else of a sealed commit's files than what they are."""
    for path, etag in sealed.items():
        told = listing.files.get(path)
        if told is None or told.etag != etag:
            now = f"is {told.etag[:12]}" if told else "does not exist"
            raise MirrorError(
                f"{path} of {repo}@{listing.commit[:12]} is {etag[:12]} here, but {now} in the new listing: a commit"
                f" never changes, so one of the two is wrong. If it is the mirror, remove rev/{listing.commit} and"
                f" upstream/{listing.commit}.json of hub/{repo.folder}/.mirror in the store of each node, and sync"
            )


def _hold(wanted: Wanted, listing: Listing, paths: list[RepoPath], facts: RepoFacts) -> None:
    """Refuse to follow an upstream that went back in time or dropped everything."""
    published = facts.refs.get(wanted.revision)
    if wanted.is_commit or published in (None, listing.commit):
        return
    if listing.commit in facts.history.get(wanted.revision, ()) and not wanted.allow_rewind:
        raise HeldError(
            f"{wanted} went back to {listing.commit[:12]}, which was published before {published[:12]}: held; set"
            " allow_rewind to follow it",
            cause="the upstream went back to a commit that was published earlier: held; set allow_rewind to follow it",
        )
    before = substance(facts.snapshots.get(published, {}) if published else ())
    if before and not substance(paths):
        raise HeldError(
            f"{wanted} has none of its {len(before)} files any more at {listing.commit[:12]}: held",
            cause="the upstream dropped all files: held",
        )


def _refuse_bad(
    listing: Listing, paths: Iterable[RepoPath], pool: Container[str], bad: Mapping[tuple[str, str, str], str]
) -> None:
    for path in paths:
        etag = listing.files[path].etag
        reason = bad.get((listing.commit, path, etag))
        if reason and etag not in pool:
            raise MirrorError(reason)


def _move(wanted: Wanted, commit: CommitPlan, facts: RepoFacts) -> None:
    """Publish the commit under the entry's ref, or leave it pending where a person decides."""
    ref, new = wanted.revision, commit.listing.commit
    old = facts.refs.get(ref)
    if wanted.is_commit:
        commit.list_it = new not in facts.listed
        return
    if old == new:
        return
    if wanted.publish == "auto":
        commit.publishes.append(Publish(commit.repo, ref, old, new, facts.serials.get(ref, 0) + 1))
    elif facts.pending.get(ref) != new:
        commit.pending.append(ref)


def _complete(commit: CommitPlan, facts: RepoFacts, pool: Container[str], rotten: Container[str], narrow: bool) -> None:
    """Say what is to be fetched and whether the commit is to be sealed."""
    sealed = facts.snapshots.get(commit.listing.commit, {})
    present = set(sealed)
    union = set(commit.paths) if narrow else present | set(commit.paths)
    commit.paths = tuple(sorted(union))
    commit.dropped, commit.added = tuple(sorted(present - union)), tuple(sorted(union - present))
    is_sound = not any(etag in rotten for etag in sealed.values())
    if commit.listing.commit in facts.snapshots and union == present and is_sound:
        return
    commit.seal = True
    any_token = next(filter(None, commit.tokens.values()), None)
    for path in commit.paths:
        file = commit.listing.files[path]
        if file.etag not in pool:
            # what no entry wants any more, and is to be fetched again, is fetched with whatever opens the repository
            token = commit.tokens.get(path, any_token)
            commit.fetches.append(Fetch(commit.repo, commit.listing.commit, path, file, token))
