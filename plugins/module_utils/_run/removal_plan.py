# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to leave the store: what a person names, or what the whitelist does not name any more. Never by surprise."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .._base.errors import MirrorError
from .._base.names import Ref, shown
from .._plan.facts import Repo
from .._plan.plan import Plan, Removal, RepoPlan
from .._plan.retention import foreseen, roots
from .._plan.wanted import Wanted
from .._store.store import Store
from .._store.views import Views


class MaxDeleteError(MirrorError):
    """More would be removed than one run may."""


def named(store: Store, wanted: Iterable[Wanted]) -> Removal:
    """Return the removal of the named revisions; a repository none of whose refs is left goes as a whole."""
    repos: list[Repo] = []
    refs: list[tuple[Repo, Ref]] = []
    by_repo: dict[Repo, set[Ref]] = {}
    for one in wanted:
        by_repo.setdefault(one.repo, set()).add(one.revision)
    for repo, revisions in by_repo.items():
        known = _revisions(store, repo)
        if store.repository(repo).folder.is_dir() and known <= revisions:
            repos.append(repo)
        else:
            refs += [(repo, ref) for ref in sorted(known & revisions)]
    return Removal(tuple(repos), tuple(refs), is_named=True)


def surplus(store: Store, wanted: Iterable[Wanted], max_delete: str, plan: Plan) -> Removal:
    """Return the removal of all that the whitelist does not name.

    ``max_delete`` is a number of repositories (``3``) or a share of them and of their bytes (``10%``); what the
    ``plan`` drops from listings counts, too. Raises MaxDeleteError where more would go.
    """
    entries = list(wanted)
    if not entries:
        raise MaxDeleteError(
            "the whitelist is empty, so nothing was removed. To remove repositories by name, use state absent"
        )
    kept: dict[Repo, set[Ref]] = {}
    for one in entries:
        kept.setdefault(one.repo, set()).add(one.revision)
    present = [repository.repo for repository in store.repositories()]
    repos = tuple(repo for repo in present if repo not in kept)
    refs = tuple((repo, ref) for repo, revisions in kept.items() for ref in sorted(_revisions(store, repo) - revisions))
    views = tuple(sorted(set(Views(store).names()) - {view for one in entries for view in one.views}))
    files = [commit.listing.files[path].size for one in plan.repos for commit in one.commits for path in commit.dropped]
    _limit(store, Removal(repos, refs, views), entries, sum(files), max_delete)
    return Removal(repos, refs, views)


def _revisions(store: Store, repo: Repo) -> set[Ref]:
    """Return what can be taken away: refs, pending ones, too, and commits that were listed by their ids."""
    repository = store.repository(repo)
    try:
        facts = repository.facts()
    except MirrorError:  # told by who plans for it
        return set(repository.refs())
    return {*facts.refs, *facts.pending, *map(Ref, facts.listed)}


def _limit(store: Store, removal: Removal, kept: list[Wanted], dropped: int, max_delete: str) -> None:
    match = re.fullmatch(r"(\d+)(%?)", max_delete)
    if not match:
        raise MirrorError(f"max_delete is {shown(max_delete)}, it must be a number of repositories or a share like 10%")
    allowed, going = int(match[1]), removal.repos
    present = [repository.repo for repository in store.repositories()]
    if match[2]:
        total = sum(_size(store, repo) for repo in present)
        gone = dropped + sum(_size(store, repo) for repo in going)
        gone += sum(_size_of_refs(store, repo, removal, kept) for repo in {repo for repo, _ref in removal.refs})
        if len(going) * 100 <= allowed * len(present) and gone * 100 <= allowed * total:
            return
    elif len(going) <= allowed:
        return
    names = [*map(str, going), *(f"{repo}@{revision}" for repo, revision in removal.refs)]
    what = f"{len(going)} of {len(present)} repositories" if going else "too many bytes"
    listed = f" ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""
    raise MaxDeleteError(f"{what} would be removed{listed}, max_delete allows {max_delete}: nothing was removed")


def _size(store: Store, repo: Repo) -> int:
    return sum(blob.stat().st_size for blob in (store.repository(repo).folder / "blobs").glob("*"))


def _size_of_refs(store: Store, repo: Repo, removal: Removal, kept: list[Wanted]) -> int:
    """Return the bytes that nothing of a repository names any more once its refs that go are gone, all together."""
    try:
        facts = store.repository(repo).facts()
    except MirrorError:  # it can't be taken away
        return 0
    entries = [one for one in kept if one.repo == repo]
    stays = roots(foreseen(facts, RepoPlan(repo), removal), entries)
    named = {etag for commit in stays for etag in facts.snapshots.get(commit, {}).values()}
    gone = roots(facts, entries) - stays
    etags = {etag for commit in gone for etag in facts.snapshots.get(commit, {}).values()} - named
    return store.pool.size(etags)
