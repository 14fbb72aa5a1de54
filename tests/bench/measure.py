# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command and measure it: wall time, CPU time, memory."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """One run of one command. Seconds and bytes."""

    wall: float
    cpu: float
    memory: int


def machine() -> str:
    """Say on what is measured."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release().partition('-')[0]}"


def run(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Measured:
    """Run a command to its end; raise RuntimeError with what it said when it fails."""
    # installed programs have their bytecode beside them, whatever the shell of whoever measures says
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**inherited, **environment}, stdout=output, stderr=output)
        # wait4 tells what this process used, however many others there are
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {log.read_text(errors='replace')[-2000:]}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def series(rounds: int, contenders: Mapping[str, Callable[[], Measured]]) -> dict[str, list[Measured]]:
    """Run all contenders in turn, so many times: what disturbs the machine disturbs all of them."""
    results: dict[str, list[Measured]] = {name: [] for name in contenders}
    for _round in range(rounds):
        for name, contender in contenders.items():
            results[name].append(contender())
    return results


def median(runs: Sequence[Measured]) -> Measured:
    """Return the median of each figure; of memory the most."""
    return Measured(
        statistics.median(run.wall for run in runs),
        statistics.median(run.cpu for run in runs),
        max(run.memory for run in runs),
    )
