# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue of jobs, which are files."""

from __future__ import annotations

from pathlib import Path

from facefusion import models


def run_all() -> int:
    queued = sorted(Path(".jobs/queued").glob("*.json"))
    failed = False
    for job in queued:
        to = Path(".jobs/completed" if models.are_there() else ".jobs/failed")
        failed = failed or to.name == "failed"
        to.mkdir(parents=True, exist_ok=True)
        job.rename(to / job.name)
    return 1 if failed or not queued else 0
