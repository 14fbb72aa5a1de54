# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about power cuts: a table, and what was looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from powercut.cuts import FILE_SYSTEMS, Cut
from powercut.words import STAGES

_HEAD = """# Power cuts

`make powercut` repeats it. This page is what it wrote: {cuts} cuts, {found}. It ran on {versions}.

The [crash machine](reliability.md#the-machine-misbehaves) tries the engine on a model of a disk. This tries it on the
file systems themselves: the engine works in a user-mode Linux kernel, on a store in an image that is the kernel's disk,
and the kernel is killed with SIGKILL. What it had not handed to its disk by then is lost, as when the power goes. The
run that is cut does all that changes a store: it fetches new commits from the stand-in Hub, publishes them, a
repository that is new among them, and collects commits that were retired.

A cut comes up to 30 ms after a call of the engine to its disk, which is chosen at random among all of a stage. The
image is mounted again, which replays its journal. Often the run that heals is cut, too, up to two times.

"""
_NOTES = """
*In the next run* are cuts of a run that heals what another cut left; *after the end*, that the run was over before.

Looked at right after a cut, before anything heals, with none of the engine's own code:

- each ref names a commit that is complete: documents, links, contents; each content has the hash that its name says,
  and the one that the Hub declares. Views hold what their names say. `hf-mirror fsck` finds nothing but leftovers
- nothing that was published is gone, but for what was due to be collected
- the ledger has every record that the engine had told to be durable, by a line on the console; refs name what was told
  as published, and what was told as collected is gone

Then a run is let through, and the store is the same as one that was never cut, byte for byte, times and modes and hard
links too, but for the ledger. `fsck` finds nothing at all, and so does `e2fsck -f -n` or `xfs_repair -n`.

What it does not show: the image has no cache of its own, as a disk has that may lose what no flush has forced out of
it. When the engine asks for a flush is what the crash machine is for, which loses any part of what was not synced.
"""


def write(docs: Path, cuts: Sequence[Cut], versions: str) -> None:
    """Write powercut.md."""
    harmful = sum(bool(cut.problems) for cut in cuts)
    found = f"{harmful} of which did harm" if harmful else "none of which did harm"
    text = _HEAD.format(cuts=len(cuts), found=found, versions=versions) + table(cuts) + _NOTES
    docs.mkdir(exist_ok=True)
    file, owner = docs / "powercut.md", docs.stat()
    file.write_text(text, encoding="utf-8")
    os.chown(file, owner.st_uid, owner.st_gid)  # this runs as root


def table(cuts: Sequence[Cut]) -> str:
    """Return a row for each file system and stage."""
    text = (
        "| file system | cut | cuts | in the next run | records told before | leftovers | harm |\n" + "|---" * 7 + "|\n"
    )
    for file_system in FILE_SYSTEMS:
        for stage in (*STAGES, None):
            some = [cut for cut in cuts if (cut.file_system, cut.stage) == (file_system, stage)]
            if some:
                text += (
                    f"| {file_system} | {f'in a {stage}' if stage else 'after the end'} | {len(some)} |"
                    f" {sum(cut.earlier > 0 for cut in some)} | {sum(cut.told for cut in some)} |"
                    f" {sum(cut.left for cut in some)} | {sum(bool(cut.problems) for cut in some)} |\n"
                )
    return text
