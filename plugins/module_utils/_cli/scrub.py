# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror scrub``: hash all contents again, and repair what is rotten."""

from __future__ import annotations

from .arguments import BROKEN, FINE
from .run_display import RunDisplay
from .session import Session
from .terminal import complain


def scrub(session: Session) -> int:
    """Go on with the round; what happens is told by the ledger."""
    options, terminal = session.options, session.terminal
    store = session.store()
    wanted = session.wanted() if session.config.has_whitelist else []
    engine = session.engine() if options.repair else session.local_engine()
    with RunDisplay(store, terminal).beside(engine.progress.to_json):
        report = engine.scrub(wanted, options.repair)
    terminal.data(report.to_json())
    for rot in report.left:
        complain(f"{rot.etag} is rotten ({rot.what}){f': {rot.problem}' if rot.problem else ''}")
    if not report.complete:
        terminal.say("the round is not complete: the next scrub continues from there")
    return BROKEN if report.left else FINE
