# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node has to do to have what the other one has. Pure: two pieces of catalogues in, the steps out.

Nothing goes because the peer lacks it: a peer that lost its store must not take this one with it. What goes was taken
away by a publish of its own (an entry of the history without a commit), or retired here, and served for the grace.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from .._base.errors import MirrorError
from .._base.limits import PEER_AHEAD
from .._base.names import Commit, Ref
from .._plan.facts import Repo
from .._store.history import Entry, History, merge_history, merge_marks
from .._store.piece import Piece
from .._store.repository_reader import SHARED_MARKS


@dataclass(frozen=True)
class FollowPlan:
    """The steps for one repository, in their order.

    ``gate``: first of all, let only those see it who may; ``seal``: commits to have as the peer has them;
    ``histories``: refs that get the history of both; ``pending``: what waits for a person; ``retire``, ``spare``,
    ``collect``: commits that the peer retired, took back, or has no more; ``remove``: all of it.
    """

    repo: Repo
    gate: bool = False
    seal: tuple[Commit, ...] = ()
    histories: Mapping[Ref, list[Entry]] = field(default_factory=dict)
    pending: Mapping[Ref, Commit] | None = None
    marks: bool = False
    retire: tuple[Commit, ...] = ()
    spare: tuple[Commit, ...] = ()
    collect: tuple[Commit, ...] = ()
    remove: bool = False

    def __bool__(self) -> bool:
        steps = (
            self.gate
            or self.seal
            or self.histories
            or self.retire
            or self.spare
            or self.collect
            or self.marks
            or self.remove
        )
        return bool(steps) or self.pending is not None


def plan_follow(repo: Repo, mine: Piece, theirs: Piece, over: Container[str], leads: bool = True) -> FollowPlan:
    """Plan for a repository that the peer has.

    ``over``: commits that were retired here, and whose grace is over. ``leads``: what the peer decided counts; where it
    does not, the peer is behind, and only what can be merged comes from there.
    """
    histories = {}
    for ref, entries in theirs.history.items():
        merged = merge_history(mine.history.get(ref, []), entries)
        if merged and merged != mine.history.get(ref):
            histories[ref] = merged
    refs = {ref: entries[-1]["commit"] for ref, entries in {**mine.history, **histories}.items() if entries}
    marks = {kind: merge_marks(mine.marks.get(kind, {}), theirs.marks.get(kind, {})) for kind in SHARED_MARKS}
    kept = {name for kind in ("pins", "listed") for name, mark in marks[kind].items() if not mark.get("off")}
    if not leads:
        theirs = _as_decided_here(mine, theirs, {*refs.values(), *kept})
    waiting = {ref: commit for ref, commit in theirs.pending.items() if commit in theirs.commits}
    named = {*refs.values(), *waiting.values(), *kept}
    pending = {ref: commit for ref, commit in waiting.items() if refs.get(ref) != commit}
    gone = [commit for commit in mine.commits if commit not in theirs.commits and commit not in named]
    retired = [commit for commit in theirs.retired if commit not in named]
    collect = tuple(commit for commit in gone if commit in theirs.collected or commit in over)
    seal = tuple(
        commit
        for commit, digest in theirs.commits.items()
        if mine.commits.get(commit) != digest and not (commit in mine.collected and commit in theirs.retired)
    )
    here = {*mine.commits, *seal}.difference(mine.retired, collect)
    return FollowPlan(
        repo,
        gate=theirs.gated and not mine.gated,
        seal=seal,
        histories=histories,
        pending=pending if pending != mine.pending else None,
        marks=any(found != mine.marks.get(kind, {}) for kind, found in marks.items()),
        retire=tuple(sorted(here.intersection({*retired, *gone}))),
        spare=tuple(
            commit
            for commit in mine.retired
            if commit in named or (commit in theirs.commits and commit not in theirs.retired)
        ),
        collect=collect,
    )


def _as_decided_here(mine: Piece, theirs: Piece, named: Container[str]) -> Piece:
    """Return what a peer that is behind would tell if it knew what was decided here."""
    news = {
        commit: digest
        for commit, digest in theirs.commits.items()
        if commit not in mine.commits and (commit in named or commit not in mine.collected)
    }
    return dataclasses.replace(
        theirs, commits={**mine.commits, **news}, pending=mine.pending, retired=mine.retired, collected=()
    )


def check_serials(repo: Repo, mine: History, theirs: History) -> None:
    """Raise MirrorError where the peer has counted to where nobody can follow."""
    for ref, entries in theirs.items():
        last = _last_serial(entries)
        if last > _last_serial(mine.get(ref, [])) + PEER_AHEAD:
            raise MirrorError(f"{repo}@{ref}: the peer has publish number {last}, which can't be right: it is ignored")


def is_removed(gone: History, present: History) -> bool:
    """Say whether a repository that one node took away as a whole is not to be on the other one either.

    ``gone``: what is remembered of it, ``present``: its history where it still is, and may have been published since.
    """
    merged = {ref: merge_history(present.get(ref, []), entries) for ref, entries in gone.items()}
    # taken away there, too, and listed again since: it is on its way to be published
    comes_back = all(_last_serial(present.get(ref, [])) == _last_serial(entries) for ref, entries in merged.items())
    is_published = any(entries and entries[-1]["commit"] for entries in {**present, **merged}.values())
    return bool(gone) and not comes_back and not is_published


def _last_serial(entries: Sequence[Entry]) -> int:
    return entries[-1]["serial"] if entries else 0


def plan_removal(repo: Repo, mine: Piece, gone: History) -> FollowPlan:
    """Plan for a repository that the peer took away as a whole."""
    return FollowPlan(repo, remove=is_removed(gone, mine.history))
