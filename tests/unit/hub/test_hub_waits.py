# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random waits, by their mean and their 99th percentile."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest

from hub.faults import Target, Unsteady
from hub.waits import log_normal


@pytest.mark.parametrize(("mean", "p99"), [(14.8, 32), (1, 1), (0.37, 1.2), (1, 14.9)])
def test_log_normal(mean: float, p99: float) -> None:
    mu, sigma = log_normal(mean, p99)
    assert math.exp(mu + sigma**2 / 2) == pytest.approx(mean)
    assert math.exp(mu + sigma * NormalDist().inv_cdf(0.99)) == pytest.approx(p99)


@pytest.mark.parametrize(("mean", "p99"), [(2, 1), (0, 1), (-1, 1), (1, 15)])
def test_there_is_none(mean: float, p99: float) -> None:
    with pytest.raises(ValueError, match="no log-normal distribution has a mean of"):
        log_normal(mean, p99)


def test_what_is_drawn() -> None:
    fault = Unsteady(Target(), None, mean=14.8, p99=32, failures=0.062, seed=1)
    drawn = [fault.draw() for _body in range(20_000)]
    seconds = sorted(wait for wait, _end in drawn)
    assert sum(seconds) / len(seconds) == pytest.approx(14.8, rel=0.02)
    assert seconds[19_800] == pytest.approx(32, rel=0.03)
    for end in ("cut", "refused"):
        assert sum(end == other for _wait, other in drawn) == pytest.approx(620, rel=0.1)
