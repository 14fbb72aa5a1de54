# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror sync`` and ``hf-mirror plan``."""

from __future__ import annotations

import os
from functools import partial

from .._base.clock import LimitError, StoppedError
from .._base.errors import sentence
from .._base.lock import BusyError
from .._plan.report import diff, result, table
from .._plan.wanted import Wanted
from .._run.engine import Outcome
from .._run.whitelist import WhitelistFolder
from .arguments import DIED, FAILED, FINE, STOPPED
from .config import ConfigError
from .run_display import RunDisplay
from .session import Session
from .terminal import complain


def sync(session: Session) -> int:
    """Bring the whitelist into the store."""
    wanted = _wanted(session)
    engine = session.engine()
    root = engine.store.root
    if root.parent.is_dir() and not root.exists():
        root.mkdir()
    watch = RunDisplay(engine.store, session.terminal)
    while True:
        try:
            with watch.beside(engine.progress.to_json):
                outcome = engine.run(wanted, session.options.state, give_up=partial(_give_up, session))
        except BusyError as problem:
            if not session.options.wait:
                raise
            session.terminal.say(f"{problem}: waiting for its end")
            watch.follow()
        else:
            return _conclude(session, outcome, "nothing had to be done")


def plan(session: Session) -> int:
    """Say what a sync would do."""
    wanted = _wanted(session)
    engine = session.engine()
    with RunDisplay(engine.store, session.terminal).beside(engine.progress.to_json):
        outcome = engine.plan(wanted, session.options.state)
    changes = diff(outcome.plan)
    for sign, lines, style in (("-", changes["before"], "red"), ("+", changes["after"], "green")):
        for line in lines.splitlines():
            session.terminal.say(f"{sign} {line}", style)
    rows = table(outcome.plan)
    if rows:
        session.terminal.table(["REPOSITORY", "REF", "OLD", "NEW", ">FILES", ">SIZE"], rows)
    return _conclude(session, outcome, "nothing is to be done")


def _wanted(session: Session) -> list[Wanted] | WhitelistFolder:
    """Return the whitelist; of what is to go, one that a person wrote for that."""
    wanted = session.config.wanted()
    if session.options.state == "absent" and isinstance(wanted, WhitelistFolder):
        raise ConfigError("absent removes everything in the whitelist: pass --config FILE with only what to remove")
    return wanted


def _give_up(session: Session, problem: StoppedError) -> None:
    """End the process of a run that does not end by itself."""
    session.terminal.progress(None)
    complain(str(problem))
    os._exit(DIED if isinstance(problem, LimitError) else STOPPED)


def _conclude(session: Session, outcome: Outcome, nothing: str) -> int:
    """Show what came out, for people or as JSON, and return the exit code."""
    answer = {"changed": outcome.changed, **result(outcome.plan, outcome.problems), "diff": diff(outcome.plan)}
    if outcome.problems:
        answer["msg"] = sentence(outcome.problems, outcome.entries)
    session.terminal.data(answer)
    for warning in outcome.plan.warnings:
        session.terminal.say(f"warning: {warning}", "yellow")
    if outcome.problems:
        complain(answer["msg"])
        return FAILED
    if not outcome.plan.changes:
        session.terminal.say(nothing)
    return FINE
