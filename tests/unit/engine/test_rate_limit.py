# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pace: what closes the gate, for how long, for whom."""

from __future__ import annotations

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock, StoppedError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.rate_limit import BandwidthLimit, RateLimits


class SetClock(Clock):
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1000.0

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({}, 0),
        ({"RateLimit": '"resolvers";r=12;t=200'}, 0),
        ({"RateLimit": '"resolvers";r=0;t=200'}, 201),
        ({"RateLimit": '"api";r=0;t=200'}, 0),
        ({"RateLimit": "nonsense"}, 0),
    ],
)
def test_what_an_answer_says_is_left(headers: dict[str, str], waits: float) -> None:
    clock = SetClock()
    gate = RateLimits(clock)
    gate.note(headers)
    gate.wait("resolvers")
    assert clock.time == 1000 + waits


@pytest.mark.parametrize(
    ("headers", "attempt", "waits"),
    [
        ({"Retry-After": "7"}, 1, 7),
        ({"RateLimit": '"api";r=0;t=30'}, 1, 31),
        ({"Retry-After": "7", "RateLimit": '"api";r=0;t=30'}, 1, 7),
        ({}, 1, 2),
        ({}, 3, 8),
        ({}, 10, 60),
        ({"Retry-After": "999999"}, 1, 3600),
        ({"Retry-After": "²"}, 1, 2),
    ],
)
def test_a_refusal(headers: dict[str, str], attempt: int, waits: float) -> None:
    clock = SetClock()
    gate = RateLimits(clock)
    gate.refused("api", headers, attempt)
    gate.wait("resolvers")
    assert clock.time == 1000, "the other bucket is open"
    gate.wait("api")
    assert clock.time == 1000 + waits


def test_the_limit_on_bytes() -> None:
    clock = SetClock()
    limiter = BandwidthLimit(100, clock)
    for _block in range(10):
        limiter.take(50)
    assert clock.time == 1005
    BandwidthLimit(0, clock).take(10**9)
    assert clock.time == 1005


def test_a_stop_ends_every_wait() -> None:
    clock = Clock()
    clock.stop()
    gate = RateLimits(clock)
    gate.close("api", 3600)
    with pytest.raises(StoppedError):
        gate.wait("api")
