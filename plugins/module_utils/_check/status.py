# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the store fares: for each entry what is published, when it last succeeded, what fails. Reads the disk alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._base.errors import Besides, MirrorError
from .._base.names import Ref
from .._base.progress import read
from .._plan.wanted import Wanted
from .._store.inventory import retired
from .._store.ledger import RepoState
from .._store.repository import Repository
from .._store.store import Store
from .scrub import contents
from .scrub_progress import ScrubProgress


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


def status(store: Store, wanted: Iterable[Wanted] | None) -> dict[str, Any]:
    """Return everything that ``hf-mirror status`` shows. Without a whitelist every entry of the ledger counts."""
    free, total, _inodes = store.fs.free(store.root)
    running = store.running()
    return {
        "store": str(store.root),
        "running": {"by": running, "progress": read(store.root / "ledger" / "progress.json")} if running else None,
        "entries": [dataclasses.asdict(entry) for entry in entries(store, wanted)],
        "disk": {
            "used_bytes": store.pool.used(),
            "free_bytes": free,
            "total_bytes": total,
        },
        "scrub": {
            "last": ScrubProgress.read(store).last,
            "rotten": sum(content.is_rotten for content in contents(store)),
        },
        "node": store.ledger.state().node,
    }


def entries(store: Store, wanted: Iterable[Wanted] | None) -> list[EntryStatus]:
    """Return the status of each entry, by name."""
    states = store.ledger.state().repos
    failing = {name for name, state in states.items() if Besides.has(name) and state.failures}
    # what failed besides the entries, and does not any more, is no entry to be shown
    known = {name for name in states if not Besides.has(name)} if wanted is None else set(map(str, wanted))
    names = known | failing
    found = {name: EntryStatus(name) for name in names}
    for repository in store.repositories():
        try:
            for entry in _of_repository(store, repository):
                if entry.name in names or not entry.is_commit:
                    found[entry.name] = entry
        except MirrorError as problem:
            found[str(repository.repo)] = EntryStatus(str(repository.repo), message=str(problem))
    return [_with_state(found[name], states) for name in sorted(found)]


def _of_repository(store: Store, repository: Repository) -> Iterator[EntryStatus]:
    """Yield an entry for each ref, and for each sealed commit, which a whitelist may name as well."""
    facts = repository.facts()
    by_name = {Ref(commit): commit for commit in facts.snapshots}
    for ref in {*facts.refs, *facts.pending, *by_name}:
        name = str(Wanted(repository.repo.repo_id, repository.repo.repo_type, ref))
        commit = by_name.get(ref) or facts.refs.get(ref)
        etags = facts.snapshots.get(commit, {}).values() if commit else ()
        size = store.pool.size(etags)
        known = {commit, *facts.history.get(ref, ())} & facts.snapshots.keys()
        yield EntryStatus(
            name,
            commit,
            facts.pending.get(ref),
            len(etags),
            size,
            versions=len(known),
            pinned=len(known & facts.pins),
            retired=len(known & retired(facts).keys()),
            frozen=ref in facts.frozen,
        )


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
