# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a change that a person decided. It waits for no run: the repository's lock is held for milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from .._base.errors import Besides, MirrorError
from .._plan.facts import Repo, RepoFacts
from .._plan.plan import Publish
from .._plan.refs import Change, Marking, RefError, resolve
from .._plan.views import GatedError
from .._store.catalogue import write_catalogue
from .._store.ledger import Record
from .._store.repository import Repository
from .._store.store import Store
from .._store.view_update import noted_entries, update_views

Decide = Callable[[RepoFacts], Change]


class BehindError(MirrorError):
    """The change is made; what is derived from it, views or the catalogue, waits for the next sync."""


@dataclass(frozen=True)
class FileChange:
    """A file that differs between two commits: etag and size in bytes in each, None where it is not there."""

    path: str
    old: tuple[str, int] | None
    new: tuple[str, int] | None


def plan_change(store: Store, repo: Repo, decide: Decide) -> Change:
    """Say what would be done. Writes nothing."""
    repository = _existing(store, repo)
    change = decide(repository.facts())
    if isinstance(change, Publish):
        repository.check_complete(change.new)
    return change


def make_change(store: Store, repo: Repo, decide: Decide, actor: str, note: str = "") -> Change:
    """Decide by the facts as they are under the lock, and do it. ``note`` says why, for people.

    Raises BehindError where all is done but what is derived from it.
    """
    repository = _existing(store, repo)
    # what a terminal made of them may be no UTF-8
    actor, note = (text.encode(errors="replace").decode() for text in (actor, note))
    with repository.locked():
        repository.recover_locked()
        change = decide(repository.facts())
        if isinstance(change, Publish):
            repository.check_complete(change.new)
            happened = record(change, actor, note)
            store.ledger.append(**{**happened, "kind": "intent"})
            repository.publish(change, actor, note)
            store.ledger.append(**happened)
        elif change:
            mark = {"actor": actor, "note": note}
            repository.mark({change.kind: {change.name: mark if change.is_set else None}})
            store.ledger.append(**record(change, actor, note))
    try:
        write_catalogue(store, repo)
        found = update_views(store, noted_entries(store)) if isinstance(change, Publish) else {}
    except MirrorError as problem:
        raise BehindError(f"{repo}: it is done, but {problem}") from problem
    # what is wrong with others' entries is not this person's trouble, and what is gated has no view to be behind
    mine = {Besides.VIEWS.value, f"{repo}@{change.ref}" if isinstance(change, Publish) else ""}
    for name, why in found.items():
        if name in mine and not isinstance(why, GatedError):
            raise BehindError(f"{repo}: it is done, but {why}")
    return change


def record(change: Publish | Marking, actor: str, note: str = "") -> Record:
    """Return what the ledger says of a change."""
    about: Record = {"repo_type": change.repo.repo_type, "repo_id": change.repo.repo_id, "actor": actor}
    if note:
        about["note"] = note
    if isinstance(change, Marking):
        return {"kind": "mark", **about, "mark": change.kind, "name": change.name, "is_set": change.is_set}
    about.update(ref=change.ref, serial=change.serial, old=change.old, new=change.new)
    if change.is_rollback:
        about["rollback"] = True
    return {"kind": "publish", **about}


def diff_commits(store: Store, repo: Repo, old: str, new: str) -> list[FileChange]:
    """Return what differs between two commits that are here; a ref stands for the commit that it names."""
    repository = _existing(store, repo)
    facts = repository.facts()
    named = {str(ref): str(commit) for ref, commit in facts.refs.items()}
    before, after = (repository.files(resolve(repo, facts, named.get(name, name))) for name in (old, new))
    return [
        FileChange(path, before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def _existing(store: Store, repo: Repo) -> Repository:
    repository = store.repository(repo)
    if not repository.folder.is_dir():
        raise RefError(f"{repo} is not mirrored here")
    return repository
