# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror gc``: retire and collect what nothing names any more. It asks no Hub."""

from __future__ import annotations

from collections.abc import Iterator

from .._plan.plan import Plan
from .._plan.report import collection, diff, human
from .arguments import FAILED, FINE
from .session import Session
from .terminal import complain

_WORDS = {
    "retire": "{to_be}retired, nothing names it any more",
    "spare": "{to_be}kept, something names it again",
    "collect": "{to_be}collected, its grace is over",
    "trim": "files that it does not list any more {to_be}removed",
}


def gc(session: Session) -> int:
    """Do it, or say what would be done and what that frees."""
    wanted = session.wanted() if session.config.has_whitelist else []
    check = session.options.check
    outcome = session.local_engine().collect(wanted, check)
    plan, terminal = outcome.plan, session.terminal
    terminal.data({"changed": outcome.changed, **collection(plan, outcome.problems), "diff": diff(plan)})
    to_be = "to be " if check else ""
    for line in _lines(plan, to_be):
        terminal.say(line)
    if plan.freed:
        terminal.say(f"{human(plan.freed)} {to_be}freed")
    if not plan.changes and not outcome.problems:
        terminal.say("nothing is to be done" if check else "nothing had to be done")
    for problem in outcome.problems.values():
        complain(str(problem))
    return FAILED if outcome.problems else FINE


def _lines(plan: Plan, to_be: str) -> Iterator[str]:
    for one in plan.retention:
        for kind, words in _WORDS.items():
            for commit in getattr(one, kind):
                yield f"{one.repo} {commit[:12]}: {words.format(to_be=to_be)}"
    for name, size in sorted(plan.orphans.items()):
        yield f"{name}: {human(size)} {to_be}removed, nothing names it"
