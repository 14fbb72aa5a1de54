# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a store into order that something killed has left: the first step of all that holds the run lock."""

from __future__ import annotations

from typing import Any

from .._base.errors import MirrorError
from .._store.store import Store
from .._store.views import Views
from .gc import GarbageCollector
from .purge import Purge

_SILENT = "a run ended without a message: it was killed, the system ran out of memory, or the host went down"


def settle(store: Store) -> None:
    """Say so in the ledger where a run died that could not say it itself. The run lock must be held."""
    number = store.ledger.state().under_way
    if number is not None:
        note_death(store, MirrorError(f"{_SILENT} (run {number})", cause=_SILENT), run=number)


def note_death(store: Store, problem: MirrorError, **about: Any) -> None:
    """Record that a run died, which people are told. ``run`` is None of one that did not even begin."""
    about.update(message=str(problem), cause=problem.cause, seconds=store.clock.now())
    if problem.trace:
        about["trace"] = problem.trace
    store.ledger.append("died", **about)


def recover(store: Store, about: dict[str, Any], grace_seconds: float) -> None:
    """Do it, and say so in the ledger. ``about`` is for its records."""
    done = [*store.recover(), *GarbageCollector(store, about, grace_seconds).recover()]
    done += [f"{name} was being purged" for name in Purge(store, str(about["actor"])).finish()]
    Views(store).recover()
    for what in done:
        store.ledger.append("recover", durable=False, **about, what=what)
