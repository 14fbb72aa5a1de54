# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of documents, each reached by a symbolic link to a file whose name is the SHA-256 of what it says.

So nginx knows the ETag of what it serves without reading it, and a link changes at one instant.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from .._base import fs as _fs
from .._base.fs import Fs

_DRAFT = "draft"


class Linked:
    """The folder ``top``. Whoever writes does so alone, and ends with ``settle``."""

    def __init__(self, top: Path, fs: Fs) -> None:
        self.top, self._fs = top, fs

    def lead(self, name: str, content: bytes) -> None:
        """Let a link lead to a document."""
        digest = hashlib.sha256(content).hexdigest()
        self.put(digest, content)
        draft = self.top / _DRAFT
        self._fs.unlink(draft)
        link = self.top / name
        if not (link.is_symlink() and os.readlink(link) == digest):
            if link.is_dir() and not link.is_symlink():  # nobody of ours put it there
                self._fs.rmtree(link)
            self._fs.symlink(digest, draft)
            self._fs.rename(draft, link)

    def put(self, name: str, content: bytes) -> None:
        """Give a file its content."""
        if not self.top.is_dir() or self.top.is_symlink():
            self._fs.unlink(self.top)
            self._fs.mkdir(self.top)
        if not _fs.has_content(self.top / name, content):
            draft = self.top / _DRAFT
            self._fs.unlink(draft)
            self._fs.write(draft, content)
            self._fs.rename(draft, self.top / name)

    def settle(self, links: Collection[str], files: Collection[str] = ()) -> None:
        """Make what is there durable, and remove all but these links with their documents, and these files."""
        self._fs.sync_dir(self.top)
        names = set(os.listdir(self.top))
        documents = {os.readlink(self.top / name) for name in names.intersection(links)}
        for name in names - documents - {*links, *files}:
            if (self.top / name).is_dir() and not (self.top / name).is_symlink():
                self._fs.rmtree(self.top / name)
            else:
                self._fs.unlink(self.top / name)

    def is_right(self, name: str, content: bytes) -> bool:
        """Say whether a name leads to this content by its SHA-256."""
        return os.path.realpath(self.top / name) == str(self.top.resolve() / hashlib.sha256(content).hexdigest())
