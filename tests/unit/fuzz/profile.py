# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many documents are made up: the same each time and within a minute, or with TEST_PROFILE=full many more."""

from __future__ import annotations

import os
import time

from hypothesis import HealthCheck, Phase, settings

FULL = os.environ.get("TEST_PROFILE") == "full"
SEED = int(os.environ.get("FUZZ_SEED", "0")) or (time.time_ns() if FULL else 0)


def batches(few: int, many: int) -> settings:
    """Return the settings for so many runs. What fails in a run is found by trying its documents one by one."""
    return settings(
        max_examples=many if FULL else few,
        phases=[Phase.explicit, Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
