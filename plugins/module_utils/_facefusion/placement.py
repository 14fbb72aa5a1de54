# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models from the mirror into FaceFusion's folder: ask, look, fetch, verify the pair, put it there.

What is right is what the mirror says: its commit, its hashes. Where the bytes come from does not matter then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._base.clock import Clock
from .._base.errors import MirrorError
from .._fetch.body import FetchError
from .._fetch.fetch import DiskFullError, Fetcher
from .._fetch.http import TransportError, UnreachableError, origin_name
from .._fetch.source import Source
from .._plan.facts import Repo
from .._plan.plan import Fetch
from .endpoint import Access, Endpoint
from .folder import Folder, Item
from .pairs import HASH_SIZE, Pair, agrees
from .record import FILE, Known

_MOST_PARALLEL, _LONGEST_TIMEOUT = 64, 3600


@dataclass(frozen=True)
class Settings:
    """What an operator decides. ``timeout`` is in seconds, for a connection and for the next bytes to come."""

    path: Path
    endpoint: str
    fallback_endpoint: str | None = None
    revision: str = "main"
    access: Access = field(default_factory=Access)
    parallel: int = 4
    timeout: float = 30


@dataclass(frozen=True)
class Task:
    """A pair as the folder has it: its short file and its model."""

    pair: Pair
    known: Known
    hash: Item
    model: Item

    @property
    def wrong(self) -> list[Item]:
        """Files that have to come."""
        return [item for item in (self.hash, self.model) if not item.seen]

    @property
    def contents(self) -> str:
        """A name for what both have to be."""
        return f"{self.pair} {self.hash.file.etag} {self.model.file.etag}"


@dataclass
class Outcome:
    """What a run did, or in check mode would do. ``sources`` says where each file came from."""

    commits: dict[str, str] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    problems: dict[str, MirrorError] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Placement:
    """A run."""

    def __init__(self, settings: Settings) -> None:
        if not 1 <= settings.parallel <= _MOST_PARALLEL or not 0 < settings.timeout <= _LONGEST_TIMEOUT:
            raise MirrorError(f"parallel is 1 to {_MOST_PARALLEL}, and timeout 1 to {_LONGEST_TIMEOUT} seconds")
        clock = Clock()
        self._settings, self._folder = settings, Folder(settings.path)
        self._mirror = Endpoint(settings.endpoint, clock, settings.timeout, settings.access)
        sources = [self._mirror]
        if settings.fallback_endpoint:
            sources.append(Endpoint(settings.fallback_endpoint, clock, settings.timeout))
        self._fetchers = {one: Fetcher(Source(one, clock), self._folder.fs, clock) for one in sources}
        self._down: UnreachableError | None = None
        #: Repositories of which only the record knows, with the reason.
        self._remembered: dict[str, TransportError] = {}
        self._full: DiskFullError | None = None

    def check(self, pairs: Iterable[Pair]) -> Outcome:
        """Say what a run would do. Writes nothing."""
        outcome = Outcome()
        with self._ending():
            self._folder.read_record()
            tasks = self._survey(pairs, outcome)
            outcome.items = [item for task in tasks for item in task.wrong]
            self._folder.check_room(outcome.items)
        self._warn(outcome)
        return outcome

    def run(self, pairs: Iterable[Pair]) -> Outcome:
        """Place what is missing or wrong."""
        outcome = Outcome()
        with self._ending(), self._folder.alone() as refusal:
            tasks = self._survey(pairs, outcome)
            wrong = [item for task in tasks for item in task.wrong]
            if refusal and wrong:
                raise self._folder.refusal(refusal)
            self._folder.check_room(wrong)
            problems = self._each(lambda task: self._place(task, outcome), tasks, lambda task: str(task.pair))
            outcome.problems.update(problems)
            if not refusal:
                self._keep(outcome)
        outcome.items.sort(key=lambda item: item.name)
        self._warn(outcome)
        return outcome

    def _keep(self, outcome: Outcome) -> None:
        try:
            self._folder.write_record()
        except OSError as problem:
            why = self._folder.refusal(problem)
            outcome.warnings.append(f"verified files could not be recorded, and are hashed again next time: {why}")

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        """Let the threads go at the end, and say what the disk has against it."""
        try:
            yield
        except OSError as problem:
            raise self._folder.refusal(problem) from problem
        finally:
            for fetcher in self._fetchers.values():
                fetcher.close()

    def _warn(self, outcome: Outcome) -> None:
        record = self._settings.path / FILE
        problems = [*self._remembered.values(), *([self._down] if self._down else [])]
        outcome.warnings += [f"{one}; its hashes are known from {record}" for one in dict.fromkeys(map(str, problems))]

    def _survey(self, pairs: Iterable[Pair], outcome: Outcome) -> list[Task]:
        """Ask the mirror about each repository once, and compare what is in the folder with that."""
        wanted = list(pairs)
        known: dict[str, Known] = {}
        causes: dict[str, MirrorError] = {}
        for repo_id in dict.fromkeys(pair.repo_id for pair in wanted):
            try:
                known[repo_id] = self._ask(repo_id)
                outcome.commits[repo_id] = known[repo_id].commit
            except MirrorError as problem:
                causes[repo_id] = problem
        tasks: list[Task] = []

        def look(pair: Pair) -> None:
            if pair.repo_id in causes:
                raise causes[pair.repo_id]
            tasks.append(self._look(pair, known[pair.repo_id]))

        outcome.problems.update(self._each(look, wanted, str))
        order = {pair: number for number, pair in enumerate(wanted)}
        return sorted(tasks, key=lambda task: order[task.pair])

    def _ask(self, repo_id: str) -> Known:
        """Return what the mirror has, or what it had when it was asked last."""
        revision = self._settings.revision
        try:
            if self._down:
                raise self._down
            commit = self._mirror.commit(repo_id, revision)
            return Known(revision, commit, self._mirror.listing(repo_id, commit))
        except TransportError as problem:
            # one answer that makes no sense may be about one repository, no answer is about all
            self._down = problem if isinstance(problem, UnreachableError) else self._down
            known = self._folder.record.known(repo_id, revision)
            if not known:
                raise self._unknown(problem, f"{repo_id}@{revision}") from problem
            self._remembered[repo_id] = problem
            return known

    def _unknown(self, problem: TransportError, what: str) -> MirrorError:
        """Return what to say of what only the mirror could tell."""
        return MirrorError(
            f"{problem}, and {self._settings.path / FILE} knows nothing of {what} from an earlier run: without the"
            " mirror's hashes no other source is used. Restore the mirror and run this again",
            cause=f"{problem.cause}, and no earlier run recorded its hashes: restore the mirror and run this again",
        )

    def _look(self, pair: Pair, known: Known) -> Task:
        missing = [path for path in pair.paths if path not in known.files]
        if missing and pair.repo_id in self._remembered:
            raise self._unknown(self._remembered[pair.repo_id], " and ".join(missing))
        if missing:
            raise MirrorError(
                f"{self._mirror.endpoint} does not have {' and '.join(missing)} of {pair.repo_id}@{known.commit[:12]}:"
                " add it to the mirror's whitelist"
            )
        if known.files[pair.hash].size != HASH_SIZE:
            raise MirrorError(
                f"{pair.hash} of {pair.repo_id}@{known.commit[:12]} has {known.files[pair.hash].size} bytes: FaceFusion"
                f" would delete the model, because it accepts only {HASH_SIZE} hexadecimal digits. Tell the owner"
                " of the repository, or use another revision"
            )
        found = [self._folder.look(path, pair.folder + path, known.files[path]) for path in pair.paths]
        files = {item.path: item.file for item in found}
        task = Task(pair, Known(known.revision, known.commit, files), *found)
        refusal = self._folder.record.unfit(task.contents)
        if refusal:
            raise MirrorError(refusal)
        if not task.wrong:
            self._check_pair(task)
            self._folder.record.learn(pair.repo_id, task.known)
        return task

    def _place(self, task: Task, outcome: Outcome) -> None:
        """Fetch what is missing of a pair, and put it in its place once both of it are known to fit."""
        if not task.wrong:
            return
        if self._full:
            raise self._full
        sources = {}
        try:
            for item in task.wrong:
                self._folder.make_place(item)
                sources[item.name] = self._fetch(task, item)
            crc32 = self._check_pair(task)
            crcs = {item.name: crc32 if item is task.model else self._folder.crc32(item) for item in task.wrong}
            for item in task.wrong:
                self._folder.settle(item)
            # one right after the other: FaceFusion deletes a model that does not fit its hash
            for item in task.wrong:
                self._folder.put(item, crcs[item.name])
                outcome.items.append(item)
                outcome.sources[item.name] = sources[item.name]
        except DiskFullError as problem:
            self._full = problem
            raise
        self._folder.record.learn(task.pair.repo_id, task.known)
        with contextlib.suppress(OSError):  # the last one is told
            self._folder.write_record()

    def _check_pair(self, task: Task) -> int:
        """Return the CRC32 of a model, or refuse the pair where FaceFusion would, too: it deletes such a model."""
        content, crc32 = self._folder.content(task.hash), self._folder.crc32(task.model)
        if agrees(content, crc32):
            return crc32
        for item in task.wrong:
            self._folder.drop(item)
        pair, commit = task.pair, task.known.commit
        refusal = (
            f"{pair.hash} and {pair.model} of {pair.repo_id}@{commit[:12]} are as the mirror lists them, but differ:"
            f" the first is {content[:20]!r}, the CRC32 of the second {crc32:08x}. FaceFusion would delete the model."
            f" The fault is in {pair.repo_id}: tell its owner, or use another revision. They are not downloaded again"
        )
        if not task.model.seen:
            self._folder.record.refuse(task.contents, refusal)
        raise MirrorError(refusal)

    def _fetch(self, task: Task, item: Item) -> str:
        """Fetch a file from the first source that has it, and return which one that was."""
        pair = task.pair
        action = Fetch(Repo("model", pair.repo_id), task.known.commit, item.path, item.file)
        problems = [str(self._down)] if self._down else []
        for endpoint, fetcher in self._fetchers.items():
            if self._down and endpoint is self._mirror:
                continue
            try:
                fetcher.fetch(action, self._folder.part(item))
            except DiskFullError:
                raise
            except MirrorError as problem:
                # one that sends to somebody who gives no answer is not away itself
                if isinstance(problem, UnreachableError) and problem.where == origin_name(self._mirror.endpoint):
                    self._down = problem
                problems.append(f"{endpoint.endpoint}: {problem}")
            else:
                return endpoint.endpoint
        raise FetchError(f"{item.path} of {pair.repo_id} is not available. " + "; ".join(problems))

    def _each(
        self, work: Callable[[Any], None], things: list[Any], name: Callable[[Any], str]
    ) -> dict[str, MirrorError]:
        """Do something for each of many, some at a time, and return what went wrong, by name."""
        problems: dict[str, MirrorError] = {}

        def attempt(thing: Any) -> None:
            try:
                work(thing)
            except MirrorError as problem:
                problems[name(thing)] = problem
            except OSError as problem:
                refusal = problems[name(thing)] = self._folder.refusal(problem)
                self._full = refusal if isinstance(refusal, DiskFullError) else self._full

        with ThreadPoolExecutor(self._settings.parallel) as threads:
            list(threads.map(attempt, things))
        return problems
