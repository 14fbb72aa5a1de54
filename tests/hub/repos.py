# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repositories of a built contents folder, where their refs point, and what has become of them since.

``repos.json`` is the whole database; ``blobs/<sha256>`` holds every content once. What is changed on command lives in
memory, contents that are new in a scratch folder: ``reload`` forgets it all.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FORMAT = 1
#: How the Hub writes a repository type in URLs.
PLURAL = {"model": "models", "dataset": "datasets", "space": "spaces"}


class Refused(Exception):
    """The Hub does not answer; ``code`` is what it says in X-Error-Code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class NotFound(Refused):
    """The Hub has no such thing."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(404, code, message)


class Renamed(Exception):
    """A repository has another id now."""

    def __init__(self, repo_id: str) -> None:
        super().__init__(f"the repository is {repo_id} now")
        self.repo_id = repo_id


@dataclass(frozen=True)
class File:
    """One file of one commit. ``oid`` is the Git blob id (of the pointer, for LFS); ``lfs`` the SHA-256 or None."""

    size: int
    oid: str
    blob: str
    lfs: str | None = None

    @property
    def etag(self) -> str:
        """What the Hub declares for a file: SHA-256 for LFS, the Git blob SHA-1 otherwise."""
        return self.lfs or self.oid


@dataclass(frozen=True)
class Commit:
    """A whole listing at one moment."""

    id: str
    parent: str | None
    time: int
    title: str
    files: dict[str, File]

    @property
    def date(self) -> str:
        """The commit's time as the Hub writes it."""
        return datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@dataclass(frozen=True)
class Access:
    """Who may read a repository: the holder of ``token``. ``mode`` is ``gated`` or ``private``."""

    mode: str
    token: str


@dataclass
class Repo:
    """A repository: ordered commits, refs by their full name, and what its card says."""

    repo_type: str
    repo_id: str
    commits: list[Commit]
    refs: dict[str, str]
    tags: list[str] = field(default_factory=list)
    pipeline_tag: str | None = None
    library_name: str | None = None
    sdk: str | None = None
    access: Access | None = None

    @property
    def main(self) -> Commit:
        """The commit that ``main`` points at."""
        return self.commit("main")

    def commit(self, revision: str) -> Commit:
        """Return the commit that a branch, a tag, a full ref name or a commit id stands for."""
        target = revision
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if name in self.refs:
                target = self.refs[name]
                break
        for commit in self.commits:
            if commit.id == target:
                return commit
        raise NotFound("RevisionNotFound", f"Invalid rev id: {revision}")


def _read_repo(entry: dict[str, Any]) -> Repo:
    commits = [
        Commit(**{**commit, "files": {path: File(**file) for path, file in commit["files"].items()}})
        for commit in entry["commits"]
    ]
    return Repo(**{**entry, "commits": commits})


@dataclass
class Move:
    """A ref that is to point elsewhere after some more requests."""

    repo: Repo
    ref: str
    commit: str
    requests: int


class Library:
    """All repositories of one contents folder. They can be changed; nothing of that is written back."""

    def __init__(self, root: Path, scratch: Path | None = None) -> None:
        self.root, self.scratch = root, scratch
        self.repos: dict[tuple[str, str], Repo] = {}
        self.reload()

    def reload(self) -> None:
        """Read repos.json again: every repository is as it was built."""
        document = json.loads((self.root / "repos.json").read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"{self.root}/repos.json has format {document['format']}, not {FORMAT}: build it again")
        self.repos = {(repo.repo_type, repo.repo_id): repo for repo in map(_read_repo, document["repos"])}
        self._renamed: dict[tuple[str, str], str] = {}
        self._moves: list[Move] = []

    def repo(self, repo_type: str, repo_id: str) -> Repo:
        """Return a repository or say, as the Hub does, that there is none or that it is elsewhere."""
        if (repo_type, repo_id) in self._renamed:
            raise Renamed(self._renamed[repo_type, repo_id])
        try:
            return self.repos[repo_type, repo_id]
        except KeyError:
            raise NotFound("RepoNotFound", "Repository not found") from None

    def add(self, repo: Repo) -> None:
        """Take a repository in; its id must be free (an id that was renamed away is)."""
        key = repo.repo_type, repo.repo_id
        if key in self.repos:
            raise ValueError(f"there is a {repo.repo_type} {repo.repo_id} already")
        self._renamed.pop(key, None)
        self.repos[key] = repo

    def rename(self, repo: Repo, repo_id: str) -> None:
        """Give a repository another id. The old one leads there."""
        old = repo.repo_type, repo.repo_id
        self.add(dataclasses.replace(repo, repo_id=repo_id))
        del self.repos[old]
        self._renamed[old] = repo_id

    def delete(self, repo: Repo) -> None:
        """Forget a repository."""
        del self.repos[repo.repo_type, repo.repo_id]

    def move_later(self, move: Move) -> None:
        """Move a ref when so many requests more have come in."""
        self._moves.append(move)

    def count_request(self) -> None:
        """Take note of a request before it is looked at, and move what was waiting for it."""
        for move in self._moves:
            if move.requests == 0:
                move.repo.refs[move.ref] = move.commit
            move.requests -= 1

    def blob(self, file: File) -> Path:
        """Return where a file's bytes are."""
        built = self.root / "blobs" / file.blob
        return built if self.scratch is None or built.exists() else self.scratch / file.blob


def to_json(repos: list[Repo], recipe: str) -> str:
    """Return the text of repos.json."""
    document = {"format": FORMAT, "recipe": recipe, "repos": [dataclasses.asdict(repo) for repo in repos]}
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
