# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seal a commit and say so in the ledger, whoever brought its files."""

from __future__ import annotations

from typing import Any

from .._base.clock import stamp
from .._base.errors import MirrorError
from .._base.names import RepoPath
from .._plan.facts import Listing
from .._plan.plan import check_same
from .._store.purged import read_purged
from .._store.repository import Repository
from .._store.store import Store
from .._store.view_update import gate


def seal(
    store: Store,
    repository: Repository,
    listing: Listing,
    paths: tuple[RepoPath, ...],
    about: dict[str, Any],
    second_hand: bool | None = None,
) -> None:
    """Make a commit complete with just these paths. The repository's lock must be held; ``about`` is for the ledger.

    Where the Hub gates it, all that is here of the repository is gated before, and is in no view any more. What the
    peer told (``second_hand``) is marked, so that a sync compares it with the Hub's; what the Hub says now (False) is
    not any more; where the listing is that of before (None) its mark stays as it is.

    Raises PurgedError where one of them was taken down, be it while it came in.
    """
    commit = listing.commit
    purged = read_purged(store)
    purged.check_repo(repository.repo)
    for etag, path in {listing.files[path].etag: path for path in paths}.items():
        if purged.has(etag):
            store.pool.forget_orphan(f"pool/{etag}")
        purged.check_content(etag, f"{path} of {repository.repo}@{commit[:12]}")
    facts = repository.facts()
    present = facts.snapshots.get(commit, {})
    check_same(repository.repo, listing, present)
    if listing.is_gated:
        gate(store, repository)
    if set(present).difference(paths):
        # noted before it is so: the links must go one day, even if this is cut short now
        repository.mark({"narrowed": {commit: {"age": store.ledger.state().age_at(store.clock.now())}}})
    if second_hand:
        actor = str(about.get("actor", ""))
        repository.mark({"second_hand": {commit: {"time": stamp(store.clock.now()), "actor": actor}}})
    try:
        repository.seal(listing, paths)
    except FileNotFoundError as problem:
        raise MirrorError(f"{problem.filename} was removed while in use: run again") from problem
    if commit in facts.second_hand and second_hand is False:
        repository.mark({"second_hand": {commit: None}})
    store.ledger.append("seal", durable=False, **about, commit=commit)
