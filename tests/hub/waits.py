# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random waits as they are before servers far away: many short ones, and a long tail."""

from __future__ import annotations

import math
from statistics import NormalDist

_Z99 = NormalDist().inv_cdf(0.99)


def log_normal(mean: float, p99: float) -> tuple[float, float]:
    """Return mu and sigma of the log-normal distribution with this mean and 99th percentile."""
    # mean = exp(mu + sigma² / 2) and p99 = exp(mu + z sigma): their quotient leaves a square equation for sigma
    if not 0 < mean <= p99 <= mean * math.exp(_Z99**2 / 2):
        raise ValueError(f"no log-normal distribution has a mean of {mean} and a 99th percentile of {p99}")
    sigma = _Z99 - math.sqrt(max(_Z99**2 - 2 * math.log(p99 / mean), 0))
    return math.log(mean) - sigma**2 / 2, sigma
