# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror count``: a timer counts what nginx's access log has new, and writes status and metrics."""

from __future__ import annotations

import contextlib

from .._base.errors import MirrorError
from .._check.describe import describe
from .._check.status_document import write_status
from .._check.traffic_count import count as count_new
from .._plan.wanted import Wanted
from .._store.catalogue import write_catalogue
from .arguments import FINE
from .metrics import exposition
from .session import Session


def count(session: Session) -> int:
    """Count it, and say how much it was. What can't be counted keeps nobody from knowing how the rest fares."""
    engine = session.local_engine()
    store, number, problem = engine.store, 0, None
    try:
        number = count_new(store, session.options.log)
    except (MirrorError, OSError) as error:
        problem = error
    # an upgrade brings documents that no sync has written yet
    with contextlib.suppress(MirrorError, OSError):
        write_catalogue(store)
    found = describe(store, _wanted(session), engine.settings.peers)
    write_status(store, found, exposition(found))
    if problem:
        raise problem
    session.terminal.say(f"{number} new request{'' if number == 1 else 's'}")
    return FINE


def _wanted(session: Session) -> list[Wanted] | None:
    """Return the whitelist, so that what left it alerts nobody; None where there is none that can be read."""
    with contextlib.suppress(MirrorError, OSError):
        if session.config.has_whitelist:
            return session.wanted()
    return None
