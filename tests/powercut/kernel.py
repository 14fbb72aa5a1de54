# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user-mode Linux kernel with a disk of its own: a process that can be killed as a power cut ends a machine.

It is the first process of a PID namespace: when that is killed all of the kernel's processes are, and nothing reaches
the disk any more.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from powercut.words import CHECKOUT, DISK, END, EXCHANGE

_MEMORY = "768M"
#: Seconds that it may take; some work is done in ten.
_LIMIT = 180
_ENVIRONMENT = {
    "PYTHONPATH": f"{CHECKOUT}/collections:{CHECKOUT}/tests",
    # nothing is written to the checkout, and nothing compiled at each start
    "PYTHONPYCACHEPREFIX": f"{EXCHANGE}/pycache",
}


class Kernel:
    """One start of the machine, with ``exchange`` as what it shares with the host, its disk among that."""

    def __init__(self, root: Path, checkout: Path, exchange: Path, arguments: Sequence[str]) -> None:
        environment = [f"{name}={value}" for name, value in _ENVIRONMENT.items()]
        command = ["/usr/bin/linux.uml", f"mem={_MEMORY}", f"ubd0={DISK}", "root=/dev/root", "rootfstype=hostfs"]
        command += ["rootflags=/", "ro", "quiet", "con=null", "con0=null,fd:1", "ssl=null", "seccomp=on", "panic=1"]
        command += ["init=/usr/bin/python3", *environment, "--", "-m", "powercut.guest", *arguments]
        self._process = in_root(root, checkout, exchange, command)
        #: What hangs is ended, and does not come to the end of its work then.
        self._limit = threading.Timer(_LIMIT, self.cut)
        self._limit.start()

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield what the guest says, a word and the rest of a line, until the power is cut: at its end by itself."""
        assert self._process.stdout
        for line in self._process.stdout:
            word, _space, rest = line.rstrip("\r\n").partition(" ")
            yield word, rest
            if word == END:
                self.cut()

    def cut(self) -> None:
        """Cut the power."""
        # unshare itself lives on: it ends when all that was in the namespace is gone
        pid = self._process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)

    def wait(self) -> None:
        """Wait until nothing of it runs any more."""
        self._process.wait()
        self._limit.cancel()


def in_root(root: Path, checkout: Path, exchange: Path, command: Sequence[str]) -> subprocess.Popen[str]:
    """Run a command in a root file system, with what it needs of this machine and nothing else."""
    mounts = [
        f"mount --bind -o ro {shlex.quote(str(checkout))} .{CHECKOUT}",
        f"mount --bind {shlex.quote(str(exchange))} .{EXCHANGE}",
        "mount -t tmpfs tmpfs tmp",
        "mount -t proc proc proc",
        # where the guest's memory is
        "export TMPDIR=/tmp",
        f"exec chroot . {shlex.join(command)}",
    ]
    # killed with SIGKILL, unshare takes its child along, which is the first process of the namespace
    return subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "sh", "-ec", "\n".join(mounts)],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def versions(root: Path) -> str:
    """Name what it is made of."""
    query = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "--showformat=${Package} ${Version}, "]
    said = subprocess.run(
        [*query, "user-mode-linux", "e2fsprogs", "xfsprogs", "python3"], check=True, capture_output=True
    )
    return said.stdout.decode().removesuffix(", ")
