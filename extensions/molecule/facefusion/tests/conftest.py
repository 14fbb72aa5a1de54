# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""These tests have hosts of their own, which ``testhosts`` has to know before anything imports it."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["TEST_INVENTORY"] = str(Path(__file__).parents[1] / "inventory")
