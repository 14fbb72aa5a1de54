# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes: one file of one commit into a ``.part`` file, in order, hashed while they arrive, verified at the end.

huggingface_hub's downloads check no hash, end at 50 GB and, since 1.18, start over after a kill; so the bytes are
fetched here. A ``.part`` is always a whole prefix of the file: its size is all the bookkeeping that a resume needs.
Large files come in segments, several at once and never far ahead of what is written: memory has one budget.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from .._base.clock import Clock
from .._base.fs import PAGE, Fs
from .._plan.facts import File
from .._plan.plan import Fetch
from .body import Body, FetchError, WrongError
from .http import Haste
from .source import RangesIgnoredError, Source
from .window import SEGMENT, Segments, Window

_BLOCK = 1 << 20
#: What is cut off a part that an earlier process left: its end may have been lost in a power cut.
_TAIL = 4 << 20


class HashMismatchError(WrongError):
    """A file arrived whole and is not what the Hub declares."""


class DiskFullError(FetchError):
    """There is no room for the file."""


class Fetcher:
    """Fetch files for all threads of a run.

    ``segments`` is the memory for what is on its way, which several may share. ``fetched`` counts the bytes that came.
    """

    def __init__(self, source: Source, fs: Fs, clock: Clock, segments: Segments | None = None) -> None:
        self.source, self._fs = source, fs
        #: Called while what is there is read, which may take longer than a run may be without progress.
        self.move: Callable[[], None] = lambda: None
        self._segments = segments or Segments(clock)

    @property
    def fetched(self) -> int:
        """Return the bytes that came in so far."""
        return self.source.received

    def close(self) -> None:
        """Let the threads go."""
        self._segments.close()

    def fetch(self, action: Fetch, part: Path, haste: Haste = Haste.NONE) -> None:
        """Complete ``part`` with the bytes of a file and verify it, or raise FetchError and leave a prefix of it.

        It is not durable yet (``Store.freeze``). Wrong content is thrown away and asked for once more from the start,
        then HashMismatchError is raised. Who is in ``haste`` has another source to ask.
        """
        file, name = action.file, f"{action.path} of {action.repo}@{action.commit[:12]}"
        with self._open(part, name) as target:
            for last_try in (False, True):
                try:
                    got = self._complete(action, target, last_try, haste)
                except OSError as problem:
                    if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
                        raise
                    cause = f"the disk of {part.parent} is full"
                    raise DiskFullError(f"{name} can't be written: {cause}", cause=cause) from problem
                if got == file.etag:
                    return
                self._fs.truncate(target, 0)
                if last_try:
                    kind = "SHA-256" if file.sha256 else "Git blob SHA-1"
                    text = f"{name} is corrupt upstream: expected {kind} {file.etag}, got {got}"
                    raise HashMismatchError(text, told=got)

    @contextlib.contextmanager
    def _open(self, part: Path, name: str) -> Iterator[BinaryIO]:
        """Open a part for this process alone, without the end that an earlier process may not have written well."""
        with self._fs.open_part(part) as target:
            try:
                fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FetchError(f"{name} is being fetched by another process") from None
            size = max(os.fstat(target.fileno()).st_size - _TAIL, 0)
            self._fs.truncate(target, size // PAGE * PAGE)
            yield target

    def _complete(self, action: Fetch, target: BinaryIO, plain: bool, haste: Haste) -> str:
        """Append to ``target`` until it has the file's size; return the hash of all of it."""
        file = action.file
        start = target.seek(0, os.SEEK_END)
        if start > file.size:
            self._fs.truncate(target, 0)
            start = 0
        ranges = file.size - start > SEGMENT
        for last_try in (False, False, True):
            body = self.source.body(action, plain, haste)
            try:
                if not (ranges and body.has_ranges):
                    return self._stream(body, file, target, start)
                return self._window(body, file, target, start)
            except RangesIgnoredError:
                if last_try:
                    raise
                self._fs.truncate(target, 0)
                start, ranges = 0, False
        raise AssertionError("the last try returns or raises")

    def _stream(self, body: Body, file: File, target: BinaryIO, start: int) -> str:
        """Take what is missing in one piece."""
        hasher = self._hash_prefix(file, target)
        with contextlib.closing(body.stream(start)) as blocks:
            for block in blocks:
                self._fs.write_block(target, block)
                hasher.update(block)
        return str(hasher.hexdigest())

    def _window(self, body: Body, file: File, target: BinaryIO, start: int) -> str:
        """Take it in segments, with some more under way."""
        with Window(self._segments, body, start, file.size) as window:
            hasher = self._hash_prefix(file, target)
            self._fs.bypass_cache(target)
            for block in window.blocks():
                self._fs.write_block(target, block)
                hasher.update(block)
        return str(hasher.hexdigest())

    def _hash_prefix(self, file: File, target: Any) -> Any:
        """Hash what is there already; this read can't be avoided, and checks what a crash left."""
        hasher = file.hasher()
        target.seek(0)
        while block := target.read(_BLOCK):
            hasher.update(block)
            self.move()
        return hasher
