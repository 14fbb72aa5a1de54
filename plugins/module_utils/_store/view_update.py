# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring views to what is published now.

Whose files they hold is noted in ``views.json``, so that a person who rolls back needs no whitelist.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .._base import fs as _fs
from .._base.errors import MirrorError
from .._base.limits import PEER_ENTRIES
from .._border.json import mapping, sequence
from .._plan.plan import chosen, current_files, plan_views
from .._plan.wanted import Wanted
from .._plan.whitelist import WhitelistError, parse
from .store import Store
from .views import Views


def update_views(store: Store, wanted: Iterable[Wanted], drop_empty: bool = False) -> list[MirrorError]:
    """Bring the views of these entries up to date, and return what could not be done.

    A view that no file is left for stays as it was, unless it is to go (``drop_empty``).
    """
    with Views(store).locked():
        try:
            return list(_update(store, [one for one in wanted if one.views], drop_empty))
        except MirrorError as problem:
            return [problem]


def _update(store: Store, entries: Iterable[Wanted], drop_empty: bool) -> Iterator[MirrorError]:
    shown = Views(store)
    published = {}
    unknown: set[str] = set()
    for one in entries:
        repository = store.repository(one.repo)
        if repository.is_gated:
            unknown.update(one.views)
            yield MirrorError(f"{one.repo} is gated or private, which a view is not: take views out of its entry")
            continue
        try:
            facts = repository.facts()
        except MirrorError:  # told by the plan; what could not be read stays as it was
            unknown.update(one.views)
        else:
            published[one] = chosen(one, current_files(one, facts))
    for name, files in plan_views(published).items():
        if drop_empty and not files and name not in unknown:
            shown.drop(name)
        elif files and name not in unknown and not shown.has(name, files):
            try:
                shown.set(name, files)
            except (MirrorError, OSError) as problem:
                yield MirrorError(f"view {name}: {problem}")


def note_entries(store: Store, wanted: Iterable[Wanted], coming: Iterable[str] = ()) -> None:
    """Note the entries of views that are here, or are ``coming``. Those of views that these don't name stay noted."""
    entries = [one for one in wanted if one.views]
    mine = {view for one in entries for view in one.views}
    with Views(store).locked():
        others = [one for one in noted_entries(store) if not mine.intersection(one.views)]
        present = {*Views(store).names(), *coming}
        content = json.dumps(
            [dataclasses.asdict(one) for one in [*others, *entries] if present.intersection(one.views)],
            ensure_ascii=False,
            indent=1,
        ).encode()
        file = _file(store)
        if (file.read_bytes() if file.exists() else b"[]") != content:
            _fs.replace_file(store.fs, file, content, store.staging)


def noted_entries(store: Store) -> list[Wanted]:
    """Return the entries that have views. Raises MirrorError where the note can't be read."""
    file = _file(store)
    try:
        return [entry_of(value) for value in sequence(json.loads(file.read_bytes()), "it", PEER_ENTRIES)]
    except FileNotFoundError:
        return []
    except (ValueError, WhitelistError) as problem:
        raise MirrorError(f"{file} can't be read: {problem}; remove it, the next sync writes it") from problem


def entry_of(value: Any) -> Wanted:
    """Return an entry from what ``dataclasses.asdict`` made of it and JSON of that. Raises WhitelistError."""
    told = mapping(value, "an entry of views")
    # what was left out is empty there
    (wanted,) = parse([{key: one for key, one in told.items() if one not in ([], ())}], ["an entry of views"])
    return wanted


def _file(store: Store) -> Path:
    return store.root / "views.json"
