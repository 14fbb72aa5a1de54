# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror count``: a timer counts what nginx's access log has new, and writes status and metrics."""

from __future__ import annotations

from .._check.access_log import AccessLogError
from .._check.describe import describe
from .._check.status_document import write_status
from .._check.traffic_count import count as count_new
from .arguments import FINE
from .metrics import exposition
from .session import Session


def count(session: Session) -> int:
    """Count it, and say how much it was. What can't be counted keeps nobody from knowing how the rest fares."""
    store = session.local_engine().store
    problem = None
    try:
        number = count_new(store, session.options.log)
    except AccessLogError as error:
        number, problem = 0, error
    found = describe(store)
    write_status(store, found, exposition(found))
    if problem:
        raise problem
    session.terminal.say(f"{number} new request{'' if number == 1 else 's'}")
    return FINE
