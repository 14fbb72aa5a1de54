# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``names/``: a link to each repository from its name in lower case. Who asks in another case is led by it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from .._base import fs as _fs
from .._base.fs import Fs


class Spellings:
    """The links of a store. All are derived: recovery makes and removes what is missing and left."""

    def __init__(self, root: Path, fs: Fs) -> None:
        self._hub, self._top, self._fs = root / "hub", root / "names", fs

    def add(self, folder: str, scratch: Path) -> None:
        """Let a repository's folder be found; of two that differ in case alone, the first stays."""
        link = self._top / folder.lower()
        if not link.exists():
            self._fs.mkdir(self._top)
            _fs.replace_link(self._fs, link, f"../hub/{folder}", scratch)

    def remove(self, folder: str) -> None:
        """Forget a repository's folder."""
        link = self._top / folder.lower()
        if link.is_symlink() and os.path.basename(os.readlink(link)) == folder:
            self._fs.unlink(link)

    def missing(self, folders: Iterable[str]) -> list[str]:
        """Return those of some repositories' folders that no link leads to."""
        return [folder for folder in folders if not (self._top / folder.lower()).exists()]

    def surplus(self) -> list[Path]:
        """Return what is no link of this kind, or leads nowhere."""
        found = sorted(self._top.iterdir()) if self._top.is_dir() else []
        return [entry for entry in found if not self._is_right(entry)]

    def _is_right(self, entry: Path) -> bool:
        if not entry.is_symlink():
            return False
        target = os.readlink(entry)
        folder = os.path.basename(target)
        return target == f"../hub/{folder}" and folder.lower() == entry.name and (self._hub / folder).is_dir()

    def recover(self, folders: Iterable[str], scratch: Path) -> list[str]:
        """Bring the links in line with the repositories, and say what was done."""
        surplus = self.surplus()
        for entry in surplus:
            if entry.is_dir() and not entry.is_symlink():
                self._fs.rmtree(entry)
            else:
                self._fs.unlink(entry)
        missing = self.missing(folders)
        for folder in missing:
            self.add(folder, scratch)
        return [f"names in lower case: {len(missing)} made, {len(surplus)} removed"] if missing or surplus else []
