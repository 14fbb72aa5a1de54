# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a store into order that something killed has left: the first step of all that holds the run lock."""

from __future__ import annotations

from typing import Any

from .._store.store import Store
from .._store.views import Views
from .collect import Collector
from .purge import Purge


def recover(store: Store, about: dict[str, Any], grace: float) -> None:
    """Do it, and say so in the ledger. ``about`` is for its records, ``grace`` in seconds."""
    done = [*store.recover(), *Collector(store, about, grace).recover()]
    done += [f"{name} was being purged" for name in Purge(store, str(about["actor"])).finish()]
    Views(store).recover()
    for what in done:
        store.ledger.append("recover", durable=False, **about, what=what)
