# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users: what is written into a folder belongs to whom the folder belongs to."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def become_owner(folder: Path) -> None:
    """Go on as the user whom a folder belongs to, where root started this: one user writes a store."""
    owner = other_owner(folder)
    if owner:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def others_can_change(file: Path) -> str | None:
    """Return how everybody on the host could change what a file says, and what to do, or None where nobody else can.

    It may be its mode, or that of a folder above it, by its name or where a link leads. A folder such as ``/tmp``, in
    which each may take away only what is his own, is as good as another. Raises OSError where the file is not there.
    """
    try:
        places = dict.fromkeys([file.absolute(), file.resolve()])
    except RuntimeError:  # what Python before 3.13 says of links in a circle
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(file)) from None
    # a pipe of the shell: it has no name on the disk, and its other end belongs to who started this
    if stat.S_ISFIFO(file.stat().st_mode) and not file.resolve().exists():
        return None
    for place in dict.fromkeys(one for name in places for one in (name, *name.parents)):
        mode = place.stat().st_mode
        is_sticky = stat.S_ISDIR(mode) and mode & stat.S_ISVTX
        if mode & stat.S_IWOTH and not (is_sticky and place not in places) and not stat.S_ISCHR(mode):
            what = "it" if place in places else f"its folder {place}"
            return f"{what} has mode {stat.S_IMODE(mode):04o}, everybody can write there: chmod o-w {place}"
    return None


def other_owner(folder: Path) -> os.stat_result | None:
    """Return whom a folder belongs to, where that is another one than root, who started this."""
    os.umask(0o022)  # others (nginx) read what is written, whatever the operator's own umask is
    status = folder.stat() if os.geteuid() == 0 and folder.is_dir() else None
    return status if status and status.st_uid != 0 else None
