# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retention of a whole store: find what is to be retired and collected, then do it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Callable

from .._base.errors import MirrorError
from .._plan.facts import Repo
from .._plan.plan import Plan, RepoPlan, Retention
from .._plan.retention import foreseen, plan_retention
from .._plan.wanted import Wanted
from .._store.store import Store
from .gc_repository import RepositoryCollector, freed, graves

#: Seconds for which what is retired stays served: longer than the slowest download.
GRACE = 72 * 3600.0
_DONE = {"collect": "collected", "trim": "trimmed"}


def plan_gc(store: Store, wanted: Iterable[Wanted], plan: Plan, age: float, grace_seconds: float) -> None:
    """Put into a plan what is to be retired and collected once the rest of it is done. Asks nobody."""
    entries = _by_repo(wanted)
    planned = {one.repo: one for one in plan.repos}
    going = {}
    for repository in store.repositories():
        repo = repository.repo
        if repo in plan.removal.repos:
            continue
        try:
            known = plan.facts.get(repo) or repository.facts()
            facts = foreseen(known, planned.get(repo, RepoPlan(repo)), plan.removal)
        except MirrorError:  # told by who plans for it; where anything can't be read nothing goes
            continue
        retention = plan_retention(repo, facts, entries.get(repo, ()), age, grace_seconds)
        if retention:
            plan.retention.append(retention)
        if retention.collect:
            going[repository] = retention.collect
    plan.freed = freed(going)
    needed = {etag for repo_plan in plan.repos for commit in repo_plan.commits for etag in commit.etags}
    orphans = store.pool.orphans(store.clock.now() - grace_seconds)
    plan.orphans = {name: size for name, size in orphans.items() if Path(name).stem not in needed}
    plan.freed += sum(plan.orphans.values())


class GarbageCollector:
    """Does it. The store's run lock must be held."""

    def __init__(self, store: Store, about: dict[str, Any], grace_seconds: float) -> None:
        self._store, self._about, self._grace_seconds = store, about, grace_seconds

    def recover(self) -> list[str]:
        """Go on with what an earlier run was collecting. Returns what was done."""
        done = []
        for repo in graves(self._store.trash):
            with contextlib.suppress(MirrorError, OSError):  # told by ``execute``, which tries again
                done += self._finish(repo)
        return done

    def _finish(self, repo: Repo) -> list[str]:
        repository = self._store.repository(repo)
        with repository.locked():
            return RepositoryCollector(self._store, repository).recover()

    def execute(
        self, plan: Plan, wanted: Iterable[Wanted], age: float, move: Callable[[], None] = lambda: None
    ) -> list[MirrorError]:
        """Retire and collect what is planned and still due. Returns what could not be done.

        ``move`` is called after each of them.
        """
        entries = _by_repo(wanted)
        problems = []
        steps: list[tuple[object, Callable[[], object]]] = [
            *((repo, partial(self._finish, repo)) for repo in graves(self._store.trash)),
            *((one.repo, partial(self._retain, one, entries.get(one.repo, []), age)) for one in plan.retention),
            *((name, partial(self._store.pool.forget_orphan, name)) for name in plan.orphans),
        ]
        for what, step in steps:
            try:
                step()
            except (MirrorError, OSError) as problem:
                problems.append(MirrorError(f"{what}: {problem}"))
            move()
        return problems

    def _retain(self, planned: Retention, wanted: list[Wanted], age: float) -> None:
        repository = self._store.repository(planned.repo)
        with repository.locked():
            # people promote, roll back and pin meanwhile
            due = planned & plan_retention(planned.repo, repository.facts(), wanted, age, self._grace_seconds)
            retirement = RepositoryCollector(self._store, repository)
            retirement.mark(due, age)
            for kind in ("retire", "spare"):
                if getattr(due, kind):
                    self._note(kind, planned.repo, commits=getattr(due, kind))
            for kind, commits, act in (
                ("collect", due.collect, retirement.collect),
                ("trim", due.trim, retirement.trim),
            ):
                if commits:
                    self._note(kind, planned.repo, durable=True, commits=commits)
                    self._note(_DONE[kind], planned.repo, commits=commits, bytes=act(commits))

    def _note(self, kind: str, repo: Repo, durable: bool = False, **fields: Any) -> None:
        about = {**self._about, "repo_type": repo.repo_type, "repo_id": repo.repo_id}
        self._store.ledger.append(kind, durable=durable, **about, **fields)


def _by_repo(wanted: Iterable[Wanted]) -> dict[Repo, list[Wanted]]:
    found: dict[Repo, list[Wanted]] = {}
    for one in wanted:
        found.setdefault(one.repo, []).append(one)
    return found
