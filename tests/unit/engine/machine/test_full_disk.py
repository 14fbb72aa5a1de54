# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk is full from some call on: the run says so, readers notice nothing, the next run does the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from unit.engine.machine import invariants
from unit.engine.machine.again import Again
from unit.engine.machine.faulty_fs import FullFs
from unit.engine.machine.mirror import Mirror, served
from unit.engine.machine.scenarios import FILES, FIRST, SCENARIOS, entry, start
from unit.engine.machine.upstream import StandingClock

RUNS = [name for name, scenario in SCENARIOS.items() if name != "first publish" and not scenario.person]


def names(root: Path) -> set[tuple[str, str, str]]:
    """Return (repository, ref, commit) of each ref."""
    return {
        (repo.name, ref, commit)
        for repo in invariants.repositories(root)
        for ref, commit in invariants.refs(repo).items()
    }


def told(root: Path) -> set[tuple[str, str, str]]:
    """Return the same of what the other node is told."""
    repos = json.loads((root / "catalogue.json").read_bytes())["repos"]
    return {
        (name, ref, entries[-1]["commit"])
        for name in repos
        for ref, entries in repos[name]["history"].items()
        if entries and entries[-1]["commit"]
    }


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("is_short", [False, True], ids=["full", "full for a moment"])
def test_at_every_call(root: Path, name: str, is_short: bool) -> None:
    scenario = SCENARIOS[name]
    mirror = Mirror(root, start(), StandingClock())
    scenario.before(mirror)
    scenario.change(mirror.upstream)
    before = mirror.disk.now.copy()
    mirror.boot(before.copy())
    fs = FullFs(mirror.disk)
    mirror.run(scenario.whitelist, scenario.state, fs)
    result = served(root)
    again = Again(mirror, lambda: mirror.run(scenario.whitelist, scenario.state))
    for call in range(1, fs.growing + 1):
        mirror.boot(before.copy())
        named = names(root)
        try:
            outcome = mirror.run(scenario.whitelist, scenario.state, FullFs(mirror.disk, call, is_short=is_short))
        except OSError:
            assert call == 1, "only a run that can't even record its start may end like this"
        else:
            assert outcome.problems or is_short
        invariants.at_any_time(root)
        assert told(root) <= named | names(root), "the other node would publish what nobody published here"
        if again.is_new():
            assert served(root) == result
            invariants.ledger_is_in_order(root)


@pytest.mark.parametrize("free", [0, 100, 150, 1000])
def test_the_reserve_stays_free(root: Path, free: int) -> None:
    mirror = Mirror(root, start(), StandingClock())
    fs = FullFs(mirror.disk, free=(100 + free, 1000, 1 << 20))
    outcome = mirror.run([entry(FIRST)], fs=fs, reserve=10)
    assert fs.fetched <= free
    assert bool(outcome.problems) == (free < sum(map(len, FILES.values())))
    assert all("is full" in str(problem) for problem in outcome.problems.values())


def test_without_inodes_nothing_is_fetched(root: Path) -> None:
    mirror = Mirror(root, start(), StandingClock())
    fs = FullFs(mirror.disk, free=(1 << 40, 1 << 41, 5000))
    assert mirror.run([entry(FIRST)], fs=fs).problems and not fs.fetched
