# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Note how the other nodes fare, for people: when they change, and else once a minute."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection

from .._base.errors import MirrorError
from .._fetch.peer import Peer, PeerError
from .._store.catalogue import read_catalogue
from .._store.peer_status import PeerStatus, read_peers, write_peers
from .._store.store import Store
from .compare import differences

_INTERVAL = 60


class PeerWatch:
    """What is known of the other nodes, by their URLs."""

    def __init__(self, store: Store, endpoints: Collection[str]) -> None:
        self._store = store
        self._known = {one.endpoint: one for one in read_peers(store) if one.endpoint in endpoints}
        self._written = 0.0

    def answered(self, peer: Peer, problem: str, is_level: bool) -> None:
        """Note that a peer answered. ``is_level``: neither store changed since the last time."""
        now, old = self._store.clock.now(), self._known.get(peer.endpoint)
        differ = old.differences if old and is_level else None
        try:
            if differ is None:
                differ = sum(1 for _one in differences(read_catalogue(self._store), peer.catalogue()))
            node = peer.node()
        except PeerError as away:  # since then
            self.away(peer, away)
        else:
            self._note(PeerStatus(peer.endpoint, now, now, problem, differ, node=node))

    def away(self, peer: Peer, problem: MirrorError) -> None:
        """Note that a peer gave no answer."""
        old = self._known.get(peer.endpoint)
        last = old.answered if old else None
        self._note(PeerStatus(peer.endpoint, self._store.clock.now(), last, str(problem)))

    def _note(self, new: PeerStatus) -> None:
        old = self._known.get(new.endpoint)
        if not new.is_well:
            since = old.since if old and not old.is_well else new.asked
            new = dataclasses.replace(new, since=since)
        self._known[new.endpoint] = new
        is_news = old is None or _lasting(old) != _lasting(new)
        if is_news or new.asked - self._written >= _INTERVAL or new.asked < self._written:
            self._written = new.asked
            with contextlib.suppress(OSError):  # a full disk is told by who needs it
                write_peers(self._store, self._known.values())


def _lasting(status: PeerStatus) -> PeerStatus:
    return dataclasses.replace(status, asked=0.0, answered=None)
