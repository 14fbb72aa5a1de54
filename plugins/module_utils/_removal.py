# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to leave the store: what a person names, or what the whitelist does not name any more. Never by surprise."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ._errors import MirrorError
from ._facts import Repo
from ._plan import Removal
from ._store import Store
from ._survey import repo_of
from ._views import Views
from ._wanted import Wanted


class MaxDeleteError(MirrorError):
    """More would be removed than one run may."""


def named(store: Store, wanted: Iterable[Wanted]) -> Removal:
    """Return the removal of the named revisions; a repository none of whose refs is left goes as a whole."""
    repos: list[Repo] = []
    refs: list[tuple[Repo, str]] = []
    by_repo: dict[Repo, set[str]] = {}
    for one in wanted:
        by_repo.setdefault(repo_of(one), set()).add(one.revision)
    for repo, revisions in by_repo.items():
        published = set(store.repository(repo).refs())
        if store.repository(repo).folder.is_dir() and published <= revisions:
            repos.append(repo)
        else:
            refs += [(repo, ref) for ref in sorted(published & revisions)]
    return Removal(tuple(repos), tuple(refs))


def surplus(store: Store, wanted: Iterable[Wanted], max_delete: str) -> Removal:
    """Return the removal of all that the whitelist does not name.

    ``max_delete`` is a number of repositories (``3``) or a share of them and of their bytes (``10%``). Raises
    MaxDeleteError where more would go.
    """
    entries = list(wanted)
    kept: dict[Repo, set[str]] = {}
    for one in entries:
        kept.setdefault(repo_of(one), set()).add(one.revision)
    present = [repository.repo for repository in store.repositories()]
    repos = tuple(repo for repo in present if repo not in kept)
    refs = tuple(
        (repo, ref)
        for repo, revisions in kept.items()
        for ref in sorted(set(store.repository(repo).refs()) - revisions)
    )
    views = tuple(sorted(set(Views(store).names()) - {view for one in entries for view in one.views}))
    _limit(store, present, repos, max_delete)
    return Removal(repos, refs, views)


def _limit(store: Store, present: list[Repo], going: tuple[Repo, ...], max_delete: str) -> None:
    match = re.fullmatch(r"(\d+)(%?)", max_delete)
    if not match:
        raise MirrorError(f"max_delete is {max_delete!r}, it must be a number of repositories or a share like 10%")
    allowed = int(match[1])
    if not going or (not match[2] and len(going) <= allowed):
        return
    if match[2]:
        sizes = {repo: _size(store, repo) for repo in present}
        gone, total = sum(sizes[repo] for repo in going), sum(sizes.values())
        if len(going) * 100 <= allowed * len(present) and gone * 100 <= allowed * total:
            return
    raise MaxDeleteError(
        f"{len(going)} of {len(present)} repositories would be removed ({', '.join(map(str, going[:3]))}"
        f"{', ...' if len(going) > 3 else ''}), max_delete allows {max_delete}: nothing was removed"
    )


def _size(store: Store, repo: Repo) -> int:
    return sum(blob.stat().st_size for blob in (store.repository(repo).folder / "blobs").glob("*"))
