# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a repository: its piece of the catalogue and its description, so that nobody reads all listings again.

``.mirror/summary`` is derived. Its first line says what it was made of and the digest of the rest: where that is not
what is on the disk, whoever reads makes the summary anew, and the next who writes the catalogue keeps it. So an old or
torn one is never believed, and a power cut may lose it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._base import fs as _fs
from .._base.errors import MirrorError
from .description import Description, describe_repository
from .piece import Piece, piece_of
from .repository import Repository
from .repository_reader import RepositoryReader

#: Grows when a summary gets something else in it.
_FORMAT = 1
SUMMARY = "summary"


@dataclass(frozen=True)
class Summary:
    """``value`` is what is kept: a piece of the catalogue as JSON, and a description."""

    value: dict[str, Any]

    @property
    def piece(self) -> Piece:
        """What the catalogue says of the repository."""
        return Piece.from_json(self.value["piece"])

    @property
    def description(self) -> Description:
        """What people are told of the repository."""
        found: Description = self.value["description"]
        return found


def make_summary(repository: RepositoryReader) -> Summary:
    """Read the repository itself. Raises RepositoryError where that can't be done."""
    return Summary({"piece": piece_of(repository).to_json(), "description": describe_repository(repository)})


def read_summary(repository: RepositoryReader) -> Summary:
    """Return what is kept where it still is so, else make it. Writes nothing. Raises RepositoryError."""
    return kept_summary(repository) or make_summary(repository)


def keep_summary(repository: Repository) -> Summary:
    """Return the summary, and keep it. Raises RepositoryError. Its lock must not be held by whoever calls."""
    kept, api = kept_summary(repository), repository.api
    if kept and api.is_whole(kept.description):
        return kept
    api.prepare()
    with repository.locked():
        # before it is read: what changes later makes it an old one
        mark = repository.fingerprint()
        summary = make_summary(repository)
        body = json.dumps(summary.value, ensure_ascii=False, separators=(",", ":"))
        # a disk without room, a content that is rotten: the repository is told of, and it is tried anew each time
        with contextlib.suppress(OSError, MirrorError):
            api.write(summary.description)
            repository.keep_derived(SUMMARY, f"{_head(mark, body)}\n{body}".encode())
    return summary


def kept_summary(repository: RepositoryReader) -> Summary | None:
    """Return what is kept, or None where that is not how the repository is now."""
    try:
        head, _newline, body = _fs.read_file(summary_file(repository)).decode().partition("\n")
        return Summary(json.loads(body)) if head == _head(repository.fingerprint(), body) else None
    except (OSError, ValueError):
        return None


def summary_file(repository: RepositoryReader) -> Path:
    """Return where it is kept."""
    return repository.folder / ".mirror" / SUMMARY


def _head(mark: str, body: str) -> str:
    return f"{_FORMAT} {mark} {hashlib.sha256(body.encode()).hexdigest()}"
