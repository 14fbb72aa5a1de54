# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of refs, and how two nodes of a pair agree on one. Pure.

An entry has ``serial``, ``commit`` (empty where the ref was withdrawn), ``time``, ``actor`` and, where a person went
back, ``rollback``, or said why, ``note``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from .._base.names import Commit, Ref

_Key = TypeVar("_Key", bound=str)
Entry = dict[str, Any]
History = dict[Ref, list[Entry]]
#: What is noted about a commit or ref: when, by whom, why. ``off`` where it was taken away.
Mark = dict[str, Any]
#: Publishes of a ref that are remembered.
LENGTH = 100


def merge_history(mine: Sequence[Entry], theirs: Sequence[Entry]) -> list[Entry]:
    """Return the history of a ref as both nodes come to have it.

    The highest serial decides. Where both nodes published under one serial, as they may while they don't see each
    other, the later of the two wins. Whichever node merges, and however often, the result is the same.
    """
    found: dict[int, Entry] = {}
    for entry in [*mine, *theirs]:
        other = found.get(entry["serial"])
        if other is None or _rank(entry) > _rank(other):
            found[entry["serial"]] = dict(entry)
    return [found[serial] for serial in sorted(found)][-LENGTH:]


def merge_marks(mine: Mapping[_Key, Mark], theirs: Mapping[_Key, Mark], off_wins: bool = True) -> dict[_Key, Mark]:
    """Return marks as both nodes come to have them: of each the later one.

    ``off_wins``: of equal times what was taken away counts, else what was set.
    """
    found = dict(mine)
    for name, mark in theirs.items():
        if name not in found or _mark_rank(mark, off_wins) > _mark_rank(found[name], off_wins):
            found[name] = mark
    return found


def rejected(entries: Iterable[Entry]) -> frozenset[Commit]:
    """Return the commits that a rollback left and that nobody published again."""
    found: set[Commit] = set()
    before: Any = ""
    for entry in entries:
        found.discard(entry["commit"])
        if entry.get("rollback"):
            found.add(before)
        if not entry["commit"]:  # whoever takes a ref away takes back what was decided about it
            found.clear()
        before = entry["commit"]
    return frozenset(found)


def _rank(entry: Entry) -> tuple[str, str, str]:
    return entry["time"], entry["commit"], entry["actor"]


def _mark_rank(mark: Mark, off_wins: bool) -> tuple[str, bool, str]:
    return mark["time"], bool(mark.get("off")) == off_wins, str(sorted(mark.items()))
