# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time as the engine sees it, passed in so that tests can turn it, and the wish to stop, which ends every wait."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone

from .errors import MirrorError

#: The last time that is believed: there is room for one more after it.
LATEST = "9998-12-31T23:59:59Z"


class StoppedError(MirrorError):
    """The run was asked to end (SIGTERM, Ctrl-C); what is under way stays resumable."""

    def __init__(
        self, text: str = "stopped before it was finished; the next run continues from there", cause: str = "stopped"
    ) -> None:
        super().__init__(text, cause=cause)


class LimitError(StoppedError):
    """The run was ended by one of its limits, which is told. What is under way stays resumable, too."""

    def __init__(self, text: str) -> None:
        super().__init__(text, cause=text)


class Clock:
    """Wall time for people, monotonic time for durations, waits that ``stop`` ends."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._limit: str | None = None

    def now(self) -> float:
        """Return the wall time in seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that only rise."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, or raise StoppedError as soon as the run is to end."""
        if self._stopped.wait(max(seconds, 0)):
            self.check()

    def stop(self, limit: str | None = None) -> None:
        """End all waits, and the run at its next step. ``limit`` says which limit ends it, if it is one."""
        if not self._stopped.is_set():
            self._limit = limit
        self._stopped.set()

    def check(self) -> None:
        """Raise StoppedError if the run is to end."""
        if self._stopped.is_set():
            raise LimitError(self._limit) if self._limit else StoppedError


def stamp(seconds: float) -> str:
    """Return a wall time as people and other programs read it: ``2026-11-25T02:00:00Z``."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp_after(known: str, now: float) -> str:
    """Return the wall time ``now``, or the first after a known one (empty: none) where that is not over yet.

    Of two things that were noted of one name the later one holds, and the clocks of nodes differ and go back.
    """
    # nobody can be later than the last time of all
    return max(stamp(now), min(stamp(seconds_of(known) + 1), LATEST)) if known else stamp(now)


def seconds_of(text: str) -> float:
    """Return the wall time that ``stamp`` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
