# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some weeks of a small mirror, or with TEST_PROFILE=full a year of 500 repositories: `make year` writes about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from unit.engine.machine.mirror import Mirror, scratch
from unit.engine.machine.scenarios import FIRST, LATEST, SECOND, entry, go_back, publish_and_move, start
from unit.engine.machine.upstream import StandingClock

from year import checks
from year.flat import LIMIT, ratios
from year.simulation import Simulation

FULL = os.environ.get("TEST_PROFILE") == "full"
REPOS, DAYS = (500, 365) if FULL else (20, 40)


def test_it_stays_as_it_should_be_and_costs_the_same() -> None:
    """The simulation itself holds the store against the rules after each run."""
    with scratch() as root:
        days = list(Simulation(root, REPOS).days(DAYS))
    assert sum(day.kills for day in days) > DAYS // 20
    assert sum(day.collected for day in days) > REPOS
    assert sum(day.failures for day in days) > DAYS // 4
    # few repositories: a commit more or less is a large share
    counts = ratios(days) if FULL else ratios(days, ("requests", "blocks", "store"))
    assert all(ratio < LIMIT for ratio in counts.values()), counts


def test_what_is_missing_is_seen() -> None:
    with scratch() as root:
        simulation = Simulation(root, 4)
        list(simulation.days(2))
        file = next(one for one in sorted(root.glob("hub/*/snapshots/*/*")) if one.name == "README.md")
        file.resolve().unlink()
        with pytest.raises(FileNotFoundError):
            checks.at_rest(root, simulation.model)


def test_what_is_too_much_is_seen() -> None:
    with scratch() as root:
        simulation = Simulation(root, 4)
        list(simulation.days(2))
        Path(root, "pool", "0" * 40).write_bytes(b"nobody needs it")
        with pytest.raises(AssertionError, match="needed by nothing"):
            checks.at_rest(root, simulation.model)


def test_what_was_rolled_back_can_leave_and_come_back() -> None:
    """A year found it: who takes a ref away takes back what was decided about it."""
    with scratch() as root:
        mirror = Mirror(root, start(), StandingClock())
        publish_and_move(mirror)
        mirror.change(FIRST, go_back)
        mirror.run([entry(SECOND)], "exact")
        assert not mirror.run(LATEST).problems
