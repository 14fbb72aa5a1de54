# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes whose clocks differ by days: what a person does last, knowing of the rest, holds on all of them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import LATEST, Clock, stamp_after
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.refs import Marking
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.ref_change import make_change
from unit.engine.two_nodes import TINY, Pair, commits

NOW = 1767312000.0  # 2026-01-02


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ("", "2026-01-02T00:00:00Z"),
        ("2025-12-31T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("2026-01-02T00:00:00Z", "2026-01-02T00:00:01Z"),
        ("2026-03-01T23:59:59Z", "2026-03-02T00:00:00Z"),
        (LATEST, LATEST),
    ],
    ids=["none", "over", "the same second", "to come", "the last of all"],
)
def test_a_time_after_a_known_one(known: str, expected: str) -> None:
    assert stamp_after(known, NOW) == expected


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock of who acts next so many days ahead of the right time."""
    real = time.time

    def ahead(number: float) -> None:
        monkeypatch.setattr(Clock, "now", lambda _clock: real() + number * 86400)

    return ahead


@pytest.mark.parametrize("kind", ["pins", "frozen"])
@pytest.mark.parametrize("last", [True, False], ids=["set", "taken away"])
def test_the_last_mark_holds(pair: Pair, days: Callable[[float], None], kind: str, last: bool) -> None:
    pair.hub.control("move", {"repo_id": TINY.repo_id, "commit": 0})
    pair.sync("a")
    pair.follow("b")
    name = commits(pair, "a", TINY)["main"] if kind == "pins" else "main"

    def mark(node: str, is_set: bool) -> None:
        make_change(pair.store(node), TINY, lambda _facts: Marking(TINY, kind, name, is_set), node)

    days(5)
    mark("b", last)
    mark("b", not last)
    days(0)
    pair.follow("a")
    mark("a", last)
    for node in "baba":
        pair.follow(node)
    for node in "ab":
        assert (name in getattr(pair.store(node).repository(TINY).facts(), kind)) is last
