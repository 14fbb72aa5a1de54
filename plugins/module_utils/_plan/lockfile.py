# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock file: for each entry of the whitelist its commit, and SHA-256 and size of every file. Obeyed to the byte."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .._base.errors import HeldError, MirrorError
from .._base.names import Commit, Etag, NameProblem, RepoPath, Size
from .facts import Listing
from .wanted import Wanted

VERSION = 1
_AGAIN = "Regenerate it with: hf-mirror lock --output FILE"
_BLOCK = 1 << 20


class LockFile:
    """What a whitelist came to at one time: entry -> commit and path -> (size, SHA-256)."""

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self._entries = entries

    @classmethod
    def from_json(cls, value: Any) -> LockFile:
        """Read what ``to_json`` wrote. Raises MirrorError where it isn't one."""
        if not isinstance(value, Mapping) or value.get("version") != VERSION:
            raise MirrorError(f"the lock file has no version {VERSION}. {_AGAIN}")
        try:
            for entry in value["entries"].values():
                Commit(entry["commit"])
                for path, file in entry["files"].items():
                    RepoPath(path), Size(file["size"]), Etag(file["sha256"])
        except (KeyError, TypeError, AttributeError, NameProblem) as problem:
            raise MirrorError(f"the lock file can't be read: {type(problem).__name__} {problem}") from problem
        return cls(value["entries"])

    def to_json(self) -> dict[str, Any]:
        """Return a value that ``from_json`` understands."""
        return {"version": VERSION, "entries": dict(self._entries)}

    def commit(self, wanted: Wanted) -> Commit:
        """Return the commit that an entry is locked to."""
        return Commit(self._entry(wanted)["commit"])

    def _entry(self, wanted: Wanted) -> Mapping[str, Any]:
        try:
            entry: Mapping[str, Any] = self._entries[str(wanted)]
        except KeyError:
            raise MirrorError(f"{wanted} is not in the lock file. {_AGAIN}") from None
        return entry

    def check(self, wanted: Wanted, listing: Listing) -> Listing:
        """Return the listing if it is what the lock says, else raise HeldError."""
        files = self._entry(wanted)["files"]
        paths = wanted.select(listing.files, listing.refused)
        if set(paths) != set(files):
            differing = ", ".join(sorted(set(paths).symmetric_difference(files)))
            raise HeldError(f"{wanted} and the lock file differ in {differing}. {_AGAIN}")
        for path in paths:
            file, locked = listing.files[path], files[path]
            if file.size != locked["size"] or file.sha256 not in (None, locked["sha256"]):
                raise HeldError(
                    f"{path} of {wanted}: the lock file says {locked['size']} bytes, SHA-256 {locked['sha256']}; the"
                    f" Hub says {file.size} bytes, {file.etag}"
                )
        return listing

    def check_content(self, wanted: Wanted, path: str, blob: Path) -> None:
        """Compare a content with the lock, where the Hub declares no SHA-256 of it."""
        locked = self._entry(wanted)["files"].get(path)
        if locked and sha256(blob) != locked["sha256"]:
            raise HeldError(f"{path} of {wanted} is not what the lock file says: SHA-256 {locked['sha256']}")


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def locked_entry(commit: str, files: Mapping[str, str], path_of: Callable[[str], Path]) -> dict[str, Any]:
    """Return what the lock file says of one entry. ``files``: path -> etag; ``path_of`` says where a content is."""
    described = {}
    for path, etag in sorted(files.items()):
        blob = path_of(etag)
        described[path] = {"size": blob.stat().st_size, "sha256": etag if len(etag) == 64 else sha256(blob)}
    return {"commit": commit, "files": described}
