# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror follow`` and ``hf-mirror compare``: what a node does with the others."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from .._base.clock import StoppedError
from .._base.errors import as_problem, join
from .._fetch.peer import PeerError
from .._run.compare import Difference
from .._run.compare import compare as differences
from .arguments import FAILED, FINE
from .service import tell_status
from .session import Session
from .terminal import complain

_FINE = "up to date with its peers"


def follow(session: Session) -> int:
    """Have what the peers have: once, or again and again until stopped."""
    engine = session.engine()
    folder = session.config.folder
    interval = session.options.interval
    said: str | None = None
    while True:
        problem = away = ""
        try:
            done = engine.follow(folder)
        except StoppedError:
            raise
        except Exception as error:
            if interval is None:
                raise
            problem = str(as_problem(error))
        else:
            for what, names in (("sealed", done.sealed), ("moved", done.moved), ("removed", done.removed)):
                for name in names:
                    session.terminal.say(f"{what}: {name}")
            problem = "; ".join(f"{name}: {error}" for name, error in done.problems.items())
            away = "; ".join(map(str, done.away.values()))
        trouble = "; ".join(filter(None, (problem, away)))
        # the same trouble every few seconds is said once
        if trouble and trouble != said:
            complain(trouble)
        if interval is None:
            return FAILED if trouble else FINE
        if trouble != said:
            tell_status(f"retries every {interval} s: {trouble}" if trouble else _FINE)
        if said and not trouble:
            session.terminal.say(_FINE)
        said = trouble
        if not problem:  # of three nodes one that is away does not keep the others from serving
            _caught_up()
        try:
            engine.clock.sleep(interval)
        except StoppedError:
            return FINE


def _caught_up() -> None:
    """Leave a mark where systemd says. It is gone when the host starts anew, and the health check looks for it."""
    folder = os.environ.get("RUNTIME_DIRECTORY")
    if folder:
        Path(folder, "caught-up").touch()


def compare(session: Session) -> int:
    """Say what differs between this store and the peers'. What could not be compared is a difference, too."""
    store = session.store()
    found, away = dict[str, list[Difference]](), list[PeerError]()
    for peer in session.peers():
        try:
            found[peer.endpoint] = differences(store, peer)
        except PeerError as problem:
            away.append(problem)
    if not found and away:
        raise PeerError(str(join(away)))
    for one_away in away:
        complain(str(one_away))
    session.terminal.data(
        [{"peer": peer, **dataclasses.asdict(one)} for peer, several in found.items() for one in several]
    )
    rows = [[one.name, one.what, one.here, one.there, peer] for peer, several in found.items() for one in several]
    if not rows and not away:
        session.terminal.say("both stores are equal" if len(found) == 1 else "all stores are equal")
        return FINE
    if rows:
        session.terminal.table(["NAME", "WHAT", "HERE", "THERE", "PEER"], rows)
    else:
        session.terminal.say(f"no differences from {', '.join(found)}")
    return FAILED
