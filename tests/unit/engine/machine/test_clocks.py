# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock that was wrong for a while: records stay in order, nothing is forbidden for years."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from unit.engine.machine import invariants
from unit.engine.machine.faulty_fs import CrashingFs
from unit.engine.machine.mirror import Mirror
from unit.engine.machine.scenarios import FIRST, SHARED, entry, start
from unit.engine.machine.upstream import StandingClock

DAY = 86400


def test_records_stay_in_order(root: Path) -> None:
    clock = StandingClock()
    mirror = Mirror(root, start(), clock)
    for days in (0, 400, -40):
        mirror.run([entry(FIRST)])
        clock.seconds += days * DAY
    mirror.run([entry(FIRST)])
    runs = [record["run"] for record in invariants.ledger(root) if record["kind"] == "start"]
    assert runs == [1, 2, 3, 4]
    assert len(list((root / "ledger").glob("*.jsonl"))) == 2


def test_wrong_content_is_asked_for_again_after_the_clock_was_set_back(root: Path) -> None:
    clock = StandingClock()
    mirror = Mirror(root, start(), clock)
    mirror.upstream.flipped = {SHARED}
    clock.seconds += 3000 * DAY
    assert mirror.run([entry(FIRST)]).problems
    mirror.upstream.flipped = set()
    assert mirror.run([entry(FIRST)]).problems  # too early
    clock.seconds -= 3000 * DAY
    assert not mirror.run([entry(FIRST)]).problems


def test_the_first_record_of_a_month_is_durable(root: Path) -> None:
    """Also when those before it need not be."""
    clock = StandingClock()
    mirror = Mirror(root, start(), clock)
    mirror.run([entry(FIRST)])
    ledger = Store(root, CrashingFs(mirror.disk), clock).ledger
    clock.seconds += 40 * DAY
    ledger.append("seal", durable=False)
    ledger.append("intent")
    mirror.boot(mirror.disk.all_synced())
    assert [record["kind"] for record in invariants.ledger(root)][-1] == "intent"
