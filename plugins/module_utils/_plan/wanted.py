# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wanted: the files of one repository at one revision, as an entry of the whitelist names them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .._base.errors import MirrorError
from .._base.names import COMMIT, Commit, Ref, RepoPath, ViewName
from .facts import Repo

_COMMIT = re.compile(COMMIT)
#: The branch that every repository has.
MAIN = Ref("main")
#: Files that say something about a repository and are not what anybody mirrors it for.
_ACCESSORIES = (".gitattributes", "README.md")


@dataclass(frozen=True)
class Wanted:
    """One entry of the whitelist.

    ``token`` is the name of a token, never the token. ``keep`` counts published commits, the current one included.
    ``formats`` is ``any``, ``no-pickle`` or ``safe``; ``formats_allow`` excepts files from it. ``publish`` is ``auto``
    or ``manual``.
    """

    repo_id: str
    repo_type: str = "model"
    revision: Ref = MAIN
    files: tuple[RepoPath, ...] | None = None
    allow_patterns: tuple[str, ...] | None = None
    ignore_patterns: tuple[str, ...] | None = None
    publish: str = "auto"
    token: str | None = None
    keep: int = 2
    views: tuple[ViewName, ...] = ()
    labels: tuple[str, ...] = ()
    formats: str = "any"
    formats_allow: tuple[str, ...] | None = None
    allow_rewind: bool = False

    @property
    def repo(self) -> Repo:
        """Return the repository."""
        return Repo(self.repo_type, self.repo_id)

    def __str__(self) -> str:
        prefix = "" if self.repo_type == "model" else f"{self.repo_type} "
        return f"{prefix}{self.repo_id}@{self.revision}"

    @property
    def is_commit(self) -> bool:
        """True where the revision is a commit and not a name that can move."""
        return bool(_COMMIT.fullmatch(self.revision))

    @property
    def commit(self) -> Commit | None:
        """Return the revision where it is a commit."""
        return Commit(self.revision) if self.is_commit else None

    def select(self, paths: Iterable[RepoPath], refused: Mapping[str, str] | None = None) -> list[RepoPath]:
        """Return those of a listing's paths that are wanted.

        Patterns work as those of ``huggingface_hub.snapshot_download``: ``*`` crosses slashes, a final slash means all
        below. Raises MirrorError when a file of ``files`` is not among the paths, no path matches, or one that is
        wanted is among those that are ``refused`` (name -> why).
        """
        available = sorted(paths)
        for name, why in (refused or {}).items():
            if name in self.files if self.files is not None else self._allows(name):
                raise MirrorError(f"{self} lists a file that can't be mirrored: {why}; exclude it with ignore_patterns")
        if not available:
            raise MirrorError(f"{self} has no files on the Hub")
        if self.files is not None:
            missing = sorted(set(self.files).difference(available))
            if missing:
                raise MirrorError(f"the Hub has no {', '.join(missing)} in {self}")
            return list(self.files)
        found = [path for path in available if self._allows(path)]
        if not found:
            patterns = ", ".join(self.allow_patterns or ("*",))
            raise MirrorError(f"nothing in {self} matches {patterns}")
        return found

    def to_judge(self, paths: Iterable[RepoPath]) -> list[RepoPath]:
        """Return those of a listing's paths that are wanted and whose contents are to be looked into."""
        if self.formats == "any":
            return []
        return [path for path in self.select(paths) if not _matches(path, self.formats_allow or ())]

    def _allows(self, path: str) -> bool:
        allowed = self.allow_patterns is None or _matches(path, self.allow_patterns)
        return allowed and not _matches(path, self.ignore_patterns or ())


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, f"{pattern}*" if pattern.endswith("/") else pattern) for pattern in patterns)


def substance(paths: Iterable[str]) -> set[str]:
    """Return the paths without those that only describe a repository."""
    return set(paths).difference(_ACCESSORIES)
