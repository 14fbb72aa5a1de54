# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mirror needs beside the contents, for ever more repositories: ``python -m bench.sizing``.

It writes docs/sizing.md; ``make bench`` does so, too. It is a process of its own, and a small one: of a command's
memory nothing can be told that is less than what measures it has.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import Downloads
from bench.measure import Measured, machine
from bench.recipes import many
from hub.contents import build
from hub.process import HubProcess

TOP = Path(__file__).parents[2]
SIZES = (10, 100, 500)
FILES = 20

_TEXT = """# Sizing

`make bench` repeats this, and `PYTHONPATH=collections:tests .venv/bin/python -m bench.sizing` nothing else, on one
machine in one run ({machine}): repositories of {files} files of a few bytes from a stand-in Hub on loopback, so that
what is measured is what a mirror needs beside the contents themselves. For each run: memory, seconds, seconds of CPU.

| repositories | files | on the disk beside contents | inodes | first sync | a night without changes | requests, bytes |
|---|---|---|---|---|---|---|
{rows}
What to plan with:

- **Disk.** The contents once, however many commits and repositories name them. Each further commit that is kept costs
  the files that changed; [`keep`](operations.md#the-disk-gets-full) says how many are. The engine leaves 3 % of the
  file system free (`mirror_sync_reserve`). A new version is fetched beside the old one: the largest repository twice.
- **Inodes.** {each} for a repository of {files} files and one commit: a link and a content for each file, the rest for
  folders and documents. A further commit takes a link for each of its files, and a content for each that changed.
  ext4's usual 65,536 for each GiB are not the limit for models; XFS makes them as they are needed.
- **Memory.** What the table says, for the sync as for the replication on the other node; a run ends at 4 GiB
  (`mirror_sync_memory_limit`). nginx keeps nothing of the store in memory. The rest is page cache, and what fits in
  there is sent without reading the disk.
- **CPU.** What a core sends is measured in [benchmarks](benchmarks.md#serving); the figures for large files are there.
- **Network.** A night without changes costs what the last column says. What is new comes once, to the active node; the
  other one has it from there. To clients goes what they fetch: 1 GB takes 8.6 s of a line of a gigabit a second.
"""


@dataclass(frozen=True)
class Size:
    """What so many repositories came to. Bytes, but for inodes and requests."""

    repos: int
    beside: int
    inodes: int
    first: Measured
    night: Measured
    requests: int
    answered: int


def main() -> None:
    """Read the command line, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.sizing", description=__doc__.splitlines()[0])
    parser.add_argument("--docs", type=Path, default=TOP / "docs", help="where to write (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=TOP / ".cache") as scratch:
        sizes = [measure(Path(scratch) / str(repos), repos) for repos in SIZES]
    (options.docs / "sizing.md").write_text(page(sizes), encoding="utf-8")
    print(f"wrote {options.docs}/sizing.md")


def measure(scratch: Path, repos: int) -> Size:
    """Sync so many repositories, and once more when nothing changed."""
    print(f"{repos} repositories")
    scratch.mkdir()
    build(scratch / "contents", small=True)
    with HubProcess(scratch / "contents") as hub:
        downloads = Downloads(hub.url, many(hub, repos), scratch)
        first = downloads.engine()
        before = sum(hub.control("requests")["counts"].values())
        night = downloads.engine_again()
        found = hub.control("requests")
    requests = sum(found["counts"].values()) - before
    assert requests <= len(found["last"]), "the stand-in has forgotten some of its requests"
    answered = sum(entry["body_bytes"] for entry in found["last"][-requests:])
    beside, inodes = store_of(scratch / "store")
    return Size(repos, beside, inodes, first, night, requests, answered)


def store_of(root: Path) -> tuple[int, int]:
    """Return the bytes on the disk of all but contents, and the number of inodes."""
    beside, inodes = 0, {os.lstat(root).st_ino}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            found = os.lstat(os.path.join(folder, name))
            inodes.add(found.st_ino)
            # contents are the files of the pool, which the repositories name as well
            beside += found.st_blocks * 512 if found.st_nlink == 1 or name in folders else 0
    return beside, len(inodes)


def page(sizes: list[Size]) -> str:
    """Return the page."""
    rows = "".join(
        f"| {size.repos} | {size.repos * FILES:,} | {size.beside / 1e6:.1f} MB | {size.inodes:,} |"
        f" {_told(size.first)} | {_told(size.night)} | {size.requests:,}, {size.answered / 1e3:,.0f} kB |\n"
        for size in sizes
    )
    least, most = sizes[0], sizes[-1]
    each = (most.inodes - least.inodes) // (most.repos - least.repos)
    return _TEXT.format(machine=machine(), files=FILES, rows=rows, each=each)


def _told(run: Measured) -> str:
    return f"{run.memory / 1e6:.0f} MB, {run.wall:.1f} s, {run.cpu:.1f} s"


if __name__ == "__main__":
    main()
