# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning: wanted + facts -> actions. Pure: the same function serves check mode and a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Union

from ._errors import MirrorError
from ._facts import File, Listing, Repo
from ._whitelist import Wanted

#: A listing, or why there is none.
Upstream = Union[Listing, MirrorError]


@dataclass(frozen=True)
class RepoFacts:
    """What the store has of a repository: ref -> commit, and commit -> path -> etag."""

    refs: Mapping[str, str] = field(default_factory=dict)
    snapshots: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fetch:
    """Bring a file of a commit into the pool."""

    repo: Repo
    commit: str
    path: str
    file: File


@dataclass(frozen=True)
class Seal:
    """Make a commit complete by name: links to these files and the documents about them."""

    repo: Repo
    listing: Listing
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Publish:
    """Let a ref name another commit; ``old`` is what it must still name then."""

    repo: Repo
    ref: str
    old: str | None
    new: str


@dataclass
class RepoPlan:
    """The actions for one repository, in their order; ``failures`` names entries that can't be had."""

    repo: Repo
    fetches: list[Fetch] = field(default_factory=list)
    seals: list[Seal] = field(default_factory=list)
    publishes: list[Publish] = field(default_factory=list)
    failures: dict[Wanted, str] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """True when there is anything to do."""
        return bool(self.fetches or self.seals or self.publishes)


def plan_repo(repo: Repo, upstream: Mapping[Wanted, Upstream], facts: RepoFacts, pool: Iterable[str]) -> RepoPlan:
    """Plan one repository from its whitelist entries and what the Hub answered for each.

    Several entries may mean one commit: their files are joined. A snapshot only grows. ``pool`` holds the etags that
    need no fetching.
    """
    plan = RepoPlan(repo)
    listings: dict[str, Listing] = {}
    selected: dict[str, set[str]] = {}
    targets: dict[str, str] = {}
    for wanted, answer in upstream.items():
        try:
            if isinstance(answer, MirrorError):
                raise answer
            paths = wanted.select(answer.files)
        except MirrorError as problem:
            plan.failures[wanted] = str(problem)
            continue
        listings[answer.commit] = answer
        selected.setdefault(answer.commit, set()).update(paths)
        if not wanted.is_commit:
            targets[wanted.revision] = answer.commit
    have = set(pool)
    for commit, listing in listings.items():
        present = facts.snapshots.get(commit)
        union = selected[commit] | set(present or ())
        if present is not None and union == set(present):
            continue
        for path in sorted(union):
            file = listing.files[path]
            if file.etag not in have:
                plan.fetches.append(Fetch(repo, commit, path, file))
                have.add(file.etag)
        plan.seals.append(Seal(repo, listing, tuple(sorted(union))))
    for ref, commit in targets.items():
        if facts.refs.get(ref) != commit:
            plan.publishes.append(Publish(repo, ref, facts.refs.get(ref), commit))
    return plan


def plan_views(published: Mapping[Wanted, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return view -> file name -> etag from what each entry has published (path -> etag).

    Raises MirrorError when two different files of one name meet in a view.
    """
    views: dict[str, dict[str, str]] = {}
    origin: dict[tuple[str, str], Wanted] = {}
    for wanted, files in published.items():
        for view in wanted.views:
            folder = views.setdefault(view, {})
            for path, etag in sorted(files.items()):
                name = path.rpartition("/")[2]
                if folder.setdefault(name, etag) != etag:
                    other = origin[view, name]
                    raise MirrorError(f"view {view}: {wanted} and {other} both have a file named {name}")
                origin[view, name] = wanted
    return views
