# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line of ansible-core that this environment does not have: the lock names two, for an older and a newer Python."""

from __future__ import annotations

import re
from pathlib import Path

from ansible.release import __version__ as ours

TOP = Path(__file__).parents[1]
_LINE = re.compile(r"^ansible-core==(\S+) ;", re.MULTILINE)


def version() -> str:
    """Return the other version of the lock."""
    (other,) = set(_LINE.findall((TOP / "tests/requirements.txt").read_text(encoding="utf-8"))) - {ours}
    return str(other)
