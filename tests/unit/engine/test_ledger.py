# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger on the disk: torn lines, the state and what it is rebuilt from."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.fs import Fs
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path, Fs(), Clock())


def run(ledger: Ledger, number: int, succeeded: list[str], failed: dict[str, tuple[str, str]]) -> None:
    ledger.append("run", run=number, seconds=number * 100.0, succeeded=succeeded, failed=failed)


@pytest.mark.parametrize(
    "line", [b'{"time":"2026-11-25T02:00:00Z","kind":"pub', b'{"time":"x","kind":"start","run":9}']
)
def test_a_torn_last_line_harms_nothing(ledger: Ledger, tmp_path: Path, line: bytes) -> None:
    """One, too, that lacks the line break alone: to whoever read it before the next one was written it was none."""
    ledger.append("start", run=1)
    (file,) = tmp_path.glob("*.jsonl")
    with file.open("ab") as target:
        target.write(line)
    assert [record["kind"] for record in ledger.records()] == ["start"]
    ledger.append("recover", run=2)
    assert [record["kind"] for record in ledger.records()] == ["start", "recover"]
    assert [record["kind"] for record in ledger.records(newest_first=True)] == ["recover", "start"]
    assert ledger.state().run == 2


@pytest.mark.parametrize("damage", [None, b"", b"{", b'{"run": 1}'])
def test_a_lost_state_is_rebuilt(ledger: Ledger, tmp_path: Path, damage: bytes | None) -> None:
    run(ledger, 1, ["a/b@main"], {"c/d@main": ("c/d is gone", "gone")})
    run(ledger, 2, [], {"c/d@main": ("c/d is gone", "gone")})
    ledger.append("alert", failing=["c/d@main"], recovered=[])
    if damage is not None:
        (tmp_path / "state.json").write_bytes(damage)
    state = ledger.state()
    assert state.run == 2
    assert state.repos["a/b@main"].last_success == 100
    bad = state.repos["c/d@main"]
    assert (bad.failures, bad.cause, bad.last_failure, bad.alerted) == (2, "gone", 200, True)


def test_a_success_ends_a_streak_and_the_alert_is_remembered(ledger: Ledger) -> None:
    state = ledger.state()
    for number in (1, 2, 3):
        state.apply({"kind": "run", "run": number, "seconds": 1.0, "succeeded": [], "failed": {"x": ("no", "no")}})
    state.apply({"kind": "alert", "failing": ["x"], "recovered": []})
    assert state.repos["x"].failures == 3
    state.apply({"kind": "run", "run": 4, "seconds": 9.0, "succeeded": ["x"], "failed": {}})
    assert (state.repos["x"].failures, state.repos["x"].alerted, state.repos["x"].last_success) == (0, True, 9.0)
    ledger.save(state)
    assert ledger.state() == state


def test_what_others_record_before_it_is_saved_is_read_after(ledger: Ledger, tmp_path: Path) -> None:
    """Also a line of which half was there: it is not torn, it is being written."""
    run(ledger, 1, [], {"x": ("no", "no")})
    other = Ledger(tmp_path, Fs(), Clock())
    state = ledger.state()
    run(other, 2, [], {"x": ("no", "no")})
    ledger.save(state)
    assert ledger.state().repos["x"].failures == 2
    (file,) = tmp_path.glob("*.jsonl")
    whole = file.read_bytes()
    run(other, 3, [], {"x": ("no", "no")})
    line = file.read_bytes()[len(whole) :]
    file.write_bytes(whole + line[:20])
    state = ledger.state()
    file.write_bytes(whole + line)
    ledger.save(state)
    assert ledger.state().repos["x"].failures == 3
