# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror node``: keepalived tells what it made of this node, for the log and the status."""

from __future__ import annotations

from .._store.node_state import note_state
from .arguments import FINE
from .session import Session


def node(session: Session) -> int:
    """Record it. A sync may be under way meanwhile."""
    note_state(session.local_engine().store, session.options.state)
    return FINE
