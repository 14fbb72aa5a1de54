# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered beside the models: what the mirror said of them, and which files were found to be right.

The first serves when the mirror is away, the second spares an unchanged host the hashing of 10 GB. Pairs that don't fit
are remembered, too, which shows only when they are here. Without the file, or with one that can't be read, all is asked
and hashed again.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._base.fs import Fs
from .._base.names import Commit, RepoPath
from .._border.json import read_document
from .._plan.facts import File

FILE = ".hf-mirror.json"
_FORMAT = 1


@dataclass(frozen=True)
class Seen:
    """A file that was verified: how it looked on the disk then, its hash, its CRC32."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    etag: str
    crc32: int

    def is_same(self, status: os.stat_result, file: File) -> bool:
        """Tell whether nothing was done to the file since, and it is the one that is wanted now."""
        looks = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        return self.etag == file.etag and looks == (self.size, self.mtime_ns, self.ctime_ns, self.inode)


@dataclass(frozen=True)
class Known:
    """What the mirror said last of files of a repository. ``files`` has those that were placed, by path."""

    revision: str
    commit: Commit
    files: Mapping[RepoPath, File]


class Record:
    """The record of one folder, called by several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._seen: dict[str, Seen] = {}
        self._known: dict[str, Known] = {}
        self._unfit: dict[str, str] = {}
        try:
            text = read_document(folder / FILE)
            if text["format"] == _FORMAT:
                self._known = {
                    repo: Known(
                        one["revision"],
                        Commit(one["commit"]),
                        {RepoPath(path): File.of(*file) for path, file in one["files"].items()},
                    )
                    for repo, one in text["repos"].items()
                }
                self._unfit = dict(text.get("unfit", {}))
                self._seen = {name: Seen(*one) for name, one in text["seen"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self._known, self._unfit = {}, {}
        self._written = self._to_json()

    def seen(self, name: str, status: os.stat_result, file: File) -> Seen | None:
        """Return what is known of a file by its name in the folder, None where it has to be hashed."""
        seen = self._seen.get(name)
        return seen if seen and seen.is_same(status, file) else None

    def remember(self, name: str, status: os.stat_result, etag: str, crc32: int) -> Seen:
        """Keep that a file was verified."""
        seen = Seen(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, etag, crc32)
        with self._lock:
            self._seen[name] = seen
        return seen

    def known(self, repo_id: str, revision: str) -> Known | None:
        """Return what the mirror said of a revision when it was asked last."""
        known = self._known.get(repo_id)
        return known if known and revision in (known.revision, known.commit) else None

    def learn(self, repo_id: str, known: Known) -> None:
        """Keep what the mirror said of files that are placed now, with what it said of others of that commit."""
        with self._lock:
            before = self._known.get(repo_id)
            others = before.files if before and before.commit == known.commit else {}
            self._known[repo_id] = Known(known.revision, known.commit, {**others, **known.files})

    def unfit(self, contents: str) -> str | None:
        """Return what to say of a pair's contents where they are known not to fit."""
        return self._unfit.get(contents)

    def refuse(self, contents: str, refusal: str) -> None:
        """Keep that a pair's contents don't fit, and need not be fetched to see that."""
        with self._lock:
            self._unfit[contents] = refusal

    def write(self, fs: Fs) -> None:
        """Write it where it has changed."""
        with self._lock:
            content = self._to_json()
            if content == self._written:
                return
            draft = self._folder / f"{FILE}.draft"
            fs.unlink(draft)
            fs.write(draft, content)
            fs.rename(draft, self._folder / FILE)
            fs.sync_dir(self._folder)
            self._written = content

    def _to_json(self) -> bytes:
        value: dict[str, Any] = {
            "format": _FORMAT,
            "repos": {
                repo: {
                    "revision": one.revision,
                    "commit": one.commit,
                    "files": {path: [file.size, file.oid, file.sha256] for path, file in sorted(one.files.items())},
                }
                for repo, one in sorted(self._known.items())
            },
            "unfit": dict(sorted(self._unfit.items())),
            "seen": {
                name: [one.size, one.mtime_ns, one.ctime_ns, one.inode, one.etag, one.crc32]
                for name, one in sorted(self._seen.items())
            },
        }
        return json.dumps(value, indent=1).encode() + b"\n"
