# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of a store whose own files say what they can't: all else is told, and the metrics are written."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import stamp
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.describe import describe
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.traffic_count import count
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli.metrics import exposition
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.node_state import NodeState, note_state
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.peer_status import PeerStatus, write_peers
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from unit.cli.test_audit import line

Run = Callable[..., dict[str, Any]]
WRONG: list[Any] = ["x", -1, 1e300, True, None, [], {}, [1], {"a": 1}]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where each value is in a document, and each list and mapping, too."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from leaves(one, (*path, key))


@pytest.fixture
def full(sync: Run, store: Path, tmp_path: Path) -> Store:
    """A store with each of these files."""
    sync({"repo_id": "stand-in/tiny-model"}, {"repo_id": "no/such"})
    Engine(Settings(store)).scrub([], repair=False)
    found = Store(store)
    note_state(found, "active")
    node = NodeState("active", stamp(0))
    write_peers(found, [PeerStatus("http://two", 1.0, 1.0, "it is away", since=1.0, node=node)])
    (tmp_path / "access.log").write_bytes(line() + line(1, status=404, error="RepoNotFound", commit=""))
    count(found, tmp_path / "access.log")
    return found


@pytest.mark.parametrize("name", ["traffic.json", "scrub.json", "peers.json", "state.json"])
def test_each_value_of_each_wrong_type(full: Store, tmp_path: Path, name: str) -> None:
    file = full.root / "ledger" / name
    right = json.loads(file.read_text())
    assert describe(full)["entries"] and list(leaves(right))
    for path in leaves(right):
        for wrong in WRONG:
            document = copy.deepcopy(right)
            inner = document
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = wrong
            file.write_text(json.dumps(document))
            found = describe(full)
            # an empty state knows of no failure
            assert len(found["entries"]) in (1, 2), (path, wrong)
            assert b"hf_mirror_store_bytes" in exposition(found), (path, wrong)
            if name == "traffic.json":
                assert count(full, tmp_path / "access.log") in (0, 2), (path, wrong)


def test_a_repository_that_can_not_be_read_at_all(full: Store) -> None:
    (full.root / "hub/models--stand-in--tiny-model/.mirror/marks.json").mkdir()
    (told,) = describe(full)["repos"]
    assert "Is a directory" in told["problem"]
