# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keepalived made of this node of a pair, in ``node.json``, which the other nodes read."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from .._base import fs as _fs
from .._base.lock import locked
from .._base.names import shown
from .._border.history import number_of, time_of
from .._border.json import AnswerProblem, mapping
from .store import Store

NODE = "node.json"
#: Whoever is active has the floating address.
NODE_STATES = ("active", "standby", "fault", "stopped")


@dataclass(frozen=True)
class NodeState:
    """One of NODE_STATES, since when it is, and how often the node became the active one."""

    state: str
    since: str
    takeovers: int = 0

    @classmethod
    def from_json(cls, value: Any) -> NodeState:
        """Read what another node tells. Raises NameProblem."""
        told = mapping(value, "it")
        if told.get("state") not in NODE_STATES:
            raise AnswerProblem(f"{shown(told.get('state'))} is no state of a node")
        takeovers = number_of(told.get("takeovers", 0), "takeovers", least=0)
        return cls(told["state"], time_of(told.get("since")), takeovers)


def note_state(store: Store, state: str) -> None:
    """Record what this node is from now on, and tell the other nodes."""
    store.ledger.append("node", state=state)
    with locked(store.root / "ledger" / "lock", wait=True):
        now = store.ledger.state().node
        _fs.replace_derived(store.fs, store.root / NODE, json.dumps(now).encode())


def to_json(node: NodeState | None) -> dict[str, Any] | None:
    """Return a value that ``from_json`` understands."""
    return dataclasses.asdict(node) if node else None
