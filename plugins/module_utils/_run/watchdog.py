# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bounds a run in itself, whoever started it: its time, the time without any progress, and its memory."""

from __future__ import annotations

import contextlib
import os
import resource
import threading
import time
from collections.abc import Iterator
from typing import Callable

from .._base.clock import Clock, LimitError, StoppedError
from .._base.progress import Progress

#: Seconds in which no byte came and no step was done.
QUIET = 3600.0
#: Seconds between two looks, and those that a run has to end by itself once it is to.
_INTERVAL, _GRACE = 0.2, 3.0

GiveUp = Callable[[StoppedError], None]


class Watchdog:
    """Ends a run that reaches a limit, and does not wait for a server or a disk that keeps silent then.

    ``give_up`` is called in a thread of its own where a run that is to end, also because somebody stopped it, does not
    do so in time: it may be cut at any instant. It has to end the process.
    """

    def __init__(self, clock: Clock, progress: Progress, time_limit: int, memory_limit: int, give_up: GiveUp) -> None:
        self._clock, self._progress = clock, progress
        self._time_limit, self._memory_limit, self._give_up = time_limit, memory_limit, give_up

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch what goes on for as long as the block lasts. Raises LimitError where it takes too much memory."""
        ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(ended,), daemon=True)
        thread.start()
        try:
            with _bounded_memory(self._memory_limit << 20):
                yield
        except MemoryError:
            raise LimitError(f"more than {self._memory_limit} MiB of memory (memory_limit): ended") from None
        finally:
            ended.set()
            thread.join()

    def _watch(self, ended: threading.Event) -> None:
        began = moved = time.monotonic()
        seen = self._progress.mark()
        while not ended.wait(_INTERVAL):
            now, mark = time.monotonic(), self._progress.mark()
            if mark != seen or self._progress.is_told_to_wait():
                seen, moved = mark, now
            if now - moved >= QUIET:
                self._clock.stop(f"no progress in {QUIET / 60:.0f} minutes ({self._progress.phase}): ended")
            elif now - began >= self._time_limit:
                self._clock.stop(f"not done in {self._time_limit} seconds (time_limit): ended")
            try:
                self._clock.check()
            except StoppedError as problem:
                if not ended.wait(_GRACE):
                    self._give_up(problem)
                return


def end_process(_problem: StoppedError) -> None:
    """End the process where a run has nobody to tell."""
    os._exit(1)


@contextlib.contextmanager
def _bounded_memory(most: int) -> Iterator[None]:
    """Let Python raise MemoryError where the process would have more memory of its own than this.

    It counts what may be written and is shared with nobody, not what files in the page cache take.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    known = [one for one in (most, soft, hard) if one != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(known), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
