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
from .._border.json import read_document
from .node_state import NodeState
from .store import Store


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
        """Read what ``to_json`` wrote. Raises ValueError, TypeError, KeyError."""
        node = value.pop("node")
        return cls(**value, node=NodeState.from_json(node) if node else None)


def read_peers(store: Store) -> list[PeerStatus]:
    """Return what was found last: nothing where nobody follows."""
    try:
        return [PeerStatus.from_json(one) for one in read_document(store.root / "ledger" / "peers.json")]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


def write_peers(store: Store, peers: Iterable[PeerStatus]) -> None:
    """Write down what was found. Whoever follows does so alone."""
    content = json.dumps([one.to_json() for one in peers]).encode()
    _fs.replace_derived(store.fs, store.root / "ledger" / "peers.json", content)
