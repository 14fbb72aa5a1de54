# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told of one repository: refs with their versions, commits and why they stay. JSON, reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

from .._base.names import Commit, Ref
from .._plan.facts import RepoFacts
from .history import Entry
from .repository_reader import RepositoryReader


class Version(TypedDict):
    """A publish of a ref: when, by whom and why.

    ``commit`` is None where the ref was withdrawn; ``here``: the commit can be published.
    """

    serial: int
    commit: str | None
    time: str
    actor: str
    note: str
    rollback: bool
    here: bool


class RefDescription(TypedDict):
    """A ref: the commit it names, the one that waits for approval, whether it stays, its versions, newest first."""

    name: str
    commit: str | None
    pending: str | None
    frozen: bool
    versions: list[Version]


class CommitDescription(TypedDict):
    """A sealed commit and what keeps it. ``retired_age``: the store's age in seconds when nothing named it any more."""

    commit: str
    files: int
    bytes: int
    refs: list[str]
    pinned: bool
    listed: bool
    retired_age: float | None


class Description(TypedDict):
    """A repository. ``tags`` and ``license`` are of its card, at the commit that main names or at any other."""

    gated: bool
    license: str | None
    tags: list[str]
    refs: list[RefDescription]
    commits: list[CommitDescription]


def describe_repository(repository: RepositoryReader) -> Description:
    """Read it. Raises RepositoryError where something of it can't be read."""
    facts, history = repository.facts(), repository.history()
    names = sorted({*facts.refs, *facts.pending})
    tags = _tags(repository, facts)
    return {
        "gated": repository.is_gated,
        "license": next((tag.partition(":")[2] for tag in tags if tag.startswith("license:")), None),
        "tags": tags,
        "refs": [_ref(facts, ref, history.get(ref, [])) for ref in names],
        "commits": list(_commits(repository, facts)),
    }


def _tags(repository: RepositoryReader, facts: RepoFacts) -> list[str]:
    named = dict(sorted(facts.refs.items(), key=lambda one: one[0] != "main"))
    commits = [*named.values(), *facts.snapshots]
    tags = repository.info(commits[0]).get("tags") if commits else None
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _ref(facts: RepoFacts, ref: Ref, history: Sequence[Entry]) -> RefDescription:
    versions: list[Version] = [
        {
            "serial": entry["serial"],
            "commit": entry["commit"] or None,
            "time": entry["time"],
            "actor": entry["actor"],
            "note": entry.get("note", ""),
            "rollback": bool(entry.get("rollback")),
            "here": entry["commit"] in facts.snapshots,
        }
        for entry in reversed(history)
    ]
    return {
        "name": ref,
        "commit": facts.refs.get(ref),
        "pending": facts.pending.get(ref),
        "frozen": ref in facts.frozen,
        "versions": versions,
    }


def _commits(repository: RepositoryReader, facts: RepoFacts) -> Iterator[CommitDescription]:
    retired = _retired(facts)
    for commit in sorted(facts.snapshots):
        sizes = [size for _etag, size in repository.files(commit).values()]
        yield {
            "commit": commit,
            "files": len(sizes),
            "bytes": sum(sizes),
            "refs": sorted(ref for ref, named in facts.refs.items() if named == commit),
            "pinned": commit in facts.pins,
            "listed": commit in facts.listed,
            "retired_age": retired.get(commit),
        }


def _retired(facts: RepoFacts) -> dict[Commit, float]:
    """Return the retired commits with the ages at which they were; what a person named since then is none."""
    named = {*facts.refs.values(), *facts.pins}
    return {commit: since for commit, since in facts.retired.items() if commit not in named}
