# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of loads of a model, and what counts as answered by a mirror."""

from __future__ import annotations

import json

import pytest

from bench.loads import Loading, Loads, hits, loads_of


def test_mean_and_p99_are_of_what_ended_well() -> None:
    results = [(float(second), True) for second in range(1, 102)]
    loads = loads_of([(1000.0, False), *reversed(results), (2000.0, False)])
    assert (loads.count, loads.mean, loads.p99) == (103, 51, 100)


def test_failures() -> None:
    loads = loads_of([(1.0, True), (2.0, False), (3.0, True), (4.0, True)])
    assert loads.failures == 0.25
    assert loads == Loads([1.0, 3.0, 4.0], [2.0])


@pytest.mark.parametrize(
    ("status", "is_hit"),
    [(200, True), (206, True), (304, True), (307, True), (302, False), (401, False), (404, False), (503, False)],
)
def test_hits(status: int, is_hit: bool) -> None:
    log = [json.dumps({"uri": "/", "status": code}) for code in (200, status)]
    assert hits(log) == (2, 1 + is_hit)


def test_time_beside_the_waits() -> None:
    direct = Loads([3.0, 4.0], [3.0])
    found = Loading(1, 1, direct, direct, direct, waits=9.0, spoiled=1, requests=1, answered=1, upstream=0)
    assert found.beside_waits == pytest.approx(0.1)
