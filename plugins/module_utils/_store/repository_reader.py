# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repository's folder tells: refs, sealed commits, history, marks. Reads only, and needs no lock."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .._base.errors import MirrorError
from .._base.fs import files_below
from .._base.limits import PEER_ENTRIES
from .._base.names import COMMIT, Commit, Etag, NameProblem, Ref, RepoPath, Size, shown
from .._border.history import history_of, marks_of
from .._border.json import mapping, read_document
from .._border.listing import listing_of, served_of
from .._plan.facts import Listing, Repo, RepoFacts
from .documents import commits_document, refs_document
from .history import History, Mark, rejected

_COMMIT = re.compile(COMMIT)
#: The document that says what is sealed: the last to be written.
FACTS = "info.blobs.json"
#: Marks that both nodes of a pair have: what was taken away stays noted, so that the other one does not bring it back.
SHARED_MARKS = ("frozen", "listed", "pins")
#: Marks of one node: what it knows of commits that it has.
OWN_MARKS = ("retired", "narrowed", "second_hand")
#: All marks. Those of refs are ``frozen``, the others are of commits.
KINDS = (*SHARED_MARKS, *OWN_MARKS, "collected")


class RepositoryError(MirrorError):
    """What is on the disk is not what it should be."""


class RepositoryReader:
    """A repository's folder below ``hub``."""

    def __init__(self, hub: Path, repo: Repo) -> None:
        self.repo = repo
        self.folder = hub / repo.folder
        self._mirror = self.folder / ".mirror"
        self._rev = self._mirror / "rev"
        self._past = hub.parent / "removed" / f"{repo.folder}.json"

    def facts(self) -> RepoFacts:
        """Read what is sealed and published."""
        refs = self.refs()
        snapshots = {commit: self._snapshot(commit) for commit in self.sealed()}
        history, marks = self.history(), self.marks()

        def sealed(kind: str) -> Iterator[Commit]:
            for name, mark in marks.get(kind, {}).items():
                if not mark.get("off") and name in snapshots:
                    yield Commit(name)

        return RepoFacts(
            refs,
            snapshots,
            {ref: tuple(e["commit"] for e in entries if e["commit"]) for ref, entries in history.items()},
            {ref: entries[-1]["serial"] for ref, entries in history.items() if entries},
            {ref: commit for ref, commit in self.pending().items() if commit in snapshots},
            {ref: rejected(entries) for ref, entries in history.items()},
            frozenset(ref for ref in refs if not marks.get("frozen", {}).get(ref, {"off": True}).get("off")),
            frozenset(sealed("pins")),
            frozenset(sealed("listed")),
            {commit: marks["retired"][commit]["age"] for commit in sealed("retired")},
            {commit: marks["narrowed"][commit]["age"] for commit in sealed("narrowed")},
            frozenset(map(Commit, marks.get("second_hand", {}))),
        )

    def fingerprint(self) -> str:
        """Return a text that is another one after each change of what ``facts`` and ``history`` read.

        Files get new inodes and folders new times when something changes, so nothing has to be opened.
        """
        links = [self._rev, self._rev / "refs", *(Path(one.path) for one in _entries(self._rev / "refs"))]
        files = [self._mirror / name for name in ("history.json", "marks.json", "pending.json", "gated")]
        documents = [self._rev / commit / FACTS for commit in self.sealed()]
        found = [(path.name, *_identity(path)) for path in (*links, *files, self._past, *documents)]
        return hashlib.sha256(repr(found).encode()).hexdigest()

    @property
    def is_gated(self) -> bool:
        """Say whether the Hub gates it or keeps it private, or did when one of its commits came."""
        return (self._mirror / "gated").exists()

    def refs(self) -> dict[Ref, Commit]:
        """Return ref -> commit. Raises RepositoryError where a link of that folder is none of ours."""
        found = {}
        for name, target in self.links():
            try:
                found[Ref(name)] = Commit(target)
            except NameProblem as problem:
                raise RepositoryError(f"{shown(str(self._rev / name))} leads to no commit: {problem}") from None
        return found

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield name and last part of the target of each link that stands for a ref, as it is."""
        groups = [group.name for group in _entries(self._rev / "refs") if group.is_dir()]
        for prefix in ("", *(f"refs/{name}/" for name in groups)):
            for link in _entries(self._rev / prefix):
                if link.is_symlink():
                    yield f"{prefix}{link.name}", os.path.basename(os.readlink(link))

    def sealed(self) -> list[Commit]:
        """Return the commits that are sealed."""
        return [Commit(entry.name) for entry in _entries(self._rev) if _is_commit(entry)]

    def derived(self, refs: Mapping[Ref, Commit]) -> dict[Path, bytes]:
        """Return what must be in the files that are derived from refs and history."""
        # Hub clients read refs/REF without stripping: no newline
        right = {self.folder / "refs" / ref: commit.encode() for ref, commit in refs.items()}
        if refs or (self._mirror / "refs.json").exists():
            right[self._mirror / "refs.json"] = refs_document(refs)
        sealed, history = set(self.sealed()), self.happened()
        for ref in refs:
            right[self._mirror / "commits" / f"{ref}.json"] = commits_document(history.get(ref, []), sealed)
        return right

    def copies(self) -> Iterator[Path]:
        """Yield the files for single refs that are there."""
        for top in (self.folder / "refs", self._mirror / "commits"):
            for name in files_below(top):
                yield top / name

    def files(self, commit: Commit) -> dict[RepoPath, tuple[Etag, Size]]:
        """Return the files of a sealed commit: path -> etag and size in bytes."""
        try:
            return served_of(self.info(commit))
        except ValueError as problem:
            raise RepositoryError(f"{self._rev / commit / FACTS} can't be read: {problem}") from problem

    def _snapshot(self, commit: Commit) -> dict[RepoPath, Etag]:
        return {path: etag for path, (etag, _size) in self.files(commit).items()}

    def check_complete(self, commit: Commit) -> None:
        """See that every file of a commit is there and can be read. Raises RepositoryError."""
        for path, (etag, size) in self.files(commit).items():
            link = self.folder / "snapshots" / commit / path
            try:
                status = link.stat()
            except OSError as problem:
                raise RepositoryError(f"{self.repo}@{commit[:12]} lacks {path}: {problem.strerror}") from problem
            if status.st_size != size or not status.st_mode & 0o444 or os.path.basename(os.readlink(link)) != etag:
                raise RepositoryError(f"{self.repo}@{commit[:12]}: {path} is damaged. Repair it with: hf-mirror scrub")

    def marks(self) -> dict[str, dict[str, Mark]]:
        """Return what people and runs noted about commits and refs: kind -> commit or ref -> mark."""
        found = self._read("marks.json")
        try:
            return {kind: marks_by_name(kind, found[kind]) for kind in KINDS if kind in found}
        except NameProblem as problem:
            raise RepositoryError(f"{self._mirror / 'marks.json'} can't be read: {problem}") from None

    def history(self) -> History:
        """Return ref -> its publishes, the oldest first."""
        # a repository that comes back goes on counting: the other node must not take it for the older one
        try:
            return history_of(self._read("history.json") or self._read_file(self._past))
        except NameProblem as problem:
            raise RepositoryError(f"{self._mirror / 'history.json'} can't be read: {problem}") from None

    def pending(self) -> dict[Ref, Commit]:
        """Return ref -> the commit that waits for a person to publish it."""
        try:
            return {Ref(ref): Commit(commit) for ref, commit in self._read("pending.json").items()}
        except NameProblem as problem:
            raise RepositoryError(f"{self._mirror / 'pending.json'} can't be read: {problem}") from None

    def happened(self) -> History:
        """Return the history without what was announced and did not happen: the ref is the truth."""
        refs, history = self.refs(), self.history()
        for ref, entries in history.items():
            while entries and (refs.get(ref) or "") != entries[-1]["commit"]:
                entries.pop()
        return history

    def _read(self, name: str) -> dict[str, Any]:
        return self._read_file(self._mirror / name)

    def _read_file(self, file: Path) -> dict[str, Any]:
        try:
            return dict(mapping(read_document(file), "it"))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except ValueError as problem:
            raise RepositoryError(f"{file} can't be read: {problem}") from problem

    def info(self, commit: Commit) -> Mapping[str, Any]:
        """Return what the Hub's API is answered of a sealed commit, tags of its card among it."""
        document = self._rev / commit / FACTS
        try:
            return mapping(read_document(document), "it")
        except (OSError, ValueError) as problem:
            raise RepositoryError(f"{document} can't be read: {problem}") from problem

    def document(self, commit: Commit) -> bytes:
        """Return the document that says what a sealed commit lists."""
        return (self._rev / commit / FACTS).read_bytes()

    def upstream(self, commit: Commit) -> Listing | None:
        """Return the listing of a commit as it was told when it was sealed: a commit never changes."""
        file = self._mirror / "upstream" / f"{commit}.json"
        try:
            return listing_of(read_document(file))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError as problem:
            raise RepositoryError(f"{file} can't be read: {problem}; delete it, it is only a copy") from problem


def marks_by_name(kind: str, value: Any) -> dict[str, Mark]:
    """Return the marks of one kind, by commit or ref. Raises NameProblem."""
    name_of, needs = Ref if kind == "frozen" else Commit, "age" if kind in ("retired", "narrowed") else "time"
    return {name_of(name): mark for name, mark in marks_of(value, kind, PEER_ENTRIES, needs).items()}


def _identity(path: Path) -> tuple[int, ...]:
    """Return what a file or folder is another one by; nothing where there is none."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return status.st_ino, status.st_nlink, status.st_size, status.st_mtime_ns


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, nothing where there is none."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_commit(entry: os.DirEntry[str]) -> bool:
    return bool(_COMMIT.fullmatch(entry.name)) and entry.is_dir(follow_symlinks=False)
