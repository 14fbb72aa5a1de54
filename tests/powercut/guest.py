# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first process of the user-mode kernel: ``python -m powercut.guest WORK FILE_SYSTEM NOW MOUNT_OPTIONS CACHE``.

``CACHE`` is share and seed of a disk with a cache (``powercut.disk``), or ``none``.

It mounts the disk, does its work, says so, and waits for somebody to cut the power, if nobody did before.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import traceback
from pathlib import Path

import polling

from hub.process import HubProcess
from powercut import story
from powercut.disk import DEVICE, SERVED
from powercut.look import finished, found_after_cut, left_over, remember
from powercut.telling import engine, say
from powercut.words import CHECKOUT, DISK, DONE, END, EXCHANGE, LEFT, PROBLEM

_STORE = Path("/mnt/store")
_CONTENTS = Path(CHECKOUT, ".cache/powercut/contents")
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def main() -> None:
    """Do what the kernel's command line says, and end the machine."""
    work, file_system, now, options, cache = sys.argv[1:6]  # the kernel adds words of its own
    try:
        _mount("proc", "proc", "/proc")
        _mount("tmpfs", "tmpfs", "/tmp")  # noqa: S108 - of this machine alone
        _mount("hostfs", "none", EXCHANGE, f"hostfs={EXCHANGE}")
        _mount(file_system, "/dev/ubda" if cache == "none" else _with_cache(cache), "/mnt", options)
        _loopback_up()
        _WORKS[work](float(now))
        if work != "run":  # what is cut is cut while all is mounted
            subprocess.run(["umount", "/mnt"], check=True)
        say(DONE, work)
    except BaseException:
        say(PROBLEM, json.dumps(traceback.format_exc()))
    say(END, "")
    signal.pause()


def _mount(file_system: str, device: str, folder: str, options: str = "defaults") -> None:
    subprocess.run(["mount", "-t", file_system, "-o", options, device, folder], check=True)


def _with_cache(cache: str) -> str:
    """Serve the same disk behind a cache, and return its name."""
    _mount("sysfs", "sysfs", "/sys")
    subprocess.Popen([sys.executable, "-m", "powercut.disk", DISK, *cache.split(":", 1)])
    polling.until(SERVED.exists)
    return DEVICE


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        flags = struct.unpack("16sH", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))[:18])[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _prepare(now: float) -> None:
    """Make the store in which a run will be cut, as if days had gone by."""
    _STORE.mkdir()
    with HubProcess(_CONTENTS) as hub:
        for hours, commit in story.BEFORE:
            story.move(hub, commit)
            _sync(hub, now - hours * 3600, commit)
    remember(_STORE, Path(EXCHANGE))


def _run(now: float) -> None:
    """Do what is to be cut."""
    with HubProcess(_CONTENTS) as hub:
        _sync(hub, now, story.LAST)


def _look(now: float) -> None:
    """Look at what a power cut has left."""
    say(LEFT, left_over(_STORE))
    for problem in found_after_cut(_STORE, Path(EXCHANGE), story.etags(_CONTENTS)):
        say(PROBLEM, json.dumps(problem))


def _finish(now: float) -> None:
    """Look at it, then let an honest run heal it."""
    _look(now)
    with HubProcess(_CONTENTS) as hub:
        _sync(hub, now, story.LAST)
    for problem in finished(_STORE, Path(EXCHANGE)):
        say(PROBLEM, json.dumps(problem))


def _sync(hub: HubProcess, now: float, commit: int) -> None:
    outcome = engine(_STORE, hub.url, now).run(story.wanted(commit))
    if outcome.problems:
        raise AssertionError(f"the run failed: {outcome.problems}")


_WORKS = {"prepare": _prepare, "run": _run, "look": _look, "finish": _finish}

if __name__ == "__main__":
    os.environ["PATH"] = "/usr/sbin:/usr/bin"
    main()
