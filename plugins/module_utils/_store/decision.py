# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node last decided what nodes can't merge: whose files views hold, what waits for a person, what is retired.

Refs have serials and marks have times, so that nodes merge them whichever looks first. For the rest one decision counts
as a whole, and the rule is: **a run decides when it ends, its decision has a number one higher than any that its node
was told of, the highest number counts, and where its node could not take over what another one decided, it decides only
if nothing of it failed.** So whoever is behind decides nothing away, whatever its clock says, and whoever is left alone
can decide. Of decisions that nodes made apart from each other under one number the later one counts, of one second that
of the node with the higher id.

Until its run ends a node decides on top of what counted before: those for whom the same counts follow it already.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .._base import fs as _fs
from .._base.clock import stamp, stamp_after
from .._base.errors import MirrorError
from .._base.limits import PEER_AHEAD
from .._border.history import number_of, time_of
from .._border.json import mapping, read_document
from .node import known_node, node_of, own_node
from .store import Store

#: A clock that is wrong by more must not have the last word for years.
AHEAD = 86400


@dataclass(frozen=True)
class Decision:
    """What was decided last: its number, when, and on which node, which is empty where nobody has decided yet."""

    number: int = 0
    time: str = ""
    node: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a value that ``from_json`` understands."""
        return {"number": self.number, "time": self.time, "node": self.node}

    @classmethod
    def from_json(cls, value: Any) -> Decision:
        """Read what ``to_json`` wrote. Raises NameProblem."""
        told = mapping(value, "a decision")
        if not told.get("time"):
            return cls()
        # older versions count no decisions
        number = number_of(told.get("number", 0), "the number of a decision", least=0)
        return cls(number, time_of(told["time"]), node_of(told.get("node")))

    def beats(self, other: Decision, now: float) -> bool:
        """Say whether this one counts and not the other one. ``now``: seconds."""
        if not (self.node and other.node):
            return bool(self.node) and not other.node
        if self.number and other.number:
            return (self.number, self.time, self.node) > (other.number, other.time, other.node)
        latest = stamp(now + AHEAD)
        mine, others = ((one.time if one.time <= latest else "", one.node) for one in (self, other))
        return mine > others

    def check(self, known: Decision) -> None:
        """Raise MirrorError where it can't be what came after a known one: there is an end to what can be counted."""
        if self.number > known.number + PEER_AHEAD:
            raise MirrorError(f"the peer has decision number {self.number}, which can't be right: it is ignored")


@dataclass(frozen=True)
class Standing:
    """Where a node stands: its id, empty where it has none yet, and the decision that counts there.

    ``is_deciding``: a run of it is under way, or died, that decides on top of that. ``seen``: the highest decision that
    any node told it, which it may not have been able to follow.
    """

    node: str = ""
    last: Decision = field(default_factory=Decision)
    is_deciding: bool = False
    seen: Decision = field(default_factory=Decision)

    def to_json(self) -> dict[str, Any]:
        """Return what other nodes are told; ``from_json`` understands it."""
        return {"node": self.node, "decision": {**self.last.to_json(), "deciding": self.is_deciding}}

    @classmethod
    def from_json(cls, told: Any) -> Standing:
        """Read what ``to_json`` wrote. Raises NameProblem."""
        last = mapping(told.get("decision", {}), "a decision")
        node = node_of(told["node"]) if told.get("node") else ""
        return cls(node, Decision.from_json(last), last.get("deciding", False) is True)

    def leads(self, mine: Standing, now: float) -> bool:
        """Say whether what this node has counts more than what the own one has. ``now``: seconds."""
        if self.last != mine.last:
            return self.last.beats(mine.last, now)
        # who decided goes on under the same number: what gc retires there is of that decision
        return self.is_deciding or self.last.node in ("", self.node)

    def is_behind(self, now: float) -> bool:
        """Say whether it lacks what another node has decided. ``now``: seconds."""
        return self.seen.beats(self.last, now)


def read_standing(store: Store) -> Standing:
    """Return where this node stands. What can't be read is as nothing: the next run decides anew."""
    node = known_node(store)
    try:
        told = mapping(read_document(_file(store)), "it")
        known = Standing.from_json({"node": node, "decision": told.get("decision", {})})
        return replace(known, seen=Decision.from_json(told.get("seen", {})))
    except (OSError, ValueError):
        return Standing(node)


def begin(store: Store) -> None:
    """Note that a run is about to change what is decided. The run lock must be held."""
    own_node(store)
    known = read_standing(store)
    _write(store, known, replace(known, is_deciding=True))


def decide(store: Store) -> None:
    """Note that what was begun is done, and counts. The run lock must be held."""
    known, now = read_standing(store), store.clock.now()
    # older versions go by the time
    before = known.last.time if known.last.time <= stamp(now + AHEAD) else ""
    number = max(known.last.number, known.seen.number) + 1
    _write(store, known, Standing(last=Decision(number, stamp_after(before, now), own_node(store)), seen=known.seen))


def note_seen(store: Store, told: Decision) -> None:
    """Note what another node has decided, before it is followed. The run lock must be held."""
    known = read_standing(store)
    if told.beats(known.seen, store.clock.now()):
        _write(store, known, replace(known, seen=told))


def adopt(store: Store, decision: Decision) -> None:
    """Note that all of what another node decided is here. The run lock must be held."""
    known = read_standing(store)
    _write(store, known, replace(known, last=decision, is_deciding=False))


def _write(store: Store, known: Standing, new: Standing) -> None:
    if (known.last, known.is_deciding, known.seen) != (new.last, new.is_deciding, new.seen):
        told = {"decision": new.to_json()["decision"], "seen": new.seen.to_json()}
        _fs.replace_file(store.fs, _file(store), json.dumps(told).encode(), store.staging)


def _file(store: Store) -> Path:
    return store.root / "ledger" / "decision.json"
