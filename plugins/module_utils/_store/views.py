# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views: flat folders of hard links for people and scripts, each behind a symbolic link that moves at one instant."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager

from .._base import fs as _fs
from .._base.lock import locked
from .._base.names import VIEW, Etag, ViewName
from .store import Store

_VIEW = re.compile(VIEW)


class Views:
    """The views of a store."""

    def __init__(self, store: Store) -> None:
        self._store, self._fs = store, store.fs
        self._top = store.root / "views"

    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock of those who change views: a person rolls back while a sync goes on."""
        return locked(self._store.root / "locks" / "views", wait=True)

    def names(self) -> list[ViewName]:
        """Return the names of all views."""
        found = self._top.iterdir() if self._top.is_dir() else ()
        return sorted(ViewName(entry.name) for entry in found if entry.is_symlink() and _VIEW.fullmatch(entry.name))

    def has(self, name: ViewName, files: Mapping[str, Etag]) -> bool:
        """Say whether a view holds exactly these files (name -> etag)."""
        try:
            return os.readlink(self._top / name) == _folder(name, files)
        except FileNotFoundError:
            return False

    def etag(self, name: ViewName, file: str, etags: Iterable[Etag]) -> Etag | None:
        """Return which of these contents a view has under a file's name, None where it is none of them."""
        for etag in etags:
            with contextlib.suppress(OSError):
                if self._store.pool.path(etag).samefile(self._top / name / file):
                    return etag
        return None

    def set(self, name: ViewName, files: Mapping[str, Etag]) -> None:
        """Replace a view: a folder under a name of its own, then the symbolic link to it. Wants ``locked`` first."""
        folder = self._top / _folder(name, files)
        if not folder.exists():
            build = _fs.empty_dir(self._fs, self._top / ".build")
            for file, etag in files.items():
                self._store.pool.link(etag, build / file)
            self._fs.sync_dir(build)
            self._fs.rename(build, folder)
            self._fs.sync_dir(self._top)
        _fs.replace_link(self._fs, self._top / name, folder.name, self._store.staging)
        self._tidy()

    def remove(self, name: ViewName) -> None:
        """Take a view away."""
        with self.locked():
            self.drop(name)

    def drop(self, name: ViewName) -> None:
        """Take a view away. Wants ``locked`` first."""
        self._fs.unlink(self._top / name)
        self._fs.sync_dir(self._top)
        self._tidy()

    def recover(self) -> None:
        """Remove the folders that no view stands for."""
        with self.locked():
            self._tidy()

    def _tidy(self) -> None:
        wanted = {os.readlink(self._top / name) for name in self.names()}
        for entry in self._top.iterdir():
            if not entry.is_symlink() and entry.name not in wanted:
                self._fs.rmtree(entry)


def _folder(name: ViewName, files: Mapping[str, Etag]) -> str:
    """Name a view's folder after its content, so that one look at the link tells whether it is up to date."""
    digest = hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()
    return f".{name}.{digest[:16]}"
