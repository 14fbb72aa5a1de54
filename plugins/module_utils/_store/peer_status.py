# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the other nodes fare, as this one found when it asked them last: ``ledger/peers.json``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .._base import fs as _fs
from .._border.history import number_of
from .._border.json import AnswerProblem, mapping, read_document, sequence
from .node_state import NodeState
from .store import Store

#: Nodes of one mirror.
_MOST = 1_000


@dataclass(frozen=True)
class PeerStatus:
    """One of the other nodes. Times are seconds since 1970.

    ``asked``, ``answered``: when, the last time; ``problem``: why it did not answer, or could not be followed;
    ``differences``: in how many places both stores differ, None where that is not known; ``since``: when there was
    none of both the last time; ``node``: what the peer says that it is.
    """

    endpoint: str
    asked: float
    answered: float | None = None
    problem: str = ""
    differences: int | None = None
    since: float | None = None
    node: NodeState | None = None

    @property
    def is_well(self) -> bool:
        """True where it has what this node has."""
        return not self.problem and self.differences == 0

    def to_json(self) -> dict[str, Any]:
        """Return a value that ``from_json`` understands."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> PeerStatus:
        """Read what ``to_json`` wrote. Raises NameProblem."""
        told = mapping(value, "a peer")

        def number(name: str, fraction: bool = True) -> Any:
            given = told.get(name)
            return None if given is None else number_of(given, name, least=0, fraction=fraction)

        endpoint, problem, node = told.get("endpoint"), told.get("problem"), told.get("node")
        asked, differences, since = number("asked"), number("differences", fraction=False), number("since")
        if not isinstance(endpoint, str) or not isinstance(problem, str) or asked is None:
            raise AnswerProblem("that is no peer")
        if since is None and (problem or differences):
            raise AnswerProblem("a peer that is not well is so since some time")
        state = NodeState.from_json(node) if node else None
        return cls(endpoint, asked, number("answered"), problem, differences, since, state)


def read_peers(store: Store) -> list[PeerStatus]:
    """Return what was found last: nothing where nobody follows."""
    try:
        found = sequence(read_document(store.root / "ledger" / "peers.json"), "peers.json", _MOST)
        return [PeerStatus.from_json(one) for one in found]
    except (OSError, ValueError):
        return []


def write_peers(store: Store, peers: Iterable[PeerStatus]) -> None:
    """Write down what was found. Whoever follows does so alone."""
    content = json.dumps([one.to_json() for one in peers]).encode()
    _fs.replace_derived(store.fs, store.root / "ledger" / "peers.json", content)
