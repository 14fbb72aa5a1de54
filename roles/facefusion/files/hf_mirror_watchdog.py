# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell systemd that FaceFusion is well, and stop telling while it waits for a download that nobody makes.

After a download that failed FaceFusion waits for ever, in its state "checking", with no curl at work. When systemd
hears nothing for as long as its WatchdogSec=, it starts the service again. A .pth file imports this when Python starts.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time


def has_curl() -> bool:
    """Say whether a curl of this process is at work; one that ended is a zombie until somebody asks for its end."""
    for process in os.listdir("/proc"):
        if process.isdigit():
            try:
                with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
                    name, _end, rest = file.read().partition("(")[2].rpartition(")")
            except OSError:  # it is gone
                continue
            state, parent = rest.split()[:2]
            if name == "curl" and parent == str(os.getpid()) and state != "Z":
                return True
    return False


def is_well() -> bool:
    """Say whether FaceFusion waits for nothing, or for a curl that is at work."""
    manager = sys.modules.get("facefusion.process_manager")
    is_checking = getattr(manager, "is_checking", None)
    return is_checking is None or not is_checking() or has_curl()


def tell() -> None:
    """Send what systemd waits for."""
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"WATCHDOG=1", "\0" + address[1:] if address.startswith("@") else address)


def watch() -> None:
    """Look several times in each WatchdogSec=."""
    pause = int(os.environ["WATCHDOG_USEC"]) / 1e6 / 4
    while True:
        if is_well():
            tell()
        time.sleep(pause)


# not in the programs that FaceFusion starts
if os.environ.get("WATCHDOG_PID") == str(os.getpid()):
    threading.Thread(target=watch, name="watchdog", daemon=True).start()
