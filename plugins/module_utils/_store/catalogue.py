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
from typing import Any, Callable, TypeVar

from .._base import fs as _fs
from .._base.errors import Besides, MirrorError
from .._base.limits import PEER_ENTRIES
from .._base.lock import locked
from .._base.names import NameProblem, shown
from .._border.history import history_of
from .._border.json import AnswerProblem, items, mapping, read_document, sequence
from .._plan.facts import Repo
from .._plan.wanted import Wanted
from .decision import Standing, read_standing
from .history import History
from .piece import Piece
from .purged import Purged, read_purged
from .repository import Repository
from .store import Store
from .summary import Summary, keep_summary, read_summary
from .view_update import entry_of, noted_entries
from .whitelist_record import Records, read_records, records_of
from .whitelist_record import to_json as records_to_json

FORMAT = 1
CATALOGUE = "catalogue.json"
#: The SHA-256 of the catalogue: what the other nodes ask for every few seconds.
DIGEST = "catalogue-digest.json"
_T = TypeVar("_T")


@dataclass(frozen=True)
class Catalogue:
    """What a store has.

    ``views`` are the entries whose files views hold; ``removed`` has the histories of repositories that
    were taken away; ``purged`` is what must not come back; ``whitelist`` is what its files name. ``problems`` names
    what could not be read, and why. ``standing`` says which node it is, and whose decision counts there.
    """

    pieces: Mapping[Repo, Piece] = field(default_factory=dict)
    views: tuple[Wanted, ...] = ()
    removed: Mapping[Repo, History] = field(default_factory=dict)
    purged: Purged = field(default_factory=Purged)
    problems: Mapping[str, str] = field(default_factory=dict)
    standing: Standing = field(default_factory=Standing)
    whitelist: Records = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return a value that ``from_json`` understands."""
        return {
            "format": FORMAT,
            "repos": {repo.folder: piece.to_json() for repo, piece in self.pieces.items()},
            "views": [dataclasses.asdict(one) for one in self.views],
            "removed": {repo.folder: history for repo, history in self.removed.items()},
            "purged": self.purged.to_json(),
            **self.standing.to_json(),
            "whitelist": records_to_json(self.whitelist),
        }

    @classmethod
    def from_json(cls, value: Any) -> Catalogue:
        """Read what ``to_json`` wrote. Raises NameProblem where it is none; one repository's problem is that one's."""
        told = mapping(value, "it")
        if told.get("format") != FORMAT:
            raise AnswerProblem(f"it has format {shown(told.get('format'))}, this collection knows {FORMAT}")
        problems: dict[str, str] = {}
        return cls(
            dict(_by_repo(told.get("repos"), Piece.from_json, problems)),
            tuple(_read_views(told.get("views"), problems)),
            dict(_by_repo(told.get("removed"), history_of, problems)),
            Purged.from_json(told.get("purged")),
            problems,
            Standing.from_json(told),
            _read_whitelist(told.get("whitelist", {}), problems),
        )


def _by_repo(value: Any, read: Callable[[Any], _T], problems: dict[str, str]) -> Iterator[tuple[Repo, _T]]:
    for name, told in items(value, "what is told of repositories", PEER_ENTRIES):
        repo = Repo.of_folder(name)
        try:
            if repo is None:
                raise AnswerProblem("that is no repository's folder")
            yield repo, read(told)
        except NameProblem as problem:
            problems[str(repo or shown(name))] = str(problem)


def _read_views(value: Any, problems: dict[str, str]) -> Iterator[Wanted]:
    for told in sequence(value, "views", PEER_ENTRIES):
        try:
            yield entry_of(told)
        except MirrorError as problem:
            problems["views"] = str(problem)


def _read_whitelist(value: Any, problems: dict[str, str]) -> Records:
    try:
        return records_of(value)
    except NameProblem as problem:
        problems[Besides.WHITELIST.value] = str(problem)
        return {}


def read_catalogue(store: Store) -> Catalogue:
    """Return what the store has, whatever the document says of it. Writes nothing."""
    return _read(store, read_summary)


def _read(store: Store, summary_of: Callable[[Repository], Summary]) -> Catalogue:
    pieces = {}
    for repository in store.repositories():
        with contextlib.suppress(MirrorError):  # what can't be read is told by who works with it
            pieces[repository.repo] = summary_of(repository).piece
    return _catalogue(store, pieces)


def write_catalogue(store: Store, repo: Repo | None = None) -> Catalogue:
    """Bring the document up to date, of one repository or of all, and return what it says. No repository is locked."""
    with _locked(store):
        catalogue = _read(store, keep_summary) if repo is None else _with_repo(store, _saved(store), repo)
        content = json.dumps(catalogue.to_json(), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        told = json.dumps(hashlib.sha256(content).hexdigest()).encode()
        # the digest last: who reads it before reads both again
        for name, text in ((CATALOGUE, content), (DIGEST, told)):
            if not _fs.has_content(store.root / name, text):
                _fs.replace_file(store.fs, store.root / name, text, store.root / "locks")
        return catalogue


def _saved(store: Store) -> Catalogue:
    try:
        saved = Catalogue.from_json(read_document(store.root / CATALOGUE))
    except (OSError, ValueError):
        return _read(store, keep_summary)
    return _read(store, keep_summary) if saved.problems else saved


def _with_repo(store: Store, catalogue: Catalogue, repo: Repo) -> Catalogue:
    pieces = {other: piece for other, piece in catalogue.pieces.items() if other != repo}
    repository = store.repository(repo)
    if repository.folder.is_dir():
        pieces[repo] = keep_summary(repository).piece
    return _catalogue(store, pieces)


def _catalogue(store: Store, pieces: Mapping[Repo, Piece]) -> Catalogue:
    return Catalogue(
        pieces,
        tuple(noted_entries(store)),
        _removed(store, pieces),
        read_purged(store),
        standing=read_standing(store),
        whitelist=_records(store),
    )


def _records(store: Store) -> Records:
    try:
        return read_records(store)
    except MirrorError:  # it is told by who goes by it
        return {}


def _removed(store: Store, present: Mapping[Repo, Piece]) -> dict[Repo, History]:
    found = (Repo.of_folder(file.stem) for file in sorted((store.root / "removed").glob("*.json")))
    gone = [repo for repo in found if repo and repo not in present]
    return {repo: store.repository(repo).history() for repo in gone}


@contextlib.contextmanager
def _locked(store: Store) -> Iterator[None]:
    with locked(store.root / "locks" / "catalogue", wait=True):
        yield
