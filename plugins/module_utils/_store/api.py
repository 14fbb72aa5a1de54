# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's documents of a repository, in ``.mirror/v1``, derived and kept with its summary.

``repository`` and each COMMIT are symbolic links to documents whose name is the SHA-256 of what they say, so that
nginx knows the ETag of what it serves without reading it. ``listed.txt`` is for the list of repositories.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from .._base import fs as _fs
from .._base.fs import Fs
from .._base.names import Commit, Etag
from .api_documents import listed_document, repository_document, version_document
from .description import Description
from .linked import Linked
from .repository_reader import FACTS, RepositoryReader

_BLOCK = 1 << 20
_REPOSITORY, _LISTED = "repository", "listed.txt"


class Api:
    """The documents of one repository."""

    def __init__(self, repository: RepositoryReader, fs: Fs) -> None:
        self._repository, self._fs = repository, fs
        self._mirror = repository.folder / ".mirror"
        self._top = api_folder(repository)
        self._linked = Linked(self._top, fs)
        #: The SHA-256 of small files, which the Hub names by their SHA-1.
        self._sha256: dict[Etag, str] = {}

    def prepare(self) -> None:
        """Hash the small files of commits that have no document yet: it may take a while, and needs no lock."""
        for commit in self._repository.sealed():
            if self._is_older(commit):
                for etag, _size in self._repository.files(commit).values():
                    self._hash(etag)

    def write(self, description: Description) -> None:
        """Bring the documents up to date; the repository's lock must be held.

        Raises RepositoryError, OSError where something of it can't be read.
        """
        repo = self._repository.repo
        for one in description["commits"]:
            commit = Commit(one["commit"])
            if self._is_older(commit):
                self._linked.lead(commit, self._version(commit))
        self._linked.lead(_REPOSITORY, repository_document(repo, description))
        self._linked.put(_LISTED, listed_document(repo, description))
        # what is served must be whole, whatever a power cut leaves
        self._linked.settle({_REPOSITORY, *(one["commit"] for one in description["commits"])}, [_LISTED])

    def _is_older(self, commit: Commit) -> bool:
        """Say whether a commit's document is missing, or older than what it was made of."""
        try:
            made = (self._top / commit).lstat().st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            return True
        return made <= (self._mirror / "rev" / commit / FACTS).stat().st_mtime_ns

    def _version(self, commit: Commit) -> bytes:
        files = {path: (etag, size, self._hash(etag)) for path, (etag, size) in self._repository.files(commit).items()}
        return version_document(self._repository.repo, commit, files)

    def _hash(self, etag: Etag) -> str:
        """Return the SHA-256 of a content, which is its name if it is large."""
        if etag.is_sha256:
            return str(etag)
        if etag not in self._sha256:
            hasher = hashlib.sha256()
            with self._fs.open(self._repository.folder / "blobs" / etag) as content:
                for block in iter(lambda: content.read(_BLOCK), b""):
                    hasher.update(block)
            self._sha256[etag] = hasher.hexdigest()
        return self._sha256[etag]

    def damage(self, description: Description) -> Iterator[tuple[Path, str]]:
        """Yield what is not as it should be, and why. Small files are not hashed again."""
        right = {
            _REPOSITORY: repository_document(self._repository.repo, description),
            _LISTED: listed_document(self._repository.repo, description),
        }
        for name in sorted({*os.listdir(self._top), *right, *(one["commit"] for one in description["commits"])}):
            file, content = self._top / name, b""
            with contextlib.suppress(OSError, ValueError):
                content = _fs.read_file(file)
            if right.get(name, content) != content:
                yield file, "does not say what the repository is"
            elif name != _LISTED and not self._linked.is_right(name, content):
                yield file, "is no document with the name that it must have"


def api_folder(repository: RepositoryReader) -> Path:
    """Return where they are."""
    return repository.folder / ".mirror" / "v1"
