# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client sees of a takeover: how long it got no answer."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from testhosts import FLOATING, PODMAN, container, until

_PROGRAM = Path(__file__).with_name("poll.py")


class Poll(NamedTuple):
    """When a request was sent, when its answer came, and whether it was the right one."""

    sent: float
    answered: float
    good: bool


class Poller:
    """Asks for a file from a client's host until it is stopped."""

    def __init__(self, client: str, path: str, etag: str) -> None:
        program = _PROGRAM.read_text(encoding="utf-8")
        # a pipe that nobody reads meanwhile gets full, and who writes to it stops asking
        self._answers = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed at the end of this one
        self._process = subprocess.Popen(
            [PODMAN, "exec", "-i", container(client), "python3", "-c", program, FLOATING, path, etag],
            stdin=subprocess.PIPE,
            stdout=self._answers,
            text=True,
        )
        # so that it is at work when something is taken away
        until(self._lines)

    def _lines(self) -> list[str]:
        # this process has a place of its own in the file
        return os.pread(self._answers.fileno(), 1 << 30, 0).decode().splitlines()

    def __enter__(self) -> Poller:
        return self

    def __exit__(self, *_what: object) -> None:
        self._process.kill()
        self._process.wait()
        self._answers.close()

    def stop(self) -> list[Poll]:
        """Return all answers in the order in which they came."""
        self._process.communicate()
        lines = [line.split() for line in self._lines()]
        return [Poll(float(sent), float(answered), good == "1") for sent, answered, good in lines]


def longest_gap(polls: Sequence[Poll], since: float) -> tuple[float, float]:
    """Return the longest time without a good answer since an instant, and when that began."""
    good = [poll.answered for poll in polls if poll.good]
    gaps = [(after - before, before) for before, after in zip(good, good[1:]) if after >= since]
    return max(gaps)
