# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue: what a store has, in one document that the other node of a pair follows.

``catalogue.json`` is derived, and brought up to date after each change: for each repository its history, the commits
that are served with a digest of what they list, what is pending, what people noted; besides, whose files views hold.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._base import fs as _fs
from .._base.errors import MirrorError
from .._base.lock import locked
from .._plan.facts import Repo
from .history import History, Mark
from .purged import Purged, read_purged
from .repository import Repository
from .repository_reader import SHARED_MARKS
from .store import Store
from .view_update import noted_entries

FORMAT = 1
#: Publishes of a ref that the other node is told: more than it can miss while it is waited for.
_TOLD = 20


@dataclass(frozen=True)
class Piece:
    """What a catalogue says of one repository.

    ``commits``: sealed commit -> digest of what it lists; ``retired``: those of them that nothing names any more;
    ``collected``: the last that went for that.
    """

    history: History = field(default_factory=dict)
    commits: Mapping[str, str] = field(default_factory=dict)
    pending: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, Mapping[str, Mark]] = field(default_factory=dict)
    retired: tuple[str, ...] = ()
    collected: tuple[str, ...] = ()

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
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Piece:
        """Read what ``to_json`` wrote."""
        retired, collected = tuple(value["retired"]), tuple(value["collected"])
        return cls(value["history"], value["commits"], value["pending"], value["marks"], retired, collected)


@dataclass(frozen=True)
class Catalogue:
    """What a store has.

    ``views`` are the entries whose files views hold; ``removed`` has the histories of repositories that
    were taken away; ``purged`` is what must not come back.
    """

    pieces: Mapping[Repo, Piece] = field(default_factory=dict)
    views: list[dict[str, Any]] = field(default_factory=list)
    removed: Mapping[Repo, History] = field(default_factory=dict)
    purged: Purged = field(default_factory=Purged)

    def to_json(self) -> dict[str, Any]:
        """Return a value that ``from_json`` understands."""
        return {
            "format": FORMAT,
            "repos": {repo.folder: piece.to_json() for repo, piece in self.pieces.items()},
            "views": self.views,
            "removed": {repo.folder: history for repo, history in self.removed.items()},
            "purged": self.purged.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Catalogue:
        """Read what ``to_json`` wrote. Raises MirrorError where it is none."""
        try:
            if value["format"] != FORMAT:
                raise MirrorError(f"the catalogue has format {value['format']}, this collection knows {FORMAT}")
            return cls(
                {_repo(name): Piece.from_json(piece) for name, piece in value["repos"].items()},
                value["views"],
                {_repo(name): history for name, history in value["removed"].items()},
                Purged.from_json(value["purged"]),
            )
        except (KeyError, TypeError, AttributeError) as problem:
            raise MirrorError(f"the catalogue can't be understood: {problem!r}") from problem


def _repo(name: str) -> Repo:
    repo = Repo.of_folder(name)
    if repo is None or "/" in name:
        raise MirrorError(f"the catalogue names {name!r}, which is no repository")
    return repo


def read_catalogue(store: Store) -> Catalogue:
    """Read the whole store, not the document."""
    pieces = {}
    for repository in store.repositories():
        with contextlib.suppress(MirrorError):  # what can't be read is told by who works with it
            pieces[repository.repo] = piece_of(repository)
    return Catalogue(pieces, _views(store), _removed(store, pieces), read_purged(store))


def piece_of(repository: Repository) -> Piece:
    """Read what a repository has."""
    facts, marks = repository.facts(), repository.marks()
    return Piece(
        # not what was announced, and had no room on the disk: the other node would publish it
        {ref: entries[-_TOLD:] for ref, entries in repository.happened().items()},
        {commit: digest(repository, commit) for commit in sorted(facts.snapshots)},
        dict(facts.pending),
        {kind: marks[kind] for kind in SHARED_MARKS if marks.get(kind)},
        tuple(sorted(facts.retired)),
        tuple(sorted(marks.get("collected", ()))),
    )


def digest(repository: Repository, commit: str) -> str:
    """Return the digest of what a sealed commit lists: files, sizes, hashes, card."""
    return hashlib.sha256(repository.document(commit)).hexdigest()[:32]


def write_catalogue(store: Store, repo: Repo | None = None) -> Catalogue:
    """Bring the document up to date, with one repository read anew or with all, and return what it says."""
    with _locked(store):
        catalogue = read_catalogue(store) if repo is None else _with_repo(store, _saved(store), repo)
        content = json.dumps(catalogue.to_json(), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        file = store.root / "catalogue.json"
        if not file.exists() or file.read_bytes() != content:
            _fs.replace_file(store.fs, file, content, store.root / "locks")
        return catalogue


def _saved(store: Store) -> Catalogue:
    try:
        return Catalogue.from_json(json.loads((store.root / "catalogue.json").read_bytes()))
    except (OSError, ValueError, MirrorError):
        return read_catalogue(store)


def _with_repo(store: Store, catalogue: Catalogue, repo: Repo) -> Catalogue:
    pieces = {other: piece for other, piece in catalogue.pieces.items() if other != repo}
    repository = store.repository(repo)
    if repository.folder.is_dir():
        pieces[repo] = piece_of(repository)
    return Catalogue(pieces, _views(store), _removed(store, pieces), read_purged(store))


def _removed(store: Store, present: Mapping[Repo, Piece]) -> dict[Repo, History]:
    found = (Repo.of_folder(file.stem) for file in sorted((store.root / "removed").glob("*.json")))
    gone = [repo for repo in found if repo and repo not in present]
    return {repo: store.repository(repo).history() for repo in gone}


def _views(store: Store) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(json.dumps([dataclasses.asdict(one) for one in noted_entries(store)]))
    return found


@contextlib.contextmanager
def _locked(store: Store) -> Iterator[None]:
    with locked(store.root / "locks" / "catalogue", wait=True):
        yield
