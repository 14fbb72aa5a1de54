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
import json
import os
from collections.abc import Iterator
from pathlib import Path

from .._base import fs as _fs
from .._base.errors import MirrorError
from .._base.fs import Fs
from .._base.names import Commit, Etag, Size
from .._plan.facts import hasher
from .api_documents import listed_document, repository_document, version_document
from .description import Description
from .linked import Linked
from .repository_reader import RepositoryReader

_BLOCK = 1 << 20
#: Characters of a SHA-1.
_SHORT = 40
_REPOSITORY, _LISTED = "repository", "listed.txt"


class Api:
    """The documents of one repository."""

    def __init__(self, repository: RepositoryReader, fs: Fs) -> None:
        self._repository, self._fs = repository, fs
        self._top = api_folder(repository)
        self._linked = Linked(self._top, fs)
        #: The SHA-256 of small files, which the Hub names by their SHA-1.
        self._sha256: dict[Etag, str] = {}

    def prepare(self) -> None:
        """Hash the small files of commits that have no document yet: it may take a while, and needs no lock."""
        for commit in self._repository.sealed():
            with contextlib.suppress(OSError, MirrorError):  # it is told when it is to be written
                self._version(commit)

    def write(self, description: Description) -> None:
        """Bring the documents up to date; the repository's lock must be held.

        One commit that can't be read keeps no other from its document. Raises RepositoryError, OSError then.
        """
        repo, problem = self._repository.repo, None
        for one in description["commits"]:
            commit = Commit(one["commit"])
            try:
                self._linked.lead(commit, self._version(commit))
            except (OSError, MirrorError) as error:
                problem = error
        self._linked.lead(_REPOSITORY, repository_document(repo, description))
        self._linked.put(_LISTED, listed_document(repo, description))
        # what is served must be whole, whatever a power cut leaves
        self._linked.settle(_links(description), [_LISTED])
        if problem:
            raise problem

    def is_whole(self, description: Description) -> bool:
        """Say whether each document is there, whatever it says."""
        return all((self._top / name).is_file() for name in (*_links(description), _LISTED))

    def _version(self, commit: Commit) -> bytes:
        """Return the document of a commit; what was hashed for the one that is there is not hashed again."""
        listed = self._repository.files(commit)
        self._sha256.update(self._told(commit))
        files = {path: (etag, size, self._hash(etag, size)) for path, (etag, size) in listed.items()}
        return version_document(self._repository.repo, commit, files)

    def _told(self, commit: Commit) -> dict[Etag, str]:
        """Return the SHA-256 of small files in the document that is there, if it is the one that was written."""
        try:
            content = _fs.read_file(self._top / commit)
            if not self._linked.is_right(commit, content):
                return {}
            files = json.loads(content)["files"]
            return {Etag(one["etag"]): str(Etag(one["sha256"])) for one in files if len(one["etag"]) == _SHORT}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _hash(self, etag: Etag, size: Size) -> str:
        """Return the SHA-256 of a content, which is its name if it is large. Raises OSError where it is another one."""
        if etag.is_sha256:
            return str(etag)
        if etag not in self._sha256:
            sha256, named = hashlib.sha256(), hasher(etag, size)
            with self._fs.open(self._repository.folder / "blobs" / etag) as content:
                for block in iter(lambda: content.read(_BLOCK), b""):
                    sha256.update(block)
                    named.update(block)
            if named.hexdigest() != etag:
                raise OSError(f"{etag} of {self._repository.repo} is rotten")
            self._sha256[etag] = sha256.hexdigest()
        return self._sha256[etag]

    def damage(self, description: Description) -> Iterator[tuple[Path, str]]:
        """Yield what is not as it should be, and why. What small files hash to is believed where it was written."""
        repo = self._repository.repo
        right = {_REPOSITORY: repository_document(repo, description), _LISTED: listed_document(repo, description)}
        names = set(os.listdir(self._top)) if self._top.is_dir() else set()
        for name in sorted({*names, *_links(description), _LISTED}):
            file, content = self._top / name, b""
            with contextlib.suppress(OSError, ValueError):
                content = _fs.read_file(file)
            with contextlib.suppress(OSError, MirrorError):  # what can't be read is told by its own name
                if name in _links(description) and name not in right:
                    right[name] = self._version(Commit(name))
            if right.get(name, content) != content:
                yield file, "does not say what the repository is"
            elif name != _LISTED and not self._linked.is_right(name, content):
                yield file, "is no document with the name that it must have"


def _links(description: Description) -> set[str]:
    return {_REPOSITORY, *(one["commit"] for one in description["commits"])}


def api_folder(repository: RepositoryReader) -> Path:
    """Return where they are."""
    return repository.folder / ".mirror" / "v1"
