# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a service of systemd tried again ever less often, for as long as it takes.

Systemd's own RestartSteps= came with version 254. ``note`` is for ExecStopPost=: it counts the failures in a row in the
unit's RuntimeDirectory=. ``wait`` is for ExecStartPre=, with NotifyAccess=exec: it waits the longer the more they are,
up to five minutes, and says so in the unit's status and log. Who stops the service ends that.

``note GLOB`` counts a failure only where files are left that fit: of a queue, jobs that nobody tried.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import socket
import sys
import time
from pathlib import Path

FIRST_SECONDS, LONGEST_SECONDS = 5, 300
#: What is wrong, by systemd's word for it.
RESULTS = {
    "timeout": "was not ready in time",
    "watchdog": "waited for a download that failed",
    "oom-kill": "took more memory than there is",
}
MISSING = "ended with status 2: models are missing or broken, and nobody who was asked gave them"


def reason() -> str:
    """Say what systemd told of the end."""
    code, status = os.environ.get("EXIT_CODE", ""), os.environ.get("EXIT_STATUS", "")
    if (code, status) == ("exited", "2"):
        return MISSING
    said = {"exited": f"ended with status {status}", "killed": f"was ended by SIG{status}"}.get(code, "did not start")
    return RESULTS.get(os.environ["SERVICE_RESULT"], said)


def note(file: Path, left: str) -> None:
    """Count a failure, or forget those before it."""
    if os.environ["SERVICE_RESULT"] == "success" or (left and not glob.glob(left)):
        file.unlink(missing_ok=True)
        return
    fresh = file.with_name("fresh")
    fresh.write_text(json.dumps({"failures": read(file)[0] + 1, "reason": reason()}), encoding="utf-8")
    fresh.replace(file)


def read(file: Path) -> tuple[int, str]:
    """Return how many failures there were in a row, and why the last one was."""
    # what is not as it was written counts for nothing, for with a traceback the service would never start again
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError, KeyError):
        noted = json.loads(file.read_text(encoding="utf-8"))
        return int(noted["failures"]), str(noted["reason"])
    return 0, ""


def wait(file: Path) -> None:
    """Wait as long as what was counted asks for."""
    failures, why = read(file)
    if not failures:
        return
    seconds = min(FIRST_SECONDS * 2 ** (failures - 1), LONGEST_SECONDS)
    times = "once" if failures == 1 else f"{failures} times in a row"
    said = f"FaceFusion failed {times}, and {why}. It is tried again in {seconds} seconds, and for as long as it takes."
    with contextlib.suppress(KeyboardInterrupt):  # the unit's KillSignal= is SIGINT
        print(said, file=sys.stderr, flush=True)
        tell(f"STATUS={said}\nEXTEND_TIMEOUT_USEC={(seconds + LONGEST_SECONDS) * 1_000_000}")
        time.sleep(seconds)
    tell("STATUS=")


def tell(what: str) -> None:
    """Send systemd a message, where it wants any."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(what.encode(), "\0" + address[1:] if address.startswith("@") else address)


def main() -> None:
    """Do what the unit asks for."""
    counted = Path(os.environ["RUNTIME_DIRECTORY"], "failures")
    if sys.argv[1] == "wait":
        wait(counted)
    else:
        note(counted, "".join(sys.argv[2:]))


if __name__ == "__main__":
    main()
