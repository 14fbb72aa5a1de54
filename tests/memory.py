# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file system in memory for what tests write and throw away: nobody waits for a disk there."""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = Path("/dev/shm")  # noqa: S108 - folders of our own in it
#: Bytes that have to be free: some times what the tests have there at once.
_ROOM = 2 << 30


def folder() -> Path | None:
    """Return where it is. None where there is none, it is small, or no program may lie there, as in most containers."""
    try:
        about = os.statvfs(_FOLDER)
    except OSError:
        return None
    is_fit = about.f_bavail * about.f_frsize >= _ROOM and not about.f_flag & os.ST_NOEXEC
    return _FOLDER if is_fit and os.access(_FOLDER, os.W_OK) else None
