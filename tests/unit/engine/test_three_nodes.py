# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three nodes that follow each other, one of which may be away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.peer import PeerError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from unit.engine.two_nodes import BOTH, SWAPPER, Pair, commits

from hub.process import HubProcess


@pytest.fixture
def three(tmp_path: Path, hub: HubProcess) -> Iterator[Pair]:
    nodes = Pair(tmp_path, hub, "abc")
    yield nodes
    for node in nodes.nodes.values():
        node.kill()


def test_all_have_the_same_whoever_decides(three: Pair) -> None:
    three.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 0})
    three.sync("a")
    for name in "bca":
        three.follow(name)
    three.assert_equal()
    three.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 1})
    three.sync("b", [{"repo_id": SWAPPER.repo_id, "views": ["heads"]}], "exact")
    # c hears of it from both, in whichever order, and a last
    for name in "bcabca":
        three.follow(name)
    three.assert_equal()


def test_one_that_is_away_holds_nothing_up(three: Pair) -> None:
    three.sync("a")
    three.follow("b")
    three.nodes["c"].kill()
    three.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 0})
    outcome = three.engine("a").run(parse(BOTH))
    assert any("published without a peer" in one and three.nodes["c"].url in one for one in outcome.plan.warnings)
    done = three.follow("b")
    assert commits(three, "b", SWAPPER) == commits(three, "a", SWAPPER)
    assert list(done.away) == [three.nodes["c"].url]


def test_nobody_to_ask(three: Pair) -> None:
    for name in "bc":
        three.nodes[name].kill()
    with pytest.raises(PeerError, match="can't be reached"):
        three.engine("a").follow()
