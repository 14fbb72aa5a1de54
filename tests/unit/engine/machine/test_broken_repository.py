# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody or something broke in one repository is told, stays as it is, and is nobody else's trouble."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.engine.machine import invariants
from unit.engine.machine.mirror import Mirror, served
from unit.engine.machine.scenarios import FIRST, OTHER, SECOND, entry, start
from unit.engine.machine.upstream import StandingClock

BOTH = [entry(FIRST, views=["flat"]), entry(SECOND, views=["own"])]
BROKEN = f"hub/{FIRST.folder}"


@pytest.fixture
def mirror(root: Path) -> Mirror:
    mirror = Mirror(root, start(), StandingClock())
    mirror.run(BOTH)
    return mirror


@pytest.mark.parametrize("name", ["history.json", "pending.json", "marks.json", "rev/COMMIT/info.blobs.json"])
@pytest.mark.parametrize("content", [b"", b'{"siblings": '])
@pytest.mark.parametrize("state", ["present", "exact"])
def test_it_fails_alone(mirror: Mirror, name: str, content: bytes, state: str) -> None:
    commit = mirror.upstream.repos[FIRST].refs["main"]
    (mirror.root / BROKEN / ".mirror" / name.replace("COMMIT", commit)).write_bytes(content)
    (mirror.root / BROKEN / ".mirror/build").mkdir()  # as a run that was killed leaves it
    (mirror.root / "hub" / SECOND.folder / ".mirror/build").mkdir()
    mirror = Mirror(mirror.root, mirror.upstream, mirror.clock)
    mirror.upstream.commit(FIRST, {"model.bin": b"new"})
    mirror.upstream.commit(SECOND, {**OTHER, "new.bin": b"new"})
    before = served(mirror.root)
    mirror.recovered = lambda: None  # it is not in order
    outcome = mirror.run(BOTH, state)
    assert outcome.problems.keys() == {"org/first@main"}
    assert "can't be read" in str(outcome.problems["org/first@main"])
    after = served(mirror.root)
    kept = (f"{BROKEN}/", "views/flat", "views/.flat")
    assert {p: w for p, w in before.items() if p.startswith(kept)} == {
        p: w for p, w in after.items() if p.startswith(kept)
    }
    second = mirror.root / "hub" / SECOND.folder
    assert invariants.refs(second) == {"main": mirror.upstream.repos[SECOND].refs["main"]}
    assert not (second / ".mirror/build").exists()
    assert (mirror.root / "views/own/new.bin").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["history.json", "marks.json"])
@pytest.mark.parametrize("state", ["exact", "absent"])
def test_it_can_be_removed(mirror: Mirror, name: str, state: str) -> None:
    (mirror.root / BROKEN / ".mirror" / name).write_bytes(b"")
    mirror = Mirror(mirror.root, mirror.upstream, mirror.clock)
    mirror.recovered = lambda: None
    whitelist = [entry(SECOND, views=["own"])] if state == "exact" else [entry(FIRST)]
    assert not mirror.run(whitelist, state).problems
    assert not (mirror.root / BROKEN).exists() and not (mirror.root / "views/flat").is_symlink()
