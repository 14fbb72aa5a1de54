# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror count``: a timer counts what nginx's access log has new, for the status."""

from __future__ import annotations

from .._check.traffic_count import count as count_new
from .arguments import FINE
from .session import Session


def count(session: Session) -> int:
    """Count it, and say how much it was."""
    number = count_new(session.local_engine().store, session.options.log)
    session.terminal.say(f"{number} new request{'' if number == 1 else 's'}")
    return FINE
