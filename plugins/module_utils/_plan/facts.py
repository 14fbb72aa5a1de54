# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts: what the Hub says about a repository at a commit, and what the store has of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._base.names import REPO_TYPES, Commit, Etag, NameProblem, Ref, RepoPath, Size, repo_id, shown


@dataclass(frozen=True)
class Repo:
    """A repository by its type (model, dataset, space) and id. Raises NameProblem where none can be called so."""

    repo_type: str
    repo_id: str

    def __post_init__(self) -> None:
        if self.repo_type not in REPO_TYPES:
            raise NameProblem(f"{shown(self.repo_type)} is none of {', '.join(REPO_TYPES)}")
        repo_id(self.repo_id)

    @property
    def folder(self) -> str:
        """The folder's name in a Hugging Face cache: ``models--ORG--NAME``."""
        return "--".join([f"{self.repo_type}s", *self.repo_id.split("/")])

    @classmethod
    def of_folder(cls, name: str) -> Repo | None:
        """Return the repository that a cache folder belongs to, or None."""
        kind, *parts = name.split("--")
        try:
            return cls(kind[:-1], "/".join(parts)) if kind.endswith("s") else None
        except NameProblem:
            return None

    def __str__(self) -> str:
        return repo_name(self.repo_type, self.repo_id)


def repo_name(repo_type: str, repo_id: str) -> str:
    """Return what a repository is called in messages; one that there can't be, too."""
    return repo_id if repo_type == "model" else f"{repo_type} {repo_id}"


@dataclass(frozen=True)
class File:
    """A file as the Hub declares it: size in bytes, Git object id, and the SHA-256 of LFS content."""

    size: Size
    oid: Etag
    sha256: Etag | None = None
    pointer_size: Size | None = None

    @classmethod
    def of(cls, size: Any, oid: Any, sha256: Any = None, pointer_size: Any = None) -> File:
        """Return a file for what was told of it. Raises NameProblem where that can't be right."""
        file = cls(
            Size(size),
            Etag(oid),
            None if sha256 is None else Etag(sha256),
            None if pointer_size is None else Size(pointer_size),
        )
        if file.oid.is_sha256:
            raise NameProblem(f"{shown(oid)} is no SHA-1 of a Git object")
        if file.sha256 is not None and not file.sha256.is_sha256:
            raise NameProblem(f"{shown(sha256)} is no SHA-256")
        return file

    @property
    def etag(self) -> Etag:
        """The name of the content: SHA-256 for LFS, else the SHA-1 of the Git blob."""
        return self.sha256 or self.oid

    def hasher(self) -> Any:
        """Return a hashlib object that arrives at ``etag`` once the content went through it."""
        return hasher(self.etag, self.size)


def hasher(etag: str, size: int) -> Any:
    """Return a hashlib object that arrives at ``etag`` once a content of so many bytes went through it."""
    if len(etag) == 64:
        return hashlib.sha256()
    # Git's own naming of blobs, which the Hub uses as ETag: identity, not protection
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


@dataclass(frozen=True)
class Listing:
    """All files of a repository at one commit, folders with their tree ids, and what its card says.

    ``refused`` has the names of files that can't be had, whoever wants them, and why. ``doubt`` says why what the peer
    told could not be compared with the Hub. ``teller`` is the upstream that listed it, empty where nobody knows.
    ``confirms``: it was asked for although the commit is here, and its word counts more than that of who told it.
    """

    commit: Commit
    files: Mapping[RepoPath, File]
    folders: Mapping[RepoPath, Etag] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    doubt: str = ""
    teller: str = ""
    confirms: bool = False

    @property
    def is_gated(self) -> bool:
        """Say whether the Hub shows the repository to some only."""
        return bool(self.info.get("gated") or self.info.get("private"))

    def to_json(self) -> dict[str, Any]:
        """Return a value that ``from_json`` understands."""
        value = {
            "commit": self.commit,
            "files": {path: [f.size, f.oid, f.sha256, f.pointer_size] for path, f in sorted(self.files.items())},
            "folders": dict(sorted(self.folders.items())),
            "info": dict(self.info),
        }
        more = {"refused": dict(sorted(self.refused.items())), "teller": self.teller}
        return {**value, **{name: told for name, told in more.items() if told}}


#: The files of a commit: path -> etag.
Snapshot = Mapping[RepoPath, Etag]


@dataclass(frozen=True)
class RepoFacts:
    """What the store has of a repository.

    ``refs``: ref -> published commit; ``snapshots``: sealed commit -> path -> etag; ``history``: ref -> all commits
    that were published, the oldest first; ``serials``: ref -> number of its last publish; ``pending``: ref -> commit
    that is sealed and waits for a person; ``rejected``: ref -> commits that a person rolled back; ``frozen``: refs that
    don't follow the upstream; ``pins``, ``listed``: commits that stay because a person, or the whitelist, named them by
    id; ``retired``: commit -> age of the store when nothing named it any more; ``narrowed``: commit -> age when its
    listing got shorter; ``second_hand``: commits whose listing the peer told and no sync has compared with the Hub's.
    """

    refs: Mapping[Ref, Commit] = field(default_factory=dict)
    snapshots: Mapping[Commit, Snapshot] = field(default_factory=dict)
    history: Mapping[Ref, tuple[Commit, ...]] = field(default_factory=dict)
    serials: Mapping[Ref, int] = field(default_factory=dict)
    pending: Mapping[Ref, Commit] = field(default_factory=dict)
    rejected: Mapping[Ref, frozenset[Commit]] = field(default_factory=dict)
    frozen: frozenset[Ref] = frozenset()
    pins: frozenset[Commit] = frozenset()
    listed: frozenset[Commit] = frozenset()
    retired: Mapping[Commit, float] = field(default_factory=dict)
    narrowed: Mapping[Commit, float] = field(default_factory=dict)
    second_hand: frozenset[Commit] = frozenset()
