# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is tried: the same each time and within a minute, or with TEST_PROFILE=full much more, and something new."""

from __future__ import annotations

import os
import time

from hypothesis import HealthCheck, settings

FULL = os.environ.get("TEST_PROFILE") == "full"
#: Power cuts tried at each call, as ``Disk.after_power_cut`` knows them.
CUTS = ["none", "last", *["journal", "any"] * (20 if FULL else 1)]
#: Pairs of a crash and a power cut in the run after it, for each scenario.
PAIRS = 100 if FULL else 6
SEED = str(time.time_ns()) if FULL else "the same every time"

MACHINE = settings(
    max_examples=300 if FULL else 25,
    stateful_step_count=25 if FULL else 10,
    derandomize=not FULL,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
