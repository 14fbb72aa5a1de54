# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pace: one gate for all threads, which closes when the Hub says that it is enough; and a limit on bytes a second."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping

from .clock import Clock

#: ``RateLimit: "resolvers";r=0;t=23`` (IETF draft-ietf-httpapi-ratelimit-headers, as the Hub sends it).
_RATE_LIMIT = re.compile(r'"(?P<bucket>[a-z]+)";r=(?P<left>[0-9]{1,9});t=(?P<seconds>[0-9]{1,9})(?![0-9])')
_LONGEST_WAIT = 3600  # seconds


class RateLimits:
    """What the Hub allows, by bucket (``api``, ``resolvers``)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._closed_until: dict[str, float] = {}

    def left(self, bucket: str) -> float:
        """Return for how many seconds more a bucket is closed; it is open from 0 on."""
        with self._lock:
            return self._closed_until.get(bucket, 0.0) - self._clock.monotonic()

    def wait(self, bucket: str) -> None:
        """Wait until the bucket is open."""
        while (left := self.left(bucket)) > 0:
            self._clock.sleep(left)

    def is_closed(self) -> bool:
        """Say whether anybody has to wait."""
        with self._lock:
            return any(until > self._clock.monotonic() for until in self._closed_until.values())

    def note(self, headers: Mapping[str, str]) -> None:
        """Close the bucket that an answer calls used up."""
        found = _RATE_LIMIT.search(headers.get("RateLimit", ""))
        if found and found["left"] == "0":
            self.close(found["bucket"], int(found["seconds"]) + 1)

    def refused(self, bucket: str, headers: Mapping[str, str], attempt: int) -> None:
        """Close the bucket after a 429: for as long as the answer says, else for longer with each attempt."""
        found = _RATE_LIMIT.search(headers.get("RateLimit", ""))
        told = headers.get("Retry-After", "")
        if told.isdecimal():
            seconds = float(told)
        elif found:
            seconds = int(found["seconds"]) + 1.0
        else:
            seconds = min(2.0**attempt, 60.0)
        self.close(bucket, seconds)

    def close(self, bucket: str, seconds: float) -> None:
        """Let nobody through for a while."""
        until = self._clock.monotonic() + min(seconds, _LONGEST_WAIT)
        with self._lock:
            self._closed_until[bucket] = max(until, self._closed_until.get(bucket, 0.0))


class BandwidthLimit:
    """At most ``rate`` bytes a second for all threads together; 0 is no limit."""

    def __init__(self, rate: int, clock: Clock) -> None:
        self._rate, self._clock = rate, clock
        self._lock = threading.Lock()
        self._free_at = 0.0

    def take(self, count: int) -> None:
        """Account for bytes that came, and wait where they came too early."""
        if not self._rate:
            return
        with self._lock:
            now = self._clock.monotonic()
            self._free_at = max(self._free_at, now) + count / self._rate
            wait = self._free_at - now
        self._clock.sleep(wait)
