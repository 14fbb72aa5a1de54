# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror purge``: take down a repository, a file of it, or a content wherever it is."""

from __future__ import annotations

from .._run.purge import Purge, path_of, target_of
from .arguments import FINE
from .session import Session


def purge(session: Session) -> int:
    """Take it down, or with ``--lift`` let it come again."""
    options = session.options
    engine = session.local_engine()
    order = Purge(engine.store, engine.settings.actor, options.note, options.lift, options.check)
    gone = order.apply(order.of(target_of(options.name, options.repo_type), path_of(options.file)))
    session.terminal.data({"purged": gone})
    for name in gone:
        session.terminal.say(f"{'to be ' if options.check else ''}purged: {name}")
    if options.check:
        session.terminal.say("nothing was changed, this is a check")
    elif options.lift:
        session.terminal.say("lifted: the next sync may download it again")
    elif not gone:
        session.terminal.say("recorded; this mirror has nothing of it")
    return FINE
