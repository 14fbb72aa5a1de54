# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is tried: the same each time and within seconds, or with TEST_PROFILE=full much more, and something new."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

FULL = os.environ.get("TEST_PROFILE") == "full"
#: Downloads by each version of a client while a ref moves.
DOWNLOADS = 200 if FULL else 20
#: How long how many clients read while syncs publish and collect.
SOAK_SECONDS, SOAK_CLIENTS = (600, 64) if FULL else (8, 16)
#: Requests that are made up.
REQUESTS = settings(
    max_examples=20_000 if FULL else 400,
    derandomize=not FULL,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
