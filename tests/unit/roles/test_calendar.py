# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs every night runs on the night on which clocks are put forward, too."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
import yaml

DEFAULTS = yaml.safe_load((Path(__file__).parents[3] / "roles/mirror_sync/defaults/main.yml").read_text())
DAYS = [datetime(2027, 1, 1) + timedelta(days=day) for day in range(366)]
#: The days on which clocks are put forward or back.
CHANGES = [
    (day, zone)
    for zone in map(ZoneInfo, sorted(available_timezones()))
    for day in DAYS
    if zone.utcoffset(day) != zone.utcoffset(day + timedelta(days=1))
]


@pytest.mark.parametrize("name", ["mirror_sync_on_calendar", "mirror_sync_scrub_on_calendar"])
def test_the_time_exists_everywhere_on_each_day(name: str) -> None:
    found = re.fullmatch(r"\*-\*-\* (\d\d):(\d\d):00", DEFAULTS[name])
    assert found
    times = [(day.replace(hour=int(found[1]), minute=int(found[2])), zone) for day, zone in CHANGES]
    missing = [f"{zone} {when:%F}" for when, zone in times if not exists(when, zone)]
    assert not missing


def exists(when: datetime, zone: ZoneInfo) -> bool:
    """Say whether clocks of a zone ever show a time."""
    there = when.replace(tzinfo=zone).astimezone(timezone.utc).astimezone(zone)
    return there.replace(tzinfo=None) == when
