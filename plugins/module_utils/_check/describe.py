# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a store has and how it fares: the one description that all who show it are given. Reads the disk alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._base.errors import Besides, MirrorError
from .._base.progress import read
from .._plan.facts import Repo
from .._plan.wanted import Wanted
from .._store.description import CommitDescription, Description, RefDescription
from .._store.ledger import RepoState, State
from .._store.peer_status import read_peers
from .._store.store import Store
from .._store.summary import read_summary
from .scrub_progress import ScrubProgress
from .traffic_count import TrafficCount


@dataclass(frozen=True)
class EntryStatus:
    """One entry of the whitelist, or what the store has besides. ``commit`` is what is published of it.

    ``files`` and ``bytes`` count that commit; ``versions`` the commits that the ref named and that are still here, of
    them so many are ``pinned`` or ``retired``; ``frozen``: it stays where it is. ``last_success`` is in seconds since
    1970; ``failures`` are in a row.
    """

    name: str
    commit: str | None = None
    pending: str | None = None
    files: int = 0
    bytes: int = 0
    versions: int = 0
    pinned: int = 0
    retired: int = 0
    frozen: bool = False
    last_success: float | None = None
    failures: int = 0
    message: str = ""

    @property
    def is_commit(self) -> bool:
        """True where the entry names a commit and not a ref."""
        return self.name.endswith(f"@{self.commit}")


def describe(
    store: Store, wanted: Iterable[Wanted] | None = None, peers: Collection[str] | None = None
) -> dict[str, Any]:
    """Return everything that ``hf-mirror status`` and ``mirror_info`` tell, as the module documents it.

    Without a whitelist every entry of the ledger counts, without ``peers`` every node that was one. A repository that
    can't be read has its ``problem``.
    """
    free, total, inodes = store.fs.free(store.root)
    running, usage, state = store.running(), store.pool.usage(), store.ledger.state()
    found: dict[Repo, Description] = {}
    problems: dict[Repo, str] = {}
    for repository in store.repositories():
        try:
            found[repository.repo] = read_summary(repository).description
        except (MirrorError, OSError) as problem:
            problems[repository.repo] = str(problem)
    now = store.clock.now()
    age = state.age_at(now)
    nothing: Description = {"gated": False, "license": None, "tags": [], "refs": [], "commits": []}
    return {
        "time": now,
        "store": str(store.root),
        "running": {"by": running, "progress": read(store.root / "ledger" / "progress.json")} if running else None,
        "entries": [dataclasses.asdict(entry) for entry in _entries(found, problems, state, wanted)],
        "repos": [
            {
                "repo_type": repo.repo_type,
                "repo_id": repo.repo_id,
                **_shown(found.get(repo, nothing), age),
                "problem": problems.get(repo),
            }
            for repo in sorted([*found, *problems], key=lambda one: one.folder)
        ],
        "last_run": _last_run(store),
        "disk": {"used_bytes": usage.bytes, "free_bytes": free, "total_bytes": total, "free_inodes": inodes},
        "scrub": {"last": ScrubProgress.read(store).last, "rotten": usage.rotten},
        "node": state.node,
        "traffic": TrafficCount.read(store).describe(now),
        "peers": [one.to_json() for one in read_peers(store) if peers is None or one.endpoint in peers],
    }


def _entries(
    found: Mapping[Repo, Description], problems: Mapping[Repo, str], state: State, wanted: Iterable[Wanted] | None
) -> list[EntryStatus]:
    """Return the status of each entry, by name."""
    states = state.repos
    failing = {name for name, one in states.items() if Besides.has(name) and one.failures}
    # what failed besides the entries, and does not any more, is no entry to be shown
    known = {name for name in states if not Besides.has(name)} if wanted is None else set(map(str, wanted))
    names = known | failing
    entries = {name: EntryStatus(name) for name in names}
    for repo, description in found.items():
        for entry in _of_repository(repo, description):
            if entry.name in names or not entry.is_commit:
                entries[entry.name] = entry
    entries.update({str(repo): EntryStatus(str(repo), message=problem) for repo, problem in problems.items()})
    return [_with_state(entries[name], states) for name in sorted(entries)]


def _of_repository(repo: Repo, description: Description) -> Iterator[EntryStatus]:
    """Yield an entry for each ref, and for each sealed commit, which a whitelist may name as well."""
    commits = {one["commit"]: one for one in description["commits"]}
    for ref in description["refs"]:
        here = _versions(ref, commits)
        commit = commits.get(ref["commit"] or "")
        yield EntryStatus(
            f"{repo}@{ref['name']}",
            ref["commit"],
            ref["pending"],
            commit["files"] if commit else 0,
            commit["bytes"] if commit else 0,
            versions=len(here),
            pinned=sum(one["pinned"] for one in here),
            retired=sum(one["retired_age"] is not None for one in here),
            frozen=ref["frozen"],
        )
    for name, commit in commits.items():
        yield EntryStatus(
            f"{repo}@{name}",
            name,
            None,
            commit["files"],
            commit["bytes"],
            versions=1,
            pinned=int(commit["pinned"]),
            retired=int(commit["retired_age"] is not None),
        )


def _versions(ref: RefDescription, commits: Mapping[str, CommitDescription]) -> list[CommitDescription]:
    """Return the commits that are here of those that a ref names or named."""
    names = dict.fromkeys([ref["commit"], *(one["commit"] for one in ref["versions"])])
    return [commits[name] for name in names if name and name in commits]


def _with_state(entry: EntryStatus, states: Mapping[str, RepoState]) -> EntryStatus:
    state = states.get(entry.name)
    if state is None:
        return entry
    return dataclasses.replace(
        entry,
        last_success=state.last_success,
        failures=state.failures,
        message=state.message if state.failures else entry.message,
    )


def _shown(description: Description, age: float) -> dict[str, Any]:
    """Return a description with hours instead of ages, which say nothing outside of a store."""
    commits = []
    for commit in description["commits"]:
        told: dict[str, Any] = dict(commit)
        since = told.pop("retired_age")
        told["retired_hours"] = None if since is None else round(max(age - since, 0) / 3600, 1)
        commits.append(told)
    return {**description, "commits": commits}


def _last_run(store: Store) -> dict[str, Any] | None:
    """Return the record of the last sync that came to its end: what failed says why."""
    runs = (one for one in store.ledger.records(newest_first=True) if one["kind"] == "run" and "failed" in one)
    record = next(runs, None)
    if record is None:
        return None
    kept = ("run", "time", "seconds", "actor", "duration", "succeeded", "unchanged", "fetched_bytes")
    failed = {name: message for name, (message, _cause) in record["failed"].items()}
    return {**{key: record.get(key) for key in kept}, "failed": failed}
