# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read when nobody else does: the idle class of the kernel's I/O schedulers, where there is one."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

#: The numbers of the calls ioprio_set and ioprio_get, which have no function in any C library.
_CALLS = {"x86_64": (251, 252), "aarch64": (30, 31)}
_PROCESS, _SELF = 1, 0
_IDLE = 3 << 13
_LIBC = ctypes.CDLL(None)


@contextmanager
def idle() -> Iterator[None]:
    """Let this thread's reads wait for everybody else's for as long as the block lasts, as far as that can be had."""
    calls = _CALLS.get(os.uname().machine)
    if calls is None:
        yield
        return
    set_priority, get_priority = calls
    before = _LIBC.syscall(get_priority, _PROCESS, _SELF)
    _LIBC.syscall(set_priority, _PROCESS, _SELF, _IDLE)
    try:
        yield
    finally:
        _LIBC.syscall(set_priority, _PROCESS, _SELF, max(before, 0))
