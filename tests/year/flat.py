# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the last month costs what the first one did: counts, which are the same on every machine, not seconds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from year.simulation import Measured

MONTH = 30
#: What must stay below ``LIMIT`` times that of the first month.
COUNTS = ("calls", "reads", "requests", "blocks", "store")
LIMIT = 1.5


def ratios(days: Sequence[Measured], names: Sequence[str] = COUNTS) -> dict[str, float]:
    """Return what the medians of the last month are to those of the first; a shorter life has shorter months."""
    # on such days a killed run did a part of the work before
    whole = [day for day in days if not day.kills]
    month = min(MONTH, len(days) // 3)
    first = [day for day in whole if day.day <= month]
    last = [day for day in whole if day.day > len(days) - month]
    return {name: _median(last, name) / _median(first, name) for name in names}


def _median(days: Sequence[Measured], name: str) -> float:
    return float(statistics.median(getattr(day, name) for day in days))
