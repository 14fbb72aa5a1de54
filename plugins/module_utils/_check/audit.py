# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the access log tells: who fetched what and when, and what was asked for and not found. Pure."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .._base.clock import stamp
from .._base.errors import MirrorError
from .._base.names import NameProblem, Ref, RepoPath, shown
from .._plan.facts import Repo, repo_name
from .access_log import Request

#: Requests of one client for one file are one download if each begins so many seconds after the end of those before it.
GAP = 600
#: For so many seconds more a download waits for a request that began in time and is not in the log before it ended.
_PATIENCE = 3600

_REPO, _REVISION, _ENTRY = "RepoNotFound", "RevisionNotFound", "EntryNotFound"
_AGO = re.compile(r"([0-9]{1,6})([dhm])")
_SECONDS = {"d": 86400, "h": 3600, "m": 60}


class TimeError(MirrorError):
    """What was given is no time."""


def moment(text: str, now: float) -> float:
    """Return the seconds since 1970 of ``3d``, ``12h``, ``30m`` (ago) or an ISO 8601 time, UTC where it doesn't say."""
    ago = _AGO.fullmatch(text)
    if ago:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        time = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
        return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()
    except ValueError:
        raise TimeError(f"{shown(text)} is no time: write 3d, 12h, 2026-11-25 or 2026-11-25T02:00:00Z") from None


@dataclass(frozen=True)
class Filter:
    """Which requests count: those that ended at ``since`` or later and before ``until``. None lets all pass.

    ``commit`` is the beginning of one.
    """

    repo_id: str | None = None
    repo_type: str | None = None
    commit: str | None = None
    user: str | None = None
    client: str | None = None
    since: float | None = None
    until: float | None = None

    def __call__(self, request: Request) -> bool:
        """Say whether a request counts."""
        return (
            self.repo_id in (None, request.repo_id)
            and self.repo_type in (None, request.repo_type)
            and (self.commit is None or request.commit.startswith(self.commit))
            and self.user in (None, request.user)
            and self.client in (None, request.client)
            and (self.since is None or request.ended >= self.since)
            and (self.until is None or request.ended < self.until)
        )


@dataclass(eq=False)
class Download:
    """What a client fetched of a file, in how many requests. ``request`` is one of them, for the names.

    ``first`` and ``last``, its beginning and end, are in seconds since 1970.
    """

    request: Request
    first: float
    last: float
    bytes: int = 0
    requests: int = 0

    @property
    def key(self) -> tuple[str, ...]:
        """What all its requests have in common."""
        one = self.request
        return (one.client, one.user, one.repo_type, one.repo_id, one.commit, one.view, one.path)

    @property
    def source(self) -> str:
        """The repository, or the view, as people read it."""
        one = self.request
        return f"view {one.view}" if one.view else repo_name(one.repo_type, one.repo_id)

    def add(self, request: Request) -> None:
        """Count a request."""
        self.first, self.last = min(self.first, request.began), max(self.last, request.ended)
        self.bytes += request.bytes
        self.requests += 1

    def to_json(self) -> dict[str, Any]:
        """Return what a program reads."""
        names = ("client", "user", "repo_type", "repo_id", "commit", "view", "path")
        return {
            "first": stamp(self.first),
            "last": stamp(self.last),
            **dict(zip(names, self.key)),
            "bytes": self.bytes,
            "requests": self.requests,
        }


def downloads(requests: Iterable[Request]) -> Iterator[Download]:
    """Put requests that brought bytes of files together; yield the download that ended first as the first one.

    Requests come as they ended. Only downloads that may still grow are held.
    """
    current: dict[tuple[str, ...], Download] = {}
    by_end: OrderedDict[Download, None] = OrderedDict()
    for request in requests:
        if request.method != "GET" or request.status not in (200, 206) or not request.path:
            continue
        while by_end and _first(by_end).last + GAP + _PATIENCE < request.ended:
            download = by_end.popitem(last=False)[0]
            if current.get(download.key) is download:
                del current[download.key]
            yield download
        new = Download(request, request.began, request.ended)
        download = current.get(new.key, new)
        if request.began > download.last + GAP:
            download = new
        current[new.key] = download
        download.add(request)
        by_end[download] = None
        by_end.move_to_end(download)
    yield from by_end


def _first(by_end: OrderedDict[Download, None]) -> Download:
    return next(iter(by_end))


#: What downloads can be counted by: the key of one, as people read it.
KEYS: dict[str, Callable[[Download], str]] = {
    "user": lambda one: one.request.user,
    "client": lambda one: one.request.client,
    "repo": lambda one: one.source,
    "commit": lambda one: f"{one.source}@{one.request.commit}" if one.request.commit else one.source,
    "file": lambda one: f"{one.source} {one.request.path}",
}


@dataclass
class Group:
    """Downloads with one key. ``first`` and ``last`` are in seconds since 1970; users without a name don't count."""

    key: str
    downloads: int = 0
    bytes: int = 0
    users: set[str] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)
    first: float = float("inf")
    last: float = 0.0

    def add(self, download: Download) -> None:
        """Count a download."""
        self.downloads += 1
        self.bytes += download.bytes
        if download.request.user:
            self.users.add(download.request.user)
        self.clients.add(download.request.client)
        self.first, self.last = min(self.first, download.first), max(self.last, download.last)

    def to_json(self) -> dict[str, Any]:
        """Return what a program reads."""
        return {
            "key": self.key,
            "downloads": self.downloads,
            "bytes": self.bytes,
            "users": len(self.users),
            "clients": len(self.clients),
            "first": stamp(self.first),
            "last": stamp(self.last),
        }


def grouped(found: Iterable[Download], by: str) -> list[Group]:
    """Count downloads by one of ``KEYS``, the one that was fetched last at the end."""
    groups: dict[str, Group] = {}
    for download in found:
        key = KEYS[by](download)
        groups.setdefault(key, Group(key)).add(download)
    return sorted(groups.values(), key=lambda group: (group.last, group.key))


@dataclass
class Missing:
    """What was asked for and not found. ``error`` is the last answer, ``last`` its time in seconds since 1970."""

    error: str = ""
    requests: int = 0
    clients: set[str] = field(default_factory=set)
    last: float = 0.0

    def add(self, request: Request) -> None:
        """Count a request."""
        self.requests += 1
        self.clients.add(request.client)
        if request.ended >= self.last:
            self.last, self.error = request.ended, request.error

    def to_json(self) -> dict[str, Any]:
        """Return what a program reads."""
        counts = {"requests": self.requests, "clients": len(self.clients), "last": stamp(self.last)}
        return {"error": self.error, **counts}


@dataclass
class MissingRepo(Missing):
    """The same for all of a repository; ``items`` are its revisions and files; a path may be empty."""

    items: dict[tuple[str, str], Missing] = field(default_factory=dict)

    def files(self, revision: str) -> list[str] | None:
        """Return the files that a revision lacks; None where it is the revision, or the repository, that lacks."""
        asked = [(path, item) for (name, path), item in self.items.items() if name == revision]
        latest = max((item for _path, item in asked), key=lambda item: item.last)
        if self.error == _REPO or latest.error != _ENTRY:
            return None
        return sorted(path for path, item in asked if path and item.error == _ENTRY)


@dataclass(frozen=True)
class NotFound:
    """All that was asked for and not found. ``left_out`` counts requests for what can't be there by its name."""

    repos: dict[Repo, MissingRepo]
    left_out: int

    def to_json(self) -> list[dict[str, Any]]:
        """Return what a program reads."""
        return [
            {
                "repo_type": repo.repo_type,
                "repo_id": repo.repo_id,
                **missing.to_json(),
                "items": [
                    {"revision": revision, "path": path, **item.to_json()}
                    for (revision, path), item in missing.items.items()
                ],
            }
            for repo, missing in self.repos.items()
        ]

    def entries(self) -> list[dict[str, Any]]:
        """Return entries for a whitelist. To the Hub, letters of either case are one name of a repository."""
        found: dict[tuple[str, str, str], dict[str, Any]] = {}
        for repo, missing in self.repos.items():
            for revision in dict.fromkeys(revision for revision, _path in missing.items):
                files = missing.files(revision)
                if files == []:
                    continue
                new = _entry(repo, revision, files or [])
                known = found.setdefault((repo.repo_type, repo.repo_id.lower(), revision), new)
                if "files" in known and "files" in new:
                    known["files"] = sorted({*known["files"], *new["files"]})
                else:
                    known.pop("files", None)
        return list(found.values())


def not_found(requests: Iterable[Request]) -> NotFound:
    """Count what was asked for and not found, the most wanted first."""
    repos: dict[Repo, MissingRepo] = {}
    left_out = 0
    for request in requests:
        if request.status not in (404, 302) or request.error not in (_REPO, _REVISION, _ENTRY):
            continue
        revision = request.ref or request.commit or "main"
        try:  # what clients ask for is anybody's words
            repo = Repo(request.repo_type, request.repo_id)
            Ref(revision), RepoPath(request.path or "-")
        except NameProblem:
            left_out += 1
            continue
        known = repos.setdefault(repo, MissingRepo())
        known.add(request)
        known.items.setdefault((revision, request.path), Missing()).add(request)
    for missing in repos.values():
        missing.items = dict(sorted(missing.items.items(), key=lambda item: (-item[1].requests, item[0])))
    return NotFound(dict(sorted(repos.items(), key=lambda item: (-item[1].requests, str(item[0])))), left_out)


def _entry(repo: Repo, revision: str, files: list[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"repo_id": repo.repo_id}
    if repo.repo_type != "model":
        entry["repo_type"] = repo.repo_type
    if revision != "main":
        entry["revision"] = revision
    if files:
        entry["files"] = files
    return entry
