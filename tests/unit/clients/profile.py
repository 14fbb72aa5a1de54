# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether all clients are run, as TEST_PROFILE=full asks for, or only those that are quickly there."""

from __future__ import annotations

import os

FULL = os.environ.get("TEST_PROFILE") == "full"
