# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut the power, look, let an honest run heal the store, look again."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from powercut.kernel import Kernel, in_root
from powercut.words import CALL, DISK, DONE, LEFT, PROBLEM, TOLD

#: Bytes of a disk; XFS takes none that is smaller than 300 MB.
_SIZE = 400 << 20
#: Seconds between a call of the engine and the cut at most: some calls are slow, and none of them is the only one.
_LATEST = 0.03
#: What makes a file system, and what finds out whether it is sound when it is not mounted.
_MAKE = {"ext4": ["mkfs.ext4", "-q", "-b", "4096", DISK], "xfs": ["mkfs.xfs", "-q", "-s", "size=4096", DISK]}
_CHECK = {"ext4": ["e2fsck", "-f", "-n", DISK], "xfs": ["xfs_repair", "-n", DISK]}
FILE_SYSTEMS = tuple(_MAKE)
#: The options by which a file system is mounted, in turn: one that writes back at once, too.
_OPTIONS = {"ext4": ("defaults", "commit=1"), "xfs": ("defaults", "wsync")}

#: How much of what no flush has forced out of a disk's cache reached the disk all the same.
_SHARES = (0.0, 0.5, 0.9)
_NO_CACHE = "none"


@dataclass(frozen=True)
class Aim:
    """When to cut: so many seconds after so many calls of the engine, of a stage or of any."""

    stage: str | None
    call: int
    delay: float

    def is_met(self, seen: Counter[str]) -> bool:
        return (seen[self.stage] if self.stage else sum(seen.values())) >= self.call


@dataclass
class Cut:
    """One cut: where it came, and what was found."""

    file_system: str
    seed: str
    #: Whether the disk had a cache that the cut emptied.
    is_cached: bool
    #: How many cuts there were before on the same disk, in runs that heal.
    earlier: int
    #: What the engine was at, None when its run was over.
    stage: str | None = None
    calls: int = 0
    told: int = 0
    #: What it left and nothing uses.
    left: int = 0
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Say it."""
        where = f"in a {self.stage}" if self.stage else "after the end"
        again = f", in healing run {self.earlier}" if self.earlier else ""
        found = f"{self.calls} calls, {self.told} told, {self.left} left over"
        disk = f"{self.file_system} on a disk with{'' if self.is_cached else 'out'} a cache"
        return f"{self.seed} {disk}: {where}{again}, {found}"


class Disks:
    """Disks of one file system, all of them copies of one that was prepared."""

    def __init__(self, root: Path, checkout: Path, scratch: Path, file_system: str, now: int) -> None:
        self._root, self._checkout = root, checkout
        self._file_system, self._now = file_system, now
        self._prepared = scratch / f"{file_system}.prepared"
        self._exchange = scratch / file_system
        self._exchange.mkdir()
        self._disk = self._exchange / "disk"
        #: Calls of a run that is not cut, by stage.
        self.calls: Counter[str] = Counter()

    def prepare(self) -> None:
        """Make a disk with a store, and see what a run without a cut makes of it."""
        with self._disk.open("wb") as disk:
            disk.truncate(_SIZE)
        self._host(_MAKE[self._file_system])
        self._all_of("prepare")
        self._disk.rename(self._prepared)
        self._copy()
        self._write_told([])
        for word, rest in self._all_of("finish"):
            if word == CALL:
                self.calls[rest.split()[0]] += 1
        self._see_that_it_is_sound()

    def cuts(self, seed: str, first: str, is_cached: bool) -> Iterator[Cut]:
        """Cut a run, for the first time in a stage; often also the run that heals, then let one come to its end."""
        random = Random(seed)
        self._copy()
        told: list[Any] = []
        options = random.choice(_OPTIONS[self._file_system])
        cache = f"{random.choice(_SHARES)}:{seed}" if is_cached else _NO_CACHE
        stage: str | None = first
        for earlier in range(3):
            aim = Aim(stage, random.randint(1, self._count(stage)), random.uniform(0, _LATEST))
            cut = Cut(self._file_system, seed, is_cached, earlier)
            self._cut(cut, aim, told, options, cache)
            is_last = earlier == 2 or random.random() < 0.7
            self._heal(cut, "finish" if is_last else "look", options)
            yield cut
            if is_last or cut.problems:
                return
            stage = None

    def _count(self, stage: str | None) -> int:
        """Return how many calls a run has in a stage; those of one that heals are the first of a whole run."""
        return self.calls[stage] if stage else sum(self.calls.values()) // 3

    def _cut(self, cut: Cut, aim: Aim, told: list[Any], options: str, cache: str) -> None:
        kernel = self._start("run", options, cache)
        seen: Counter[str] = Counter()
        is_over = False
        for word, rest in kernel.lines():
            if word == CALL:
                # what is said between the aim and the cut counts as well
                cut.stage = rest.split()[0]
                seen[cut.stage] += 1
                if not is_over and aim.is_met(seen):
                    time.sleep(aim.delay)  # the instant is what is tried here
                    kernel.cut()
                    is_over = True
            elif word == TOLD:
                told.append(json.loads(rest))
            elif word == DONE:
                cut.stage = None
                kernel.cut()
                is_over = True
            elif word == PROBLEM:
                cut.problems.append(json.loads(rest))
        kernel.wait()
        if not is_over:
            cut.problems.append("the run was neither cut nor did it come to its end")
        cut.calls, cut.told = sum(seen.values()), len(told)
        self._write_told(told)

    def _heal(self, cut: Cut, work: str, options: str) -> None:
        try:
            said = self._all_of(work, options)
            cut.left = next(int(rest) for word, rest in said if word == LEFT)
            if work == "finish":
                self._see_that_it_is_sound()
        except AssertionError as problem:
            cut.problems.append(str(problem))

    def _all_of(self, work: str, options: str = "defaults") -> list[tuple[str, str]]:
        """Start the machine, and let it do its work to the end."""
        kernel = self._start(work, options, _NO_CACHE)
        lines = list(kernel.lines())
        kernel.wait()
        problems = [str(json.loads(rest)) for word, rest in lines if word == PROBLEM]
        said = "\n".join(f"{word} {rest}" for word, rest in lines[-20:])
        assert not problems, "\n".join(problems)
        assert (DONE, work) in lines, f"the machine did not come to the end of its work: {said}"
        return lines

    def _start(self, work: str, options: str, cache: str) -> Kernel:
        arguments = [work, self._file_system, str(self._now), options, cache]
        return Kernel(self._root, self._checkout, self._exchange, arguments)

    def _see_that_it_is_sound(self) -> None:
        self._host(_CHECK[self._file_system])

    def _host(self, command: list[str]) -> None:
        process = in_root(self._root, self._checkout, self._exchange, command)
        said, _nothing = process.communicate()
        assert process.returncode == 0, f"{' '.join(command)}: {said}"

    def _copy(self) -> None:
        subprocess.run(["cp", "--sparse=always", self._prepared, self._disk], check=True)

    def _write_told(self, told: list[Any]) -> None:
        (self._exchange / "told.json").write_text(json.dumps(told))
