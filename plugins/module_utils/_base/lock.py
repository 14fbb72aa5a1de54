# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks: ``flock`` on files that are never unlinked. The kernel frees them at death, so none gets stale.

Three levels: ``run`` (one sync of a store), ``repo/FOLDER`` (publishing: milliseconds, never held while the network is
waited for), and the ``.part`` files themselves.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from .errors import MirrorError
from .fs import no_link, no_wait

#: ``held`` has a lock for an instant, and must not be taken for one who works: seconds until a second try.
_GLANCE = 0.1


class BusyError(MirrorError):
    """Another process has the lock."""


@contextmanager
def locked(file: Path, wait: bool, what: str = "") -> Iterator[None]:
    """Hold a lock, or raise BusyError at once unless told to wait. ``what`` says what the lock is held for."""
    with open(file, "a+", encoding="utf-8", opener=no_link) as lock:
        if not _take(lock, wait):
            lock.seek(0)
            raise BusyError(f"{what} is running already ({lock.read().strip()})")
        # for people only: nobody decides by what is written here
        lock.truncate(0)
        lock.write(f"pid {os.getpid()} on {socket.gethostname()}\n")
        lock.flush()
        yield


def _take(lock: TextIO, wait: bool) -> bool:
    """Take a lock and say whether that was possible."""
    for last_try in (False, True):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            if not last_try:
                time.sleep(_GLANCE)
        else:
            return True
    return False


def held(file: Path) -> str | None:
    """Return who holds a lock, or None when it is free."""
    try:
        with open(file, encoding="utf-8", opener=no_wait) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lock.read().strip() or "another process"
    except FileNotFoundError:
        return None
    return None
