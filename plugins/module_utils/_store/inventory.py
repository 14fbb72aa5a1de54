# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a store has, repository by repository: refs with their versions, commits and why they stay. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._base.errors import MirrorError
from .._base.names import Commit, Ref
from .._plan.facts import Repo, RepoFacts
from .history import Entry
from .repository import Repository
from .store import Store


def inventory(store: Store) -> list[dict[str, Any]]:
    """Return an item for each repository, as ``mirror_info`` describes it."""
    age = store.ledger.state().age_at(store.clock.now())
    found = []
    for repository in store.repositories():
        try:
            facts, history = repository.facts(), repository.history()
            refs = [_ref(facts, ref, history.get(ref, [])) for ref in sorted({*facts.refs, *facts.pending})]
            found.append(_item(repository.repo, refs, list(_commits(repository, facts, age))))
        except MirrorError as problem:
            found.append(_item(repository.repo, [], [], str(problem)))
    return found


def retired(facts: RepoFacts) -> dict[Commit, float]:
    """Return the retired commits with the ages at which they were; what a person named since then is none."""
    named = {*facts.refs.values(), *facts.pins}
    return {commit: since for commit, since in facts.retired.items() if commit not in named}


def last_run(store: Store) -> dict[str, Any] | None:
    """Return the record of the last sync that came to its end: what failed says why."""
    runs = (one for one in store.ledger.records(newest_first=True) if one["kind"] == "run" and "failed" in one)
    record = next(runs, None)
    if record is None:
        return None
    kept = ("run", "time", "actor", "duration", "succeeded", "unchanged", "fetched_bytes")
    failed = {name: message for name, (message, _cause) in record["failed"].items()}
    return {**{key: record.get(key) for key in kept}, "failed": failed}


def _item(repo: Repo, refs: list[Any], commits: list[Any], problem: str | None = None) -> dict[str, Any]:
    about = {"repo_type": repo.repo_type, "repo_id": repo.repo_id}
    return {**about, "refs": refs, "commits": commits, "problem": problem}


def _ref(facts: RepoFacts, ref: Ref, history: list[Entry]) -> dict[str, Any]:
    versions = [
        {
            "serial": entry["serial"],
            "commit": entry["commit"] or None,
            "time": entry["time"],
            "actor": entry["actor"],
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


def _commits(repository: Repository, facts: RepoFacts, age: float) -> Iterator[dict[str, Any]]:
    gone = retired(facts)
    for commit in sorted(facts.snapshots):
        sizes = [size for _etag, size in repository.files(commit).values()]
        since = gone.get(commit)
        yield {
            "commit": commit,
            "files": len(sizes),
            "bytes": sum(sizes),
            "refs": sorted(ref for ref, named in facts.refs.items() if named == commit),
            "pinned": commit in facts.pins,
            "listed": commit in facts.listed,
            "retired_hours": None if since is None else round(max(age - since, 0) / 3600, 1),
        }
