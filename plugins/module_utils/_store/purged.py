# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was taken down for good: contents by what they hash to, and whole repositories. No sync brings them back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._base import fs as _fs
from .._base.errors import MirrorError
from .._base.limits import PEER_ENTRIES
from .._base.lock import locked
from .._base.names import Etag, shown
from .._border.history import marks_of
from .._border.json import AnswerProblem, mapping, read_document
from .._plan.facts import Repo
from .history import Mark, merge_marks
from .store import Store


class PurgedError(MirrorError):
    """It was taken down, and is not to come again."""


@dataclass(frozen=True)
class Purged:
    """Marks by etag, and by the folder's name of a repository."""

    contents: Mapping[Etag, Mark] = field(default_factory=dict)
    repos: Mapping[str, Mark] = field(default_factory=dict)

    def check_repo(self, repo: Repo) -> None:
        """Raise PurgedError where a repository was taken down."""
        if self.has_repo(repo):
            raise PurgedError(f"{repo} was purged{_words(self.repos[repo.folder])}: remove it from the whitelist")

    def check_content(self, etag: Etag, name: str) -> None:
        """Raise PurgedError where a content was taken down; ``name`` says what has it."""
        if self.has(etag):
            words = _words(self.contents[etag])
            raise PurgedError(f"{name} was purged{words}: exclude it with ignore_patterns", cause=f"purged{words}")

    def has(self, etag: Etag) -> bool:
        """Say whether a content was taken down."""
        return etag in self.contents and not self.contents[etag].get("off")

    def has_repo(self, repo: Repo) -> bool:
        """Say whether a repository was taken down as a whole."""
        return repo.folder in self.repos and not self.repos[repo.folder].get("off")

    def merge(self, theirs: Purged) -> Purged:
        """Return what both nodes of a pair come to have."""
        contents = merge_marks(self.contents, theirs.contents, off_wins=False)
        return Purged(contents, merge_marks(self.repos, theirs.repos, off_wins=False))

    def to_json(self) -> dict[str, Any]:
        """Return a value that ``from_json`` understands."""
        return {"contents": self.contents, "repos": self.repos}

    @classmethod
    def from_json(cls, value: Any) -> Purged:
        """Read what ``to_json`` wrote. Raises NameProblem."""
        told = mapping(value, "purged")
        contents = marks_of(told.get("contents"), "purged contents", PEER_ENTRIES)
        repos = marks_of(told.get("repos"), "purged repositories", PEER_ENTRIES)
        for name in repos:
            if Repo.of_folder(name) is None:
                raise AnswerProblem(f"{shown(name)} is no repository's folder")
        return cls({Etag(etag): mark for etag, mark in contents.items()}, repos)


def read_purged(store: Store) -> Purged:
    """Return what was taken down. Raises MirrorError where that can't be read: nothing may come in then."""
    file = store.root / "purged.json"
    try:
        return Purged.from_json(read_document(file))
    except FileNotFoundError:
        return Purged()
    except ValueError as problem:
        raise MirrorError(f"{file} can't be read: {problem}") from problem


def note_purged(store: Store, more: Purged) -> None:
    """Add to what was taken down, or lift it; durable then."""
    with locked(store.root / "locks" / "purged", wait=True):
        merged = read_purged(store).merge(more)
        content = json.dumps(merged.to_json(), ensure_ascii=False, sort_keys=True, indent=1).encode()
        _fs.replace_file(store.fs, store.root / "purged.json", content, store.staging)


def _words(mark: Mark) -> str:
    note = f": {mark['note']}" if mark.get("note") else ""
    return f" ({mark['time']} by {mark['actor']}{note})"
