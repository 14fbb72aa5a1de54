# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contents that come into the pool: each once, however many want it, and none that the disk has no room for."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from .._base.errors import MirrorError
from .._base.names import Etag
from .._base.progress import Progress
from .._plan.plan import Fetch
from .._store.ledger import LONGEST_DELAY, Bad
from .._store.store import Store
from .fetch import DiskFullError, HashMismatchError
from .fetchers import Fetchers

#: A content that arrived wrong is asked for again after an hour, two, four, at last once a week.
_FIRST_DELAY = 3600


class Downloads:
    """The downloads of one run, called by several threads.

    ``reserve`` is the share of the disk, in percent, that stays free. ``bad`` is what is known of contents that arrived
    wrong, and gets what is learned.
    """

    def __init__(self, store: Store, fetchers: Fetchers, reserve: int, progress: Progress) -> None:
        self._store, self._fetchers, self._reserve, self._progress = store, fetchers, reserve, progress
        fetchers.when_reading(progress.move)
        self.bad: dict[str, Bad] = {}
        self._full: DiskFullError | None = None
        self._room = threading.Lock()
        self._under_way: dict[Etag, int] = {}
        self._one_at_a_time: dict[Etag, threading.Lock] = {}

    @property
    def received(self) -> int:
        """Return the bytes that came in so far."""
        return self._fetchers.fetched

    def begin(self, fetches: Mapping[Etag, Fetch], bad: Mapping[str, Bad]) -> None:
        """Say what is to come, by etag."""
        self.bad = dict(bad)
        self._one_at_a_time = {etag: threading.Lock() for etag in fetches}
        self._progress.received = lambda: self.received
        self._progress.begin("fetching", len(fetches), sum(fetch.file.size for fetch in fetches.values()))

    def fetch(self, action: Fetch) -> None:
        """Bring a content into the pool. Raises FetchError."""
        etag = action.file.etag
        with self._one_at_a_time[etag]:
            if etag in self._store.pool:
                return
            self._store.clock.check()
            self._take_room(action)
            try:
                self._fetchers.fetch(action, self._store.pool.part(etag))
                self._store.pool.adopt(self._store.pool.part(etag), etag)
            except DiskFullError as problem:
                self._full = problem
                raise
            except HashMismatchError as problem:
                self._remember(action, problem)
                raise
            finally:
                with self._room:
                    self._under_way.pop(etag, None)
                self._progress.step()

    def _take_room(self, action: Fetch) -> None:
        """Refuse a file that there is no room for, the files under way counted in."""
        if self._full:
            raise self._full
        with self._room:
            missing = {**self._under_way, action.file.etag: action.file.size}
            room = self._store.room(self._reserve)
            if sum(missing.values()) > room:  # only then it matters how much of each is here already
                missing = {etag: size - _size_of(self._store, etag) for etag, size in missing.items()}
            if sum(missing.values()) > room:
                cause = self._store.full(self._reserve)
                need = missing[action.file.etag]
                raise DiskFullError(f"{action.path} of {action.repo} needs {need} bytes: {cause}", cause=cause)
            self._under_way[action.file.etag] = action.file.size

    def _remember(self, action: Fetch, problem: MirrorError) -> None:
        key = bad_key(action)
        times = self.bad[key].times + 1 if key in self.bad else 1
        delay = min(_FIRST_DELAY * 2 ** (times - 1), LONGEST_DELAY)
        self.bad[key] = Bad(times, self._store.clock.now() + delay, str(problem))


def bad_key(action: Fetch) -> str:
    """Return the name under which a wrong content is remembered: a new commit is a new chance."""
    return f"{action.commit} {action.file.etag} {action.path}"


def _size_of(store: Store, etag: Etag) -> int:
    try:
        return store.pool.part(etag).stat().st_size
    except FileNotFoundError:
        return 0
