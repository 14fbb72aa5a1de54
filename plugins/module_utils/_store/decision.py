# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node last decided what a pair can't merge: whose files views hold, what waits for a person, what is retired.

Refs have serials and marks have times, so that nodes merge them whichever looks first. For the rest the later decision
counts as a whole: a node that follows one which is behind takes back nothing of what a run here has just decided.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._base import fs as _fs
from .._base.clock import seconds_of, stamp
from .._border.history import time_of
from .._border.json import AnswerProblem, mapping, read_document
from .store import Store

#: A clock that is wrong by more must not have the last word for years.
AHEAD = 86400


@dataclass(frozen=True)
class Decision:
    """When somebody last decided, and on which node; both are empty where nobody has yet."""

    time: str = ""
    node: str = ""

    def to_json(self) -> dict[str, str]:
        """Return a value that ``from_json`` understands."""
        return {"time": self.time, "node": self.node}

    @classmethod
    def from_json(cls, value: Any) -> Decision:
        """Read what ``to_json`` wrote. Raises NameProblem."""
        told = mapping(value, "a decision")
        return cls(time_of(told.get("time")), node_of(told.get("node"))) if told.get("time") else cls()

    def leads(self, teller: str, mine: Decision, now: float) -> bool:
        """Say whether what the node ``teller`` tells counts more than what is decided here. ``now``: seconds."""
        theirs, ours = (one.time if one.time <= stamp(now + AHEAD) else "" for one in (self, mine))
        # who decided goes on deciding under the same time until its run ends
        return theirs > ours or (theirs == ours and self.node == teller)


def node_of(value: Any) -> str:
    """Return the id of a node. Raises AnswerProblem."""
    if not isinstance(value, str) or len(value) != 32 or not value.isalnum():
        raise AnswerProblem("the id of a node is 32 letters and digits")
    return value


def read_decision(store: Store) -> tuple[Decision, str]:
    """Return the last decision that counts here, and this node's id, empty where it never decided.

    What can't be read is as nothing: the next run decides anew.
    """
    try:
        told = mapping(read_document(_file(store)), "it")
        return Decision.from_json(told), node_of(told["self"]) if told.get("self") else ""
    except (OSError, ValueError):
        return Decision(), ""


def own_node(store: Store) -> str:
    """Return this node's id, which it gets here where it has none yet. The run lock must be held."""
    last, own = read_decision(store)
    if not own:
        own = uuid.uuid4().hex
        _write(store, last, own)
    return own


def decide(store: Store) -> None:
    """Note that a run is about to decide. The run lock must be held."""
    last = read_decision(store)[0]
    own = own_node(store)
    now = store.clock.now()
    later = seconds_of(last.time) + 1 if last.time and last.time <= stamp(now + AHEAD) else 0.0
    _write(store, Decision(stamp(max(now, later)), own), own)


def adopt(store: Store, decision: Decision) -> None:
    """Note that all of what another node decided is here."""
    last, own = read_decision(store)
    if decision != last:
        _write(store, decision, own)


def _write(store: Store, decision: Decision, own: str) -> None:
    content = json.dumps({**decision.to_json(), "self": own}).encode()
    _fs.replace_file(store.fs, _file(store), content, store.staging)


def _file(store: Store) -> Path:
    return store.root / "ledger" / "decision.json"
