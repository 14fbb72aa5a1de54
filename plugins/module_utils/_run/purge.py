# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take down what must not be served any more (malware, law): at once, without a grace, and for good.

It waits for no run: a sync that has the content just now is refused when it seals (``seal``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Union

from .._base.clock import stamp_after
from .._base.errors import Besides, MirrorError
from .._base.names import ETAG, Commit, Etag, NameProblem, RepoPath, shown
from .._plan import ref_order as _order
from .._plan.facts import Repo
from .._plan.refs import RefError
from .._store.catalogue import write_catalogue
from .._store.history import Mark
from .._store.purged import Purged, note_purged, read_purged
from .._store.repository import Repository
from .._store.store import Store
from .._store.view_update import noted_entries, update_views
from .gc_repository import RepositoryCollector, links
from .seal import seal

#: What can be purged: a repository, or a content wherever it is.
Target = Union[Repo, Etag]
_ETAG = re.compile(ETAG)
_HEXADECIMAL = re.compile("[0-9a-f]{7,}")


def target_of(name: str, repo_type: str) -> Target:
    """Return what a person named. Raises RefError or WhitelistError."""
    digits = name.lower()  # some programs print hashes in upper case
    if _ETAG.fullmatch(digits):
        return Etag(digits)
    if _HEXADECIMAL.fullmatch(digits):
        raise RefError(f"{shown(name)} is not a full hash: give all 40 or 64 digits, or ORGANISATION/NAME")
    return _order.repository("purge", repo_type, name)


def path_of(name: str | None) -> RepoPath | None:
    """Return the file that a person named, if any. Raises RefError."""
    try:
        return None if name is None else RepoPath(name)
    except NameProblem as problem:
        raise RefError(f"file {problem}") from None


class Purge:
    """Purges of one person. ``note`` says why, for people; ``is_lifted`` takes purges back: what is gone stays gone.

    A ``check`` says what would be taken down, and writes nothing.
    """

    def __init__(self, store: Store, actor: str, note: str = "", is_lifted: bool = False, check: bool = False) -> None:
        self._store, self._actor, self._check = store, actor, check
        self._mark: Mark = {"actor": actor, "note": note}
        if is_lifted:
            self._mark["off"] = True

    def repo(self, repo: Repo) -> list[str]:
        """Purge a repository, and return what was taken down."""
        return self.apply(self.of(repo))

    def content(self, etag: Etag) -> list[str]:
        """Purge a content from all repositories, and return what was taken down."""
        return self.apply(self.of(etag))

    def of(self, target: Target, path: RepoPath | None = None) -> Purged:
        """Return the marks for a repository, for what a path has in any of its commits, or for a content.

        Raises RefError where no commit has such a path, or a path is given with a content.
        """
        known = read_purged(self._store)
        if not isinstance(target, Repo):
            if path is not None:
                raise RefError(f"a hash has no file {shown(path)}: name a repository instead of {target[:12]}")
            return Purged(contents={target: self._mark_after(known.contents.get(target))})
        if path is None:
            return Purged(repos={target.folder: self._mark_after(known.repos.get(target.folder))})
        etags = self._etags(target, path)
        return Purged(contents={etag: self._mark_after(known.contents.get(etag)) for etag in etags})

    def _etags(self, repo: Repo, path: RepoPath) -> list[Etag]:
        repository = self._store.repository(repo)
        # the Hub's listings know it also where it was purged before
        listings = [repository.upstream(commit) for commit in repository.facts().snapshots]
        etags = sorted({listing.files[path].etag for listing in listings if listing and path in listing.files})
        if not etags:
            raise RefError(f"no commit of {repo} on this mirror has a file {path}")
        return etags

    def is_done(self, purged: Purged) -> bool:
        """Say whether all of it was noted before, and nothing of it is here."""
        known, is_lifted = read_purged(self._store), bool(self._mark.get("off"))
        marks = [*map(known.contents.get, purged.contents), *map(known.repos.get, purged.repos)]
        is_noted = all((is_lifted if mark is None else bool(mark.get("off")) == is_lifted) for mark in marks)
        return is_noted and (is_lifted or not self._foreseen(purged))

    def _mark_after(self, known: Mark | None) -> Mark:
        """Return the mark, later than one that is known."""
        # of two at the last time of all, which only a peer tells that was taken over, what was taken down holds
        return {**self._mark, "time": stamp_after(known["time"] if known else "", self._store.clock.now())}

    def apply(self, purged: Purged) -> list[str]:
        """Note it, and take down what is here of it. Purges that are known already do no harm."""
        if self._check:
            return self._foreseen(purged)
        note_purged(self._store, purged)
        self._store.ledger.append("purge", actor=self._actor, **purged.to_json())
        return self._clear(purged)

    def _foreseen(self, purged: Purged) -> list[str]:
        gone = []
        for repository in self._store.repositories():
            if purged.has_repo(repository.repo):
                gone.append(str(repository.repo))
                continue
            for commit, files in repository.facts().snapshots.items() if purged.contents else ():
                gone += _names(repository.repo, commit, {path: e for path, e in files.items() if purged.has(e)})
        return gone

    def finish(self) -> list[str]:
        """Go on with what was noted and is not down yet: somebody was killed."""
        purged = read_purged(self._store)
        left = Purged(
            {etag: mark for etag, mark in purged.contents.items() if purged.has(etag) and self._is_here(etag)},
            {name: mark for name, mark in purged.repos.items() if (self._store.hub / name).exists()},
        )
        return self._clear(left) if left.contents or left.repos else []

    def _is_here(self, etag: Etag) -> bool:
        blobs = [repository.folder / "blobs" / etag for repository in self._store.repositories()]
        return any(name.exists() for name in (self._store.pool.path(etag), *blobs))

    def _clear(self, purged: Purged) -> list[str]:
        gone = []
        for etag in [one for one in purged.contents if purged.has(one)]:
            gone += self._take_down(etag)
        for repository in list(self._store.repositories()):
            if purged.has_repo(repository.repo):
                self._store.remove(repository.repo, repository.last_words(self._actor))
                gone.append(str(repository.repo))
        self._update_views()
        write_catalogue(self._store)
        return gone

    def _take_down(self, etag: Etag) -> list[str]:
        gone, changed = [], {}
        for repository in self._store.repositories():
            with repository.locked():
                # a commit that was to get less files, and got some documents only, lists what has to go
                repository.recover_locked()
                RepositoryCollector(self._store, repository).recover()
            sealed = repository.facts().snapshots
            for commit in [name for name, files in sealed.items() if etag in files.values()]:
                gone += self._narrow(repository, commit, etag)
            if (repository.folder / "blobs" / etag).exists():
                snapshots = repository.folder / "snapshots"
                changed[repository.repo] = [name for name in sealed if etag in links(snapshots / name).values()]
        # a view has a name of the content, too, and shows what is listed
        self._update_views()
        for repo, commits in changed.items():
            repository = self._store.repository(repo)
            with repository.locked():
                RepositoryCollector(self._store, repository).trim(commits)
        self._store.pool.take_down(etag)
        return gone

    def _narrow(self, repository: Repository, commit: Commit, etag: Etag) -> list[str]:
        """Take a content out of what a commit lists."""
        about: dict[str, Any] = {"repo_type": repository.repo.repo_type, "repo_id": repository.repo.repo_id}
        with repository.locked():
            listing = repository.upstream(commit)
            if listing is None:
                raise MirrorError(
                    f"the Hub's listing of {repository.repo}@{commit[:12]} is missing: purge the repository"
                )
            files, purged = repository.facts().snapshots[commit], read_purged(self._store)
            # another one that was purged may still be there, too
            paths = tuple(sorted(path for path, found in files.items() if not purged.has(found)))
            seal(self._store, repository, listing, paths, {**about, "actor": self._actor})
        return _names(repository.repo, commit, {path: found for path, found in files.items() if found == etag})

    def _update_views(self) -> None:
        problem = update_views(self._store, noted_entries(self._store), drop_empty=True).get(Besides.VIEWS.value)
        if problem:
            raise problem


def _names(repo: Repo, commit: str, paths: Iterable[str]) -> list[str]:
    return [f"{repo}@{commit[:12]} {path}" for path in sorted(paths)]


def pending_purges(store: Store, theirs: Purged) -> Purged:
    """Return what another node purged, or lifted, and this one does not know yet."""
    mine = read_purged(store)
    merged = mine.merge(theirs)
    return Purged(
        {etag: mark for etag, mark in merged.contents.items() if mine.contents.get(etag) != mark},
        {name: mark for name, mark in merged.repos.items() if mine.repos.get(name) != mark},
    )
