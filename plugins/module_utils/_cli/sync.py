# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror sync`` and ``hf-mirror plan``."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from .._base.clock import StoppedError
from .._base.errors import sentence
from .._base.lock import BusyError
from .._plan.report import diff, result, table
from .._plan.wanted import Wanted
from .._run.engine import Engine, Outcome
from .arguments import FAILED, FINE, STOPPED
from .session import Session
from .terminal import Terminal, complain
from .watch import Watch

#: Seconds that a run has to end by itself when it is stopped, and between two looks whether it is.
_GRACE, _INTERVAL = 3.0, 0.2


def sync(session: Session) -> int:
    """Bring the whitelist into the store."""
    wanted = session.config.wanted()
    engine = session.engine(wanted)
    root = engine.store.root
    if root.parent.is_dir() and not root.exists():
        root.mkdir()
    watch = Watch(engine.store, session.terminal)
    while True:
        try:
            with _ended_in_time(engine, session.terminal), watch.beside(engine.progress.to_json):
                outcome = engine.run(wanted, session.options.state)
        except BusyError as problem:
            if not session.options.wait:
                raise
            session.terminal.say(f"{problem}: waiting for its end")
            watch.follow()
        else:
            return _conclude(session, outcome, wanted, "nothing had to be done")


def plan(session: Session) -> int:
    """Say what a sync would do."""
    wanted = session.config.wanted()
    engine = session.engine(wanted)
    with Watch(engine.store, session.terminal).beside(engine.progress.to_json):
        outcome = engine.plan(wanted, session.options.state)
    changes = diff(outcome.plan)
    for sign, lines, style in (("-", changes["before"], "red"), ("+", changes["after"], "green")):
        for line in lines.splitlines():
            session.terminal.say(f"{sign} {line}", style)
    rows = table(outcome.plan)
    if rows:
        session.terminal.table(["REPOSITORY", "REF", "OLD", "NEW", ">FILES", ">SIZE"], rows)
    return _conclude(session, outcome, wanted, "nothing is to be done")


@contextlib.contextmanager
def _ended_in_time(engine: Engine, terminal: Terminal) -> Iterator[None]:
    """Don't wait for a server that keeps silent once the run is to end: it may be cut at any instant."""
    ended = threading.Event()

    def wait() -> None:
        while not ended.wait(_INTERVAL):
            try:
                engine.clock.check()
            except StoppedError as problem:
                if not ended.wait(_GRACE):
                    engine.store.ledger.append("stopped", actor=engine.settings.actor)
                    terminal.progress(None)
                    complain(str(problem))
                    os._exit(STOPPED)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _conclude(session: Session, outcome: Outcome, wanted: list[Wanted], nothing: str) -> int:
    """Show what came out, for people or as JSON, and return the exit code."""
    answer = {"changed": outcome.changed, **result(outcome.plan, outcome.problems), "diff": diff(outcome.plan)}
    if outcome.problems:
        answer["msg"] = sentence(outcome.problems, len(wanted))
    session.terminal.data(answer)
    for warning in outcome.plan.warnings:
        session.terminal.say(f"warning: {warning}", "yellow")
    if outcome.problems:
        complain(answer["msg"])
        return FAILED
    if not outcome.plan.changes:
        session.terminal.say(nothing)
    return FINE
