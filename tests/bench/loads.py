# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads of a model: how long they took, how many failed, and who answered their requests."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: What a video platform measured directly from the public Hub: seconds, and the share of loads that failed.
DIRECT = {"mean": 14.8, "p99": 32.0, "failures": 0.062}


@dataclass(frozen=True)
class Loads:
    """Seconds of the loads that ended well, and of those that failed."""

    well: Sequence[float]
    failed: Sequence[float]

    @property
    def count(self) -> int:
        """All loads."""
        return len(self.well) + len(self.failed)

    @property
    def failures(self) -> float:
        """The share of loads that failed."""
        return len(self.failed) / self.count

    @property
    def mean(self) -> float:
        """The mean of those that ended well."""
        return statistics.fmean(self.well)

    @property
    def p99(self) -> float:
        """The 99th percentile of those that ended well."""
        return statistics.quantiles(self.well, n=100, method="inclusive")[-1]


def loads_of(results: Iterable[tuple[float, bool]]) -> Loads:
    """Return the loads of which each is given by its seconds, and whether it ended well."""
    well: list[float] = []
    failed: list[float] = []
    for seconds, ended_well in results:
        (well if ended_well else failed).append(seconds)
    return Loads(well, failed)


def hits(access_log: Iterable[str]) -> tuple[int, int]:
    """Return how many requests a mirror got, and how many of them it answered itself.

    The others it sent to the Hub (302), or answered with an error.
    """
    statuses = [json.loads(line)["status"] for line in access_log]
    return len(statuses), sum(status < 400 and status != 302 for status in statuses)


@dataclass(frozen=True)
class Loading:
    """What was found. ``waits`` are the seconds that the stand-in Hub let direct loads wait, all together.

    ``spoiled`` is how many of these it spoiled, ``requests`` and ``answered`` are the mirror's, and ``upstream`` is how
    often the stand-in was asked meanwhile.
    """

    model_bytes: int
    clients: int
    direct: Loads
    mirror: Loads
    placed: Loads
    waits: float
    spoiled: int
    requests: int
    answered: int
    upstream: int

    @property
    def beside_waits(self) -> float:
        """The share of the direct loads' time that is not the stand-in's."""
        return 1 - self.waits / sum([*self.direct.well, *self.direct.failed])
