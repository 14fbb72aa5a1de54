# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring views to what is published now, and close them to what is gated.

Whose files they hold is noted in ``views.json``, so that a person who rolls back needs no whitelist, and that what is
gated leaves every view at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from .._base import fs as _fs
from .._base.errors import Besides, MirrorError
from .._base.limits import PEER_ENTRIES
from .._base.names import Etag, ViewName
from .._border.json import mapping, read_document, sequence
from .._plan.facts import Snapshot
from .._plan.views import Clash, GatedError, base_name, chosen, current_files, plan_views
from .._plan.wanted import Wanted
from .._plan.whitelist import WhitelistError, parse
from .repository import Repository
from .store import Store
from .views import Views

#: Says what an entry has for its views: path -> etag. Raises GatedError, or MirrorError where it can't be read.
Look = Callable[[Wanted], Snapshot]


@dataclass
class ViewChanges:
    """What views are to become: name -> file name -> etag, nothing where it goes; and what is wrong, by entry."""

    views: dict[ViewName, dict[str, Etag]] = field(default_factory=dict)
    problems: dict[Wanted, MirrorError] = field(default_factory=dict)


def update_views(store: Store, wanted: Iterable[Wanted], drop_empty: bool = False) -> dict[str, MirrorError]:
    """Bring the views of these entries up to date, and take what is gated out of all views, whoever names them.

    A view that no file is left for stays as it was, unless it is to go (``drop_empty``). Returns what could not be
    done, by entry, under ``Besides.VIEWS`` where it is the store's trouble.
    """
    with Views(store).locked():
        try:
            changes = plan_update(store, wanted, look_at(store), drop_empty)
            failed = _execute(store, changes)
        except MirrorError as problem:
            return {Besides.VIEWS.value: problem}
    return {**{str(one): problem for one, problem in changes.problems.items()}, **failed}


def gate(store: Store, repository: Repository) -> None:
    """Let only those see a repository whom the server knows to have that right, from here on.

    Its files leave the views first, and what others have there stays. The repository's lock must be held.
    """
    if repository.is_gated:
        return
    with Views(store).locked():
        entries = _noted_or_none(store)
        known = {view for one in entries for view in one.views}
        mine = {view for one in entries if one.repo == repository.repo for view in one.views}
        parts = [dataclasses.replace(one, views=_only(one.views, mine)) for one in entries]
        changes = plan_update(store, parts, look_at(store, repository), drop_empty=True)
        # whose files a view holds that nobody noted can't be told; the next sync makes it again
        changes.views.update({view: {} for view in Views(store).names() if view not in known})
        for problem in _execute(store, changes).values():
            raise problem
        repository.gate()


def leave_views(store: Store, is_gone: Callable[[Wanted], bool]) -> None:
    """Take what goes out of all views; what others have there stays. Raises MirrorError."""
    with Views(store).locked():
        changes = plan_leave(store, is_gone)
        for problem in _execute(store, changes).values():
            raise problem
        _write(store, [one for one in noted_entries(store) if not is_gone(one)])


def plan_leave(store: Store, is_gone: Callable[[Wanted], bool]) -> ViewChanges:
    """Say what views become without what goes. Writes nothing. Raises MirrorError where it can't be told."""
    entries = noted_entries(store)
    touched = {view for one in entries if is_gone(one) for view in one.views}
    parts = [dataclasses.replace(one, views=_only(one.views, touched)) for one in entries if not is_gone(one)]
    changes = plan_update(store, parts, look_at(store), drop_empty=True)
    alone = touched - {view for one in parts for view in one.views}
    changes.views.update({view: {} for view in Views(store).names() if view in alone})
    return changes


def look_at(store: Store, gated: Repository | None = None) -> Look:
    """Return what says what an entry has published; ``gated`` is about to be so."""

    def look(one: Wanted) -> Snapshot:
        repository = store.repository(one.repo)
        if repository.is_gated or (gated and gated.repo == one.repo):
            raise GatedError(one.repo)
        return current_files(one, repository.facts())

    return look


def plan_update(store: Store, wanted: Iterable[Wanted], look: Look, drop_empty: bool = False) -> ViewChanges:
    """Say what views are to become. Writes nothing."""
    entries = [one for one in wanted if one.views]
    published: dict[Wanted, Snapshot] = {}
    unknown, gated = set[ViewName](), set[ViewName]()
    changes = ViewChanges()
    for one in [*entries, *_gated_besides(store, entries, look)]:
        try:
            published[one] = chosen(one, look(one))
        except GatedError as problem:
            gated.update(one.views)
            changes.problems[one] = problem
        except MirrorError:  # told by the plan; what could not be read stays as it was
            unknown.update(one.views)
    shown, plan = Views(store), plan_views(published)
    for clash in plan.clashes:
        etag = shown.etag(clash.view, clash.name, _contents(store, clash))
        if etag:
            plan.files[clash.view][clash.name] = etag
    changes.problems.update(plan.problems)
    changes.problems = {one: problem for one, problem in changes.problems.items() if one in entries}
    present = set(shown.names())
    for name in {*plan.files, *gated} - (unknown - gated):
        files = plan.files.get(name, {})
        goes = not files and name in present and (drop_empty or name in gated)
        if goes or (files and not shown.has(name, files)):
            changes.views[name] = files
    return changes


def _gated_besides(store: Store, entries: Collection[Wanted], look: Look) -> list[Wanted]:
    """Return the noted entries of views that what is gated has a part in, and that ``entries`` don't name."""
    others = _others(_noted_or_none(store), entries)
    gated = {view for one in others for view in one.views if _is_gated(one, look)}
    parts = [dataclasses.replace(one, views=_only(one.views, gated)) for one in others]
    return [one for one in parts if one.views]


def _is_gated(one: Wanted, look: Look) -> bool:
    try:
        look(one)
    except GatedError:
        return True
    except MirrorError:
        return False
    return False


def _contents(store: Store, clash: Clash) -> set[Etag]:
    """Return all contents of a clash's name that its entries' repositories have."""
    found = set[Etag]()
    for repo in {one.repo for one in clash.paths}:
        with contextlib.suppress(MirrorError):
            for files in store.repository(repo).facts().snapshots.values():
                found.update(etag for path, etag in files.items() if base_name(path) == clash.name)
    return found


def _execute(store: Store, changes: ViewChanges) -> dict[str, MirrorError]:
    shown, failed = Views(store), list[str]()
    for name, files in changes.views.items():
        try:
            shown.set(name, files) if files else shown.drop(name)
        except (MirrorError, OSError) as problem:
            failed.append(f"view {name}: {problem}")
    return {Besides.VIEWS.value: MirrorError("; ".join(failed))} if failed else {}


def note_entries(store: Store, wanted: Iterable[Wanted], coming: Iterable[str] = ()) -> None:
    """Note the entries of views that are here, or are ``coming``. Those of views that these don't name stay noted."""
    entries = [one for one in wanted if one.views]
    with Views(store).locked():
        others = _others(noted_entries(store), entries)
        present = {*Views(store).names(), *coming}
        _write(store, [one for one in [*others, *entries] if present.intersection(one.views)])


def _write(store: Store, entries: Iterable[Wanted]) -> None:
    """Write the note. Wants the views' lock."""
    # in an order of its own: who synced first last time is no news to anybody
    told = [dataclasses.asdict(one) for one in sorted(entries, key=str)]
    content = json.dumps(told, ensure_ascii=False, indent=1).encode()
    file = _file(store)
    if not _fs.has_content(file, content) and (file.exists() or told):
        _fs.replace_file(store.fs, file, content, store.staging)


def are_noted(store: Store, wanted: Iterable[Wanted]) -> bool:
    """Say whether all of these entries that have views are noted as they stand."""
    return {one for one in wanted if one.views} <= {*_noted_or_none(store)}


def _others(noted: Iterable[Wanted], entries: Iterable[Wanted]) -> list[Wanted]:
    """Return noted entries with those of their views that ``entries`` don't name."""
    mine = {view for one in entries for view in one.views}
    parts = [dataclasses.replace(one, views=tuple(view for view in one.views if view not in mine)) for one in noted]
    return [one for one in parts if one.views]


def _only(views: Iterable[ViewName], wanted: Collection[ViewName]) -> tuple[ViewName, ...]:
    return tuple(view for view in views if view in wanted)


def _noted_or_none(store: Store) -> list[Wanted]:
    """Return the noted entries, none where the note can't be read: whoever writes it next tells."""
    try:
        return noted_entries(store)
    except MirrorError:
        return []


def noted_entries(store: Store) -> list[Wanted]:
    """Return the entries that have views. Raises MirrorError where the note can't be read."""
    file = _file(store)
    try:
        return [entry_of(value) for value in sequence(read_document(file), "it", PEER_ENTRIES)]
    except FileNotFoundError:
        return []
    except (ValueError, WhitelistError) as problem:
        raise MirrorError(f"{file} can't be read: {problem}; delete it, the next sync recreates it") from problem


def entry_of(value: Any) -> Wanted:
    """Return an entry from what ``dataclasses.asdict`` made of it and JSON of that. Raises WhitelistError."""
    told = mapping(value, "an entry of views")
    # what was left out is empty there
    (wanted,) = parse([{key: one for key, one in told.items() if one not in ([], ())}], ["an entry of views"])
    return wanted


def _file(store: Store) -> Path:
    return store.root / "views.json"
