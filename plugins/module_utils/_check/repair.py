# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repair a rotten content: fetch it anew, verify it, and let it take over all names of the rotten one.

It needs no run lock, a sync may go on: what is fetched here has a name of its own in ``staging``, and names are
replaced under locks that are held for milliseconds (``_store.inode``).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from .._base.clock import StoppedError
from .._base.errors import MirrorError
from .._fetch.fetch import DiskFullError
from .._fetch.fetchers import Fetchers
from .._plan.facts import Repo
from .._plan.plan import Fetch
from .._store.inode import ContentNames, Inode
from .._store.repository import Repository
from .._store.store import Store

#: What a content is called while it is fetched again. The parts of a sync are its own.
_AGAIN = ".again"


class Repair:
    """Repairs of one store.

    ``tokens`` has the name of the token that opens a repository. ``reserve`` is
    the share of the disk, in percent, that stays free.
    """

    def __init__(self, store: Store, fetchers: Fetchers, tokens: Mapping[Repo, str | None], reserve: int) -> None:
        self._store, self._fetchers, self._tokens, self._reserve = store, fetchers, tokens, reserve
        self._names = ContentNames(store.root, store.fs)

    def finish(self) -> None:
        """Do the rest of repairs that were cut short."""
        self._names.finish()

    def tidy(self, rotten: Collection[str]) -> None:
        """Remove what was fetched for contents that are not ``rotten`` any more: a sync repaired them."""
        for again in sorted(self._store.staging.glob(f"*{_AGAIN}")):
            if again.stem not in rotten:
                self._store.fs.unlink(again)

    def discard(self, rotten: Inode) -> bool:
        """Remove a rotten content if no repository and no view has it, and say whether it did."""
        return self._names.discard(rotten)

    def repair(self, rotten: Inode) -> Fetch:
        """Replace a rotten content, and return what it was fetched as. Raises MirrorError where it can't be had."""
        again = self._store.staging / f"{rotten.etag}{_AGAIN}"
        if again.exists() and not again.stat().st_mode & 0o200:  # whole, and killed before it got its names
            self._store.pool.thaw(again)
        came = self._fetch(rotten.etag, again)
        self._store.pool.freeze(again)
        left = self._names.take_over(again, rotten)
        if left:
            raise MirrorError(
                f"the store is sound again, but {left} names of the rotten file are not the store's:"
                f" find them with find -inum {rotten.number}"
            )
        return came

    def _fetch(self, etag: str, again: Path) -> Fetch:
        """Fetch a content from whoever has it first."""
        problems: list[str] = []
        for action in self._actions(etag):
            self._check_room(action)
            try:
                self._fetchers.fetch(action, again)
            except (StoppedError, DiskFullError):
                raise
            except MirrorError as problem:
                problems.append(str(problem))
            else:
                return action
        raise MirrorError("; ".join(dict.fromkeys(problems)) or "no listing tells where it came from")

    def _actions(self, etag: str) -> Iterator[Fetch]:
        """Yield as what a content can be asked for: first of all, as what is published."""
        for repository in self._store.repositories():
            if os.path.lexists(repository.folder / "blobs" / etag):
                yield from self._of_repository(repository, etag)

    def _of_repository(self, repository: Repository, etag: str) -> Iterator[Fetch]:
        repo = repository.repo
        with contextlib.suppress(MirrorError):  # hf-mirror fsck tells how to mend it
            facts = repository.facts()
            for commit in dict.fromkeys([*facts.refs.values(), *sorted(facts.snapshots)]):
                listing = repository.upstream(commit)
                for path, file in listing.files.items() if listing else ():
                    if file.etag == etag:
                        yield Fetch(repo, commit, path, file, self._tokens.get(repo))
                        break

    def _check_room(self, action: Fetch) -> None:
        if action.file.size > self._store.room(self._reserve):
            cause = self._store.full(self._reserve)
            raise DiskFullError(f"{action.path} of {action.repo} needs {action.file.size} bytes: {cause}", cause=cause)
