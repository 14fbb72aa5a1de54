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
_MAKE = {"ext4": ["mkfs.ext4", "-q", DISK], "xfs": ["mkfs.xfs", "-q", DISK]}
_CHECK = {"ext4": ["e2fsck", "-f", "-n", DISK], "xfs": ["xfs_repair", "-n", DISK]}
FILE_SYSTEMS = tuple(_MAKE)
#: The options by which a file system is mounted, in turn: one that writes back at once, too.
_OPTIONS = {"ext4": ("defaults", "commit=1"), "xfs": ("defaults", "wsync")}


@dataclass
class Cut:
    """One cut: where it was aimed at, where it came, and what was found."""

    file_system: str
    seed: str
    #: What the engine was at, None when its run was over.
    stage: str | None
    calls: int
    told: int
    #: How many cuts there were before on the same disk, in runs that heal.
    earlier: int
    #: What it left and nothing uses.
    left: int = 0
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Say it."""
        where = f"in a {self.stage}" if self.stage else "after the end"
        again = f", in healing run {self.earlier}" if self.earlier else ""
        found = f"{self.calls} calls, {self.told} told, {self.left} left over"
        return f"{self.seed} {self.file_system}: {where}{again}, {found}"


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

    def cuts(self, seed: str, first: str) -> Iterator[Cut]:
        """Cut a run, for the first time in a stage; often also the run that heals, then let one come to its end."""
        random = Random(seed)
        self._copy()
        told: list[Any] = []
        options = random.choice(_OPTIONS[self._file_system])
        stage: str | None = first
        for earlier in range(3):
            call = random.randint(1, self.calls[stage] if stage else sum(self.calls.values()) // 3)
            cut = self._cut(f"{seed}", stage, call, random.uniform(0, _LATEST), told, options, earlier)
            is_last = earlier == 2 or random.random() < 0.7
            self._heal(cut, "finish" if is_last else "look", options)
            yield cut
            if is_last or cut.problems:
                return
            stage = None

    def _cut(
        self, seed: str, stage: str | None, call: int, delay: float, told: list[Any], options: str, earlier: int
    ) -> Cut:
        kernel = Kernel(self._root, self._checkout, self._exchange, ["run", self._file_system, str(self._now), options])
        seen: Counter[str] = Counter()
        cut = Cut(self._file_system, seed, None, 0, 0, earlier)
        is_cut = False
        for word, rest in kernel.lines():
            if word == CALL and not is_cut:
                at = rest.split()[0]
                seen[at] += 1
                cut.stage = at
                if (seen[stage] if stage else sum(seen.values())) == call:
                    time.sleep(delay)  # the instant is what is tried here
                    kernel.cut()
                    is_cut = True
            elif word == CALL:
                cut.stage = rest.split()[0]  # what came in the time until the cut
            elif word == TOLD:
                told.append(json.loads(rest))
            elif word == DONE:
                cut.stage = None
                kernel.cut()
            elif word == PROBLEM:
                cut.problems.append(json.loads(rest))
        kernel.wait()
        cut.calls, cut.told = sum(seen.values()), len(told)
        self._write_told(told)
        return cut

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
        kernel = Kernel(self._root, self._checkout, self._exchange, [work, self._file_system, str(self._now), options])
        lines = list(kernel.lines())
        kernel.wait()
        problems = [str(json.loads(rest)) for word, rest in lines if word == PROBLEM]
        said = "\n".join(f"{word} {rest}" for word, rest in lines[-20:])
        assert not problems, "\n".join(problems)
        assert (DONE, work) in lines, f"the machine did not come to the end of its work: {said}"
        return lines

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
