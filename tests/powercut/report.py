# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about power cuts: a table, and what was looked at."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from powercut.cuts import FILE_SYSTEMS, Cut
from powercut.words import STAGES

_HEAD = """# Power cuts

`make powercut` repeats it. This page is what it wrote: {cuts} cuts, {found}.
With `.venv/bin` in the PATH `tests/setup/powercut.sh --seed {seed}` aims the same ones again, at instants that never
come quite the same. It ran with {versions}.

The [crash machine](reliability.md#the-machine-misbehaves) tries the engine on a model of a disk. This tries it on the
file systems themselves: the engine works in a user-mode Linux kernel, on a store in an image that is the kernel's disk,
and the kernel is killed with SIGKILL. What it had not handed to its disk by then is lost, as when the power goes. The
run that is cut does all that changes a store: it fetches new commits from the stand-in Hub, publishes them, a
repository that is new among them, and collects commits that were retired.

A cut comes up to 30 ms after a call of the engine to its disk, which is chosen at random among all of a stage. Half of
the disks have a cache of their own. It is lost, too: what no flush forced out of it, but for a random share of none, a
half, or nine tenths of its blocks, which got to the disk in another order. The image is mounted again, which replays
its journal. Often the run that heals is cut, too, up to two times.

"""
_NOTES = """
*In healing* are cuts of a run that heals what another cut left, *after* those that came when the run was over. *Told*
are the records that the engine had told to be durable, *left* what `fsck` found that a next sync does by itself.

Looked at right after a cut, before anything heals, with none of the engine's own code:

- Each ref names a commit that is complete: documents, links, contents. Each content has the hash that its name says,
  which is the one that the Hub declares. Views hold what their names say.
- Nothing that was published is gone, but for what was due to be collected.
- The ledger has every record that was told to be durable, by a line on the console. Refs name what was told as
  published, and what was told as collected is gone.
- `hf-mirror fsck` finds nothing that needs a hand.

Then a run is let through. `fsck` finds nothing at all after it, nor do `e2fsck -f -n` and `xfs_repair -n`. The store is
the same as one that was never cut: all but its ledger, byte for byte, with modes, hard links, and contents' times.

An engine without the fsync of files does harm in most cuts here. One without the fsync of folders does none: on
ext4 and XFS an fsync of any file takes along all that was done to names before. That it is there, as other file systems
may need it, the crash machine shows.
"""


def write(docs: Path, cuts: Sequence[Cut], seed: str, versions: str) -> None:
    """Write powercut.md."""
    harmful = sum(bool(cut.problems) for cut in cuts)
    found = f"{harmful} of which did harm" if harmful else "none of which did harm"
    text = _HEAD.format(cuts=len(cuts), found=found, seed=seed, versions=versions) + table(cuts) + _NOTES
    docs.mkdir(exist_ok=True)
    file, owner = docs / "powercut.md", docs.stat()
    file.write_text(text, encoding="utf-8")
    os.chown(file, owner.st_uid, owner.st_gid)  # this runs as root


def table(cuts: Sequence[Cut]) -> str:
    """Return a row for each kind of disk."""
    stages: dict[str | None, str] = {**{stage: f"in a {stage}" for stage in STAGES}, None: "after"}
    columns = ["file system", "disk", "cuts", *stages.values(), "in healing", "told", "left", "harm"]
    text = f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|\n"
    for file_system, is_cached in itertools.product(FILE_SYSTEMS, (False, True)):
        some = [cut for cut in cuts if (cut.file_system, cut.is_cached) == (file_system, is_cached)]
        counts = [len(some), *(sum(cut.stage == stage for cut in some) for stage in stages)]
        counts += [sum(cut.earlier > 0 for cut in some), sum(cut.told for cut in some), sum(cut.left for cut in some)]
        counts.append(sum(bool(cut.problems) for cut in some))
        disk = "with a cache" if is_cached else "without a cache"
        text += f"| {file_system} | {disk} | {' | '.join(map(str, counts))} |\n"
    return text
