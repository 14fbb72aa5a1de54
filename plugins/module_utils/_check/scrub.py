# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scrub: hash every content of a store again, each inode once, from the disk and not from the page cache.

A round takes nights where there is much to read; ``round`` remembers how far it is. What is rotten loses its mode at
once, so that none of its names is served, and is repaired where there is somebody to ask.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from .._base.clock import StoppedError
from .._base.errors import MirrorError
from .._base.fs import OutsideError
from .._base.idle import idle
from .._base.lock import locked
from .._base.progress import Progress
from .._base.rate_limit import BandwidthLimit
from .._plan.facts import hasher
from .._store.inode import Inode, is_rotten
from .._store.store import Store
from .fsck_repository import ETAG
from .repair import Repair
from .scrub_progress import ScrubProgress

_BLOCK = 4 << 20
#: Seconds between two notes of how far it is.
_INTERVAL = 5.0
#: What a disk, or a file system with checksums, says of a block that it can't give.
_UNREADABLE = (errno.EIO, errno.EBADMSG, errno.EUCLEAN)
#: Names of a rotten content that are told; it may have 65,000.
_NAMES = 100


@dataclass(frozen=True)
class Content:
    """An inode in the pool or among a repository's blobs, by one of its names, which is relative to the store."""

    etag: str
    name: str
    size: int
    is_rotten: bool

    @property
    def key(self) -> str:
        """Return what contents are ordered by."""
        return f"{self.etag} {self.name}"


@dataclass
class Rot:
    """A rotten content. ``state`` is ``repaired``, ``removed`` or ``left``; ``problem`` says why it is left."""

    etag: str
    what: str
    bytes: int
    names: list[str]
    state: str = "left"
    problem: str = ""


@dataclass
class Report:
    """What a scrub came to. ``complete``: it came to the end of a round; ``last`` is the last such round."""

    contents: int = 0
    bytes: int = 0
    complete: bool = False
    changed: bool = False
    rotten: list[Rot] = field(default_factory=list)
    last: dict[str, Any] | None = None

    @property
    def left(self) -> list[Rot]:
        """Return what is still rotten."""
        return self._in_state("left")

    def _in_state(self, state: str) -> list[Rot]:
        return [one for one in self.rotten if one.state == state]

    def to_json(self) -> dict[str, Any]:
        """Return what programs read."""
        return dataclasses.asdict(self)

    def counts(self) -> dict[str, int]:
        """Return how much was read, and what became of that which is rotten."""
        states = {state: len(self._in_state(state)) for state in ("repaired", "removed", "left")}
        return {"contents": self.contents, "bytes": self.bytes, **states}


class _TimeUpError(Exception):
    """The rest of the round is for another night."""


def contents(store: Store) -> list[Content]:
    """Return all contents in the order in which they are read, each inode once as long as its names agree."""
    found: dict[tuple[int, int, str], Content] = {}
    for folder in (store.pool.folder, *sorted(store.hub.glob("*/blobs"))):
        for name, status in _files(folder):
            content = Content(name, str((folder / name).relative_to(store.root)), status.st_size, is_rotten(status))
            found.setdefault((status.st_dev, status.st_ino, name), content)
    return sorted(found.values(), key=lambda one: one.key)


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    with suppress(FileNotFoundError):  # a sync goes on
        for entry in os.scandir(folder):
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if ETAG.fullmatch(entry.name) and stat.S_ISREG(status.st_mode):
                    yield entry.name, status


class Scrub:
    """One call of a scrub. Without ``repair`` what is rotten is only made unreadable.

    ``actor`` is who the ledger says it was. ``rate`` is in bytes a second, 0 for no limit. With ``is_check`` nothing is
    changed, not even how far the round is.
    """

    def __init__(
        self,
        store: Store,
        repair: Repair | None,
        progress: Progress,
        actor: str,
        rate: int = 0,
        is_check: bool = False,
    ) -> None:
        self._store, self._repair, self._is_check = store, repair, is_check
        self._progress = progress
        self._about: dict[str, Any] = {"actor": actor}
        self._clock, self._ledger = store.clock, store.ledger
        self._limiter = BandwidthLimit(rate, store.clock)
        self._buffer = memoryview(bytearray(_BLOCK))
        self._report = Report()

    def run(self, seconds: float | None = None) -> Report:
        """Go on with the round for so long, or to its end; in 0 seconds with what is known to be rotten alone.

        Raises BusyError where another scrub is under way, and StoppedError where this one is to end.
        """
        if self._is_check:
            return self._run(ScrubProgress.read(self._store), seconds)
        with locked(self._store.root / "locks" / "scrub", False, f"a scrub of {self._store.root}"):
            if self._repair:
                self._repair.finish()
            round_ = ScrubProgress.read(self._store)
            try:
                report = self._run(round_, seconds)
            finally:
                round_.save(self._store)
            self._ledger.append("scrub", durable=False, **self._about, **report.counts(), complete=report.complete)
            return report

    def _run(self, round_: ScrubProgress, seconds: float | None) -> Report:
        ends = float("inf") if seconds is None else self._clock.monotonic() + seconds
        known = [content for content in contents(self._store) if content.is_rotten]
        if self._repair and not self._is_check:
            self._repair.tidy({content.etag for content in known})
        for content in known:
            with suppress(FileNotFoundError):  # a sync repaired it
                inode = Inode.of(self._store.root / content.name)
                self._mend(self._rot(inode, "found earlier", content.size), inode)
        if seconds != 0:
            with suppress(_TimeUpError):
                self._go_on(round_, ends)
        self._report.last = round_.last
        return self._report

    def _go_on(self, round_: ScrubProgress, ends: float) -> None:
        round_.begin(self._clock.now())
        left = [content for content in contents(self._store) if content.key > round_.cursor]
        self._progress.received = lambda: self._report.bytes
        self._progress.begin("reading", len(left), sum(content.size for content in left))
        saved = self._clock.monotonic()
        for number, content in enumerate(left):
            found, size = len(self._report.rotten), self._report.bytes
            if not content.is_rotten:
                # the first one to its end: one that takes longer than a night must not hold up the round for ever
                self._look(content, ends if number else float("inf"))
            rotten = content.is_rotten + len(self._report.rotten) - found
            round_.passed(content.key, self._report.bytes - size, rotten)
            self._report.contents += 1
            self._progress.step()
            if not self._is_check and self._clock.monotonic() - saved > _INTERVAL:
                round_.save(self._store)
                saved = self._clock.monotonic()
        round_.end(self._clock.now())
        self._report.complete = True

    # ---- one content

    def _look(self, content: Content, ends: float) -> None:
        try:
            source = self._store.fs.open(self._store.root / content.name)
        except FileNotFoundError:  # nothing is wrong with what was collected
            return
        except (OSError, OutsideError) as problem:
            rot = Rot(content.etag, "can't be opened", content.size, [content.name], problem=str(problem))
            self._report.rotten.append(rot)
            return
        with source:
            status = os.fstat(source.fileno())
            inode = Inode(content.etag, status.st_dev, status.st_ino)
            with idle():
                what = self._verify(source, content.etag, status.st_size, ends)
            if not what or not inode.names(self._store.root):
                return
            rot = self._rot(inode, what, status.st_size)
            if not self._is_check:
                self._condemn(source, rot)
        self._mend(rot, inode)

    def _verify(self, source: BinaryIO, etag: str, size: int, ends: float) -> str | None:
        """Return what is wrong with a content, None where it is what its name says."""
        digest = hasher(etag, size)
        descriptor, at = source.fileno(), 0
        # what the page cache has says nothing about the disk
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        while True:
            self._clock.check()
            if self._clock.monotonic() >= ends:
                raise _TimeUpError
            try:
                count = os.readv(descriptor, [self._buffer])
            except OSError as problem:
                if problem.errno not in _UNREADABLE:
                    raise
                return f"can't be read after {at} of {size} bytes: {problem.strerror}"
            if not count:
                break
            digest.update(self._buffer[:count])
            # and what is read here once must not push out what nginx sends
            os.posix_fadvise(descriptor, at, count, os.POSIX_FADV_DONTNEED)
            at += count
            self._report.bytes += count
            self._limiter.take(count)
        got = digest.hexdigest()
        return None if got == etag else f"its {size} bytes hash to {got}"

    def _rot(self, inode: Inode, what: str, size: int) -> Rot:
        names = [str(name.relative_to(self._store.root)) for name in inode.names(self._store.root)[:_NAMES]]
        rot = Rot(inode.etag, what, size, names)
        self._report.rotten.append(rot)
        return rot

    def _condemn(self, source: BinaryIO, rot: Rot) -> None:
        """Let nobody read it any more: all its names answer 403, which no client takes for an absent file."""
        what = {"etag": rot.etag, "names": rot.names, "bytes": rot.bytes, "problem": rot.what}
        about = {**self._about, **what}
        self._ledger.append("suspect", **about)
        self._store.fs.forbid(source)
        self._ledger.append("rot", **about)
        self._report.changed = True

    def _mend(self, rot: Rot, inode: Inode) -> None:
        if self._is_check or not self._repair:
            return
        try:
            if self._repair.discard(inode):
                self._ledger.append("discard", **self._about, etag=rot.etag, bytes=rot.bytes)
                rot.state = "removed"
            else:
                came = self._repair.repair(inode)
                self._ledger.append(
                    "repair",
                    **self._about,
                    etag=rot.etag,
                    bytes=came.file.size,
                    repo_type=came.repo.repo_type,
                    repo_id=came.repo.repo_id,
                    commit=came.commit,
                    path=came.path,
                )
                rot.state = "repaired"
        except StoppedError:
            raise
        except (MirrorError, OSError) as problem:
            rot.problem = str(problem)
        else:
            self._report.changed = True
