# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the catalogue says of one repository: all that the other nodes follow."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._base.limits import PEER_ENTRIES, PEER_REFS
from .._base.names import Commit, Ref, shown
from .._border.history import history_of
from .._border.json import AnswerProblem, items, mapping, sequence
from .history import History, Mark
from .repository_reader import SHARED_MARKS, RepositoryReader, marks_by_name

_DIGEST = re.compile("[0-9a-f]{32}")
#: Publishes of a ref that the other node is told: more than it can miss while it is waited for.
_TOLD = 20


@dataclass(frozen=True)
class Piece:
    """What a catalogue says of one repository.

    ``commits``: sealed commit -> digest of what it lists; ``retired``: those of them that nothing names any more;
    ``collected``: the last that went for that; ``gated``: only some may see it.
    """

    history: History = field(default_factory=dict)
    commits: Mapping[Commit, str] = field(default_factory=dict)
    pending: Mapping[Ref, Commit] = field(default_factory=dict)
    marks: Mapping[str, Mapping[str, Mark]] = field(default_factory=dict)
    retired: tuple[Commit, ...] = ()
    collected: tuple[Commit, ...] = ()
    gated: bool = False

    @property
    def refs(self) -> dict[str, tuple[int, str]]:
        """Return ref -> serial and commit of its last publish."""
        return {ref: (e[-1]["serial"], e[-1]["commit"]) for ref, e in self.history.items() if e}

    def to_json(self) -> dict[str, Any]:
        """Return a value that ``from_json`` understands."""
        return {
            "history": self.history,
            "commits": self.commits,
            "pending": self.pending,
            "marks": self.marks,
            "retired": list(self.retired),
            "collected": list(self.collected),
            "gated": self.gated,
        }

    @classmethod
    def from_json(cls, value: Any) -> Piece:
        """Read what ``to_json`` wrote. Raises NameProblem."""
        told = mapping(value, "a repository")

        def commits(name: str) -> tuple[Commit, ...]:
            return tuple(map(Commit, sequence(told.get(name), name, PEER_ENTRIES)))

        marks = mapping(told.get("marks"), "marks")
        return cls(
            history_of(told.get("history")),
            {Commit(commit): _digest(one) for commit, one in items(told.get("commits"), "commits", PEER_ENTRIES)},
            {Ref(ref): Commit(commit) for ref, commit in items(told.get("pending"), "pending", PEER_REFS)},
            {kind: marks_by_name(kind, marks[kind]) for kind in SHARED_MARKS if kind in marks},
            commits("retired"),
            commits("collected"),
            # what can't be understood closes it; older versions don't tell
            told.get("gated", False) is not False,
        )


def _digest(value: Any) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise AnswerProblem(f"{shown(value)} is no digest")
    return value


def piece_of(repository: RepositoryReader) -> Piece:
    """Read what a repository has."""
    facts, marks = repository.facts(), repository.marks()
    return Piece(
        # not what was announced, and had no room on the disk: the other node would publish it
        {ref: entries[-_TOLD:] for ref, entries in repository.happened().items()},
        {commit: digest(repository, commit) for commit in sorted(facts.snapshots)},
        dict(facts.pending),
        {kind: marks[kind] for kind in SHARED_MARKS if marks.get(kind)},
        tuple(sorted(facts.retired)),
        tuple(sorted(map(Commit, marks.get("collected", {})))),
        repository.is_gated,
    )


def digest(repository: RepositoryReader, commit: Commit) -> str:
    """Return the digest of what a sealed commit lists: files, sizes, hashes, card."""
    return hashlib.sha256(repository.document(commit)).hexdigest()[:32]
