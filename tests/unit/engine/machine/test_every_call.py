# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut a run at each system call that changes the disk, by a crash and by a power cut, and run again.

The run is made once and recorded; each cut starts from what the record says is there then.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.summary import SUMMARY
from unit.engine.machine import invariants
from unit.engine.machine.again import Again
from unit.engine.machine.disk import Disk, Tree
from unit.engine.machine.faulty_fs import Crash, CrashingFs
from unit.engine.machine.mirror import Mirror, served, visible
from unit.engine.machine.profile import CUTS, FULL, PAIRS, SEED
from unit.engine.machine.scenarios import FIRST, SCENARIOS, Scenario, start
from unit.engine.machine.upstream import StandingClock

PEOPLE = [name for name, scenario in SCENARIOS.items() if scenario.person]


@dataclass
class Recorded:
    """A run that was not cut: the disk before it, the number of its calls, and what it led to."""

    scenario: Scenario
    mirror: Mirror
    before: Tree
    disk: Disk
    marks: list[int]
    result: dict[str, object]

    def __post_init__(self) -> None:
        self._again = Again(self.mirror, self.run)

    @property
    def root(self) -> Path:
        return self.mirror.root

    def run(self, fs: CrashingFs | None = None) -> None:
        if self.scenario.person:
            self.mirror.change(FIRST, self.scenario.person, fs)
        outcome = self.mirror.run(self.scenario.whitelist, self.scenario.state, fs)
        assert not outcome.problems

    def run_again(self) -> None:
        """Do what an operator or a timer does after a cut, and see that it leads to the same."""
        invariants.at_any_time(self.root)
        if not self._again.is_new():
            return
        assert served(self.root) == self.result
        invariants.history(self.root)
        invariants.ledger_is_in_order(self.root)
        assert not self.mirror.plan(self.scenario.whitelist, self.scenario.state).changed


@pytest.fixture(params=SCENARIOS)
def recorded(request: pytest.FixtureRequest, root: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    # a run that is made again writes what it wrote before
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=1))
    scenario = SCENARIOS[request.param]
    mirror = Mirror(root, start(), StandingClock())
    scenario.before(mirror)
    scenario.change(mirror.upstream)
    before = mirror.disk.now.copy()
    mirror.boot(before.copy())
    recording = mirror.disk
    fs = CrashingFs(recording)
    found = Recorded(scenario, mirror, before, recording, [], {})
    found.run(fs)
    invariants.at_rest(root)
    assert not mirror.damage(left_over=not scenario.leaves)
    mirror.disk = Disk(root)  # the record is kept
    found.marks, found.result = [*fs.marks, len(recording.events)], served(root)
    return found


def different(trees: Iterator[Tree]) -> Iterator[Tree]:
    """Yield each tree once: many calls change nothing that a cut would show."""
    seen = set()
    for tree in trees:
        key = hash(repr(tree.described()))
        if key not in seen:
            seen.add(key)
            yield tree


def test_a_crash_and_a_power_cut(recorded: Recorded) -> None:
    """They are one test, as a power cut often leaves what a crash does."""
    crashes = (recorded.disk.after_crash(mark) for mark in recorded.marks)
    cuts = (
        recorded.disk.after_power_cut(mark, Random(f"{SEED} {mark} {number}"), how)
        for mark in recorded.marks
        for number, how in enumerate(CUTS)
    )
    for tree in different(itertools.chain(crashes, cuts)):
        recorded.mirror.boot(tree)
        recorded.run_again()


def test_a_power_cut_in_the_run_after_a_crash(recorded: Recorded) -> None:
    """What a crash left is there, and not durable for that."""
    random = Random(SEED)
    for number in range(PAIRS):
        recorded.mirror.boot(recorded.before.copy())
        crash(recorded, random.randint(1, len(recorded.marks)))
        crash(recorded, random.randint(1, len(recorded.marks)))
        disk = recorded.mirror.disk
        recorded.mirror.boot(disk.after_power_cut(len(disk.events), random, CUTS[number % len(CUTS)]))
        recorded.run_again()


def test_what_a_run_did_is_durable(recorded: Recorded) -> None:
    shown = visible(recorded.root)
    recorded.mirror.boot(recorded.disk.all_synced())
    assert visible(recorded.root) == shown


@pytest.mark.parametrize(
    "recorded", SCENARIOS if FULL else ["moved ref", "views", "removal of a repository"], indirect=True
)
def test_what_the_run_after_a_crash_leaves_is_durable(recorded: Recorded) -> None:
    """It counts on names that the crash left, which were not durable."""
    for call in range(1, len(recorded.marks), 1 if FULL else 3):
        recorded.mirror.boot(recorded.before.copy())
        crash(recorded, call)
        recorded.run()
        recorded.mirror.boot(recorded.mirror.disk.all_synced())
        recorded.run_again()


@pytest.mark.parametrize("recorded", PEOPLE, indirect=True)
def test_what_a_person_is_told_is_durable(recorded: Recorded) -> None:
    """Also where no run came between a crash and the person's next try."""
    mirror, decide = recorded.mirror, recorded.scenario.person
    assert decide
    for call in itertools.count(1):
        mirror.boot(recorded.before.copy())
        fs = CrashingFs(mirror.disk, call)
        with contextlib.suppress(Crash):
            mirror.change(FIRST, decide, fs)
        mirror.change(FIRST, decide)
        refs, listed, _views = visible(recorded.root)  # a view is brought up to date by the next run
        mirror.boot(mirror.disk.all_synced())
        assert visible(recorded.root)[:2] == (refs, listed)
        if not fs.dead:
            break


def crash(recorded: Recorded, call: int) -> None:
    fs = CrashingFs(recorded.mirror.disk, call)
    try:
        recorded.run(fs)
    except Crash:
        assert fs.dead
    else:
        assert fs.calls < call


@pytest.mark.parametrize("recorded", SCENARIOS if FULL else ["moved ref", "removal of a repository"], indirect=True)
def test_the_record_tells_what_a_crash_leaves(recorded: Recorded) -> None:
    """Nothing in the engine does anything to the disk on its way out of a crash."""
    for call, mark in enumerate(recorded.marks[:-1], start=1):
        recorded.mirror.boot(recorded.before.copy())
        crash(recorded, call)
        assert without_inodes(recorded.mirror.disk.now) == without_inodes(recorded.disk.after_crash(mark))


def without_inodes(tree: Tree) -> dict[str, object]:
    """Return what is there; a summary begins with what it was made of, which is inodes."""
    found = tree.described()
    for path, what in found.items():
        if path.endswith((f"/{SUMMARY}", f"/{SUMMARY}.draft")) and isinstance(what, tuple):
            found[path] = re.sub(rb"^1 [0-9a-f]*", b"", what[1].data)
    return found


def test_the_model_is_what_is_on_the_disk(recorded: Recorded) -> None:
    real, model = Disk(recorded.root).now.described(), recorded.disk.now.described()
    for path, what in real.items():
        if not path.startswith(("locks/", "ledger/lock")):  # locks are opened by themselves
            there = model[path]
            if isinstance(what, tuple) and isinstance(there, tuple) and there[1].mtime is None:
                assert (what[0], what[1].data, what[1].mode) == (there[0], there[1].data, there[1].mode)
            else:
                assert what == there
    assert set(model) <= set(real)
