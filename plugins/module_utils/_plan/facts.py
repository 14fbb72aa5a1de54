# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts: what the Hub says about a repository at a commit. Values that survive a round trip through JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Repo:
    """A repository by its type (model, dataset, space) and id."""

    repo_type: str
    repo_id: str

    @property
    def folder(self) -> str:
        """The folder's name in a Hugging Face cache: ``models--ORG--NAME``."""
        return "--".join([f"{self.repo_type}s", *self.repo_id.split("/")])

    @classmethod
    def of_folder(cls, name: str) -> Repo | None:
        """Return the repository that a cache folder belongs to, or None."""
        kind, *parts = name.split("--")
        known = kind in ("models", "datasets", "spaces") and 1 <= len(parts) <= 2 and all(parts)
        return cls(kind[:-1], "/".join(parts)) if known else None

    def __str__(self) -> str:
        return self.repo_id if self.repo_type == "model" else f"{self.repo_type} {self.repo_id}"


@dataclass(frozen=True)
class File:
    """A file as the Hub declares it: size in bytes, Git object id, and the SHA-256 of LFS content."""

    size: int
    oid: str
    sha256: str | None = None
    pointer_size: int | None = None

    @property
    def etag(self) -> str:
        """The name of the content: SHA-256 for LFS, else the SHA-1 of the Git blob."""
        return self.sha256 or self.oid

    def hasher(self) -> Any:
        """Return a hashlib object that arrives at ``etag`` once the content went through it."""
        if self.sha256:
            return hashlib.sha256()
        # Git's own naming of blobs, which the Hub uses as ETag: identity, not protection
        return hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)


@dataclass(frozen=True)
class Listing:
    """All files of a repository at one commit, folders with their tree ids, and what its card says."""

    commit: str
    files: Mapping[str, File]
    folders: Mapping[str, str] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_gated(self) -> bool:
        """Say whether the Hub shows the repository to some only."""
        return bool(self.info.get("gated") or self.info.get("private"))

    def to_json(self) -> dict[str, Any]:
        """Return a value that ``from_json`` understands."""
        return {
            "commit": self.commit,
            "files": {path: [f.size, f.oid, f.sha256, f.pointer_size] for path, f in sorted(self.files.items())},
            "folders": dict(sorted(self.folders.items())),
            "info": dict(self.info),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Listing:
        """Read what ``to_json`` wrote."""
        files = {path: File(*fields) for path, fields in value["files"].items()}
        return cls(value["commit"], files, value["folders"], value["info"])
