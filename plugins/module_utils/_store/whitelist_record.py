# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each file of the whitelist said last, on whichever node it is: all nodes come to have the same record.

It stands in for a file that is wrong or gone, and for one that only another node has.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._base import fs as _fs
from .._base.clock import stamp, stamp_after
from .._base.errors import MirrorError
from .._border.history import time_of
from .._border.json import AnswerProblem, items, mapping, read_document, sequence
from .._plan.wanted import Wanted
from .._plan.whitelist import WhitelistError, parse
from .._plan.whitelist_files import MOST_FILES, file_name
from .._plan.whitelist_folder import MOST_ENTRIES, is_within, size_of
from .decision import AHEAD
from .node import node_of
from .store import Store

#: Seconds for which it is known that a file is no more, so that no other node brings it back.
_REMEMBERED = 90 * 86400


@dataclass(frozen=True)
class FileRecord:
    """What a file said, since when (a time as ``stamp`` writes it), on which node.

    Nothing is ``wanted`` of a file that a person emptied. ``is_gone``: it is not there any more, without that.
    """

    wanted: tuple[Wanted, ...]
    time: str
    node: str
    is_gone: bool = False

    @property
    def said(self) -> tuple[str, str]:
        """Return what orders records of one file: when, and by whom."""
        return self.time, self.node

    def to_json(self) -> dict[str, Any]:
        """Return a value that ``from_json`` understands."""
        return {
            "entries": [_entry(one) for one in self.wanted],
            "time": self.time,
            "node": self.node,
            "gone": self.is_gone,
        }

    @classmethod
    def from_json(cls, value: Any) -> FileRecord:
        """Read what ``to_json`` wrote. Raises NameProblem, WhitelistError."""
        told = mapping(value, "a file of the whitelist")
        entries = sequence(told.get("entries"), "its entries", MOST_ENTRIES)
        wanted = tuple(parse(entries)) if entries else ()
        return cls(wanted, time_of(told.get("time")), node_of(told.get("node")), told.get("gone", False) is not False)


Records = Mapping[str, FileRecord]
#: What files of this node said, which no other node is told.
Own = Mapping[str, "tuple[Wanted, ...]"]
#: No file of a whitelist is called so.
_OWN = "own"


def records_of(value: Any) -> Records:
    """Return the record of each file from what ``to_json`` made of them. Raises NameProblem, on one line."""
    found = {}
    for name, one in items(value, "the whitelist's files", 2 * MOST_FILES):
        file = file_name(name)
        try:
            found[file] = FileRecord.from_json(one)
        except WhitelistError as problem:
            raise AnswerProblem(f"{file}: {problem.brief()}") from problem
    # what this node's files may say, and as much of other nodes
    if not is_within(*_amount(found), times=2):
        raise AnswerProblem("the whitelist's files have too many entries together, or too long ones")
    return found


def _amount(records: Records) -> tuple[int, int]:
    """Return how many entries records have, and about their bytes."""
    entries = [one for record in records.values() for one in record.wanted]
    return len(entries), size_of(entries)


def to_json(records: Records) -> dict[str, Any]:
    """Return a value that ``records_of`` understands."""
    return {name: one.to_json() for name, one in records.items()}


def read_records(store: Store) -> Records:
    """Return what files said. Raises MirrorError where that can't be read: nothing may be taken away then."""
    file = _file(store)
    try:
        told = mapping(read_document(file), "it")
        return records_of({name: one for name, one in told.items() if name != _OWN})
    except FileNotFoundError:
        return {}
    except ValueError as problem:
        raise MirrorError(
            f"{file} can't be read: {problem}. It records the entries of each whitelist file; without it the entries of"
            " a missing file are lost. If no file is missing, delete it: the next sync recreates it"
        ) from problem


def write_records(store: Store, records: Records, own: Own | None = None) -> None:
    """Write what files say; ``own`` is what those of this node said, as before where it is None.

    The run lock must be held.
    """
    since = stamp(store.clock.now() - _REMEMBERED)
    wanted = {name: one for name, one in records.items() if one.wanted}
    gone = sorted((one.time, name) for name, one in records.items() if not one.wanted and one.time > since)
    # no more of them than whoever reads this takes
    spare = max(len(gone) + len(wanted) - 2 * MOST_FILES, 0)
    kept = {**wanted, **{name: records[name] for _time, name in gone[spare:]}}
    said = read_own(store) if own is None else own
    told = {**to_json(kept), _OWN: {name: [_entry(one) for one in entries] for name, entries in said.items()}}
    content = json.dumps(told, ensure_ascii=False, sort_keys=True, indent=1).encode()
    file = _file(store)
    if not _fs.has_content(file, content) and (file.exists() or kept):
        _fs.replace_file(store.fs, file, content, store.staging)


def read_own(store: Store) -> Own:
    """Return what files of this node said when that was noted last. What can't be read is as nothing."""
    try:
        told = mapping(mapping(read_document(_file(store)), "it").get(_OWN), "own files")
        return {file_name(name): tuple(parse(entries)) if entries else () for name, entries in told.items()}
    except (OSError, ValueError, WhitelistError):
        return {}


def merge_records(mine: Records, theirs: Records, now: float) -> dict[str, FileRecord]:
    """Return what both nodes come to have: of each file what was said last. ``now``: seconds."""
    latest = stamp(now + AHEAD)
    merged = dict(mine)
    entries, size = _amount(mine)
    for name, one in sorted(theirs.items()):
        old = mine.get(name)
        # of two that were said in one second all nodes choose the same
        if one.time > latest or (old and old.said >= one.said):
            continue
        more, longer = _amount({name: one})
        less, shorter = _amount({name: old}) if old else (0, 0)
        # room is left for all that this node's own files may come to say; what somebody emptied needs none
        has_room = bool(old) or len(merged) < MOST_FILES
        fits = has_room and is_within(entries + more - less, size + longer - shorter)
        if fits or (old and not one.wanted):
            merged[name] = one
            entries, size = entries + more - less, size + longer - shorter
    return merged


def later(now: float, old: FileRecord | None) -> str:
    """Return a time for what a file says now that is later than what it said before, whatever the clock says."""
    return stamp_after(old.time if old and old.time <= stamp(now + AHEAD) else "", now)


def _entry(one: Wanted) -> dict[str, Any]:
    """Return an entry as ``parse`` takes it: what is as by default is left out."""
    default = Wanted(one.repo_id)
    told = {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}
    return {name: value for name, value in told.items() if name == "repo_id" or value != getattr(default, name)}


def _file(store: Store) -> Path:
    return store.root / "ledger" / "whitelist.json"
