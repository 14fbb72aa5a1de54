# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stays, what is retired, and what goes when its grace is over. Pure.

A commit that nothing names any more is retired first: it stays served by its id for the grace, in which downloads that
began before come to their end. The grace is counted in ages of the store (``_ledger.State.age``), not by a clock.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from .._base.names import Commit, Ref
from .facts import Repo, RepoFacts
from .plan import Removal, RepoPlan, Retention
from .wanted import Wanted


def roots(facts: RepoFacts, wanted: Iterable[Wanted]) -> set[Commit]:
    """Return the commits that something names: refs, the last published of them, pins, pending, listed by id.

    Of a ref that ``wanted`` does not name, all that it ever named stays: nobody said how many.
    """
    keep: dict[Ref, int] = {}
    for one in wanted:
        keep[one.revision] = max(one.keep, keep.get(one.revision, 0))
    found = {*facts.refs.values(), *facts.pins, *facts.pending.values(), *facts.listed}
    for ref in facts.refs:
        newest_first = list(dict.fromkeys(reversed(facts.history.get(ref, ()))))
        found.update(newest_first[: keep.get(ref)])
    return found


def plan_retention(
    repo: Repo, facts: RepoFacts, wanted: Iterable[Wanted], age: float, grace_seconds: float
) -> Retention:
    """Plan one repository. ``age`` is the store's, ``grace_seconds`` what must have passed since a retirement."""
    rooted = roots(facts, wanted)
    retire: list[Commit] = []
    collect: list[Commit] = []
    for commit in sorted(facts.snapshots.keys() - rooted):
        since = facts.retired.get(commit)
        # an age that is yet to come is none: the ledger was lost
        if since is None or since > age:
            retire.append(commit)
        elif since + grace_seconds <= age:
            collect.append(commit)
    spare = sorted(rooted & facts.retired.keys())
    narrowed = {commit: since for commit, since in sorted(facts.narrowed.items()) if commit not in collect}
    restart = tuple(commit for commit, since in narrowed.items() if since > age)
    trim = tuple(commit for commit, since in narrowed.items() if since <= age and since + grace_seconds <= age)
    return Retention(repo, tuple(retire), tuple(spare), tuple(collect), trim, restart)


def foreseen(facts: RepoFacts, plan: RepoPlan, removal: Removal) -> RepoFacts:
    """Return the facts as they will be once a plan is executed."""
    refs, pending, history = dict(facts.refs), dict(facts.pending), dict(facts.history)
    snapshots, listed = dict(facts.snapshots), set(facts.listed)
    for commit in plan.commits:
        name = commit.listing.commit
        snapshots[name] = {path: commit.listing.files[path].etag for path in commit.paths}
        if commit.list_it:
            listed.add(name)
        pending.update(dict.fromkeys(commit.pending, name))
        for publish in commit.publishes:
            refs[publish.ref] = name
            history[publish.ref] = (*history.get(publish.ref, ()), name)
            pending.pop(publish.ref, None)
    for repo, revision in removal.refs:
        if repo == plan.repo:
            refs.pop(revision, None)
            pending.pop(revision, None)
            listed.discard(revision)
    return dataclasses.replace(
        facts, refs=refs, pending=pending, history=history, snapshots=snapshots, listed=frozenset(listed)
    )
