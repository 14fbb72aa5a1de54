# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut the power and write docs/powercut.md: ``python -m powercut``, which ``make powercut`` does."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, product
from pathlib import Path

import memory

from powercut import report, story
from powercut.cuts import FILE_SYSTEMS, Cut, Disks
from powercut.kernel import versions
from powercut.words import STAGES

TOP = Path(__file__).parents[2]


def main() -> None:
    """Read the command line, cut, write."""
    parser = argparse.ArgumentParser(prog="python -m powercut", description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="the kernel and its system, made by powercut.sh")
    parser.add_argument("--cuts", type=int, default=50, help="of all file systems (default: %(default)s)")
    parser.add_argument("--seed", default=str(time.time_ns()), help="the same one aims the same (default: the time)")
    parser.add_argument("--docs", type=Path, default=TOP / "docs", help="where to write (default: %(default)s)")
    options = parser.parse_args()
    print(f"--seed {options.seed}", flush=True)
    started, cuts = time.monotonic(), []
    root = options.root.absolute()
    for cut in _cuts(root, options.cuts, options.seed):
        cuts.append(cut)
        print(cut.line(), flush=True)
        for problem in cut.problems:
            print(f"  {problem}", flush=True)
    report.write(options.docs, cuts, options.seed, versions(root))
    print(report.table(cuts))
    print(f"all of it took {(time.monotonic() - started) / 60:.1f} minutes; wrote {options.docs}/powercut.md")
    if any(cut.problems for cut in cuts):
        raise SystemExit(f"a power cut did harm: see above; --seed {options.seed} aims the same again")


def _cuts(root: Path, count: int, seed: str) -> Iterator[Cut]:
    """Cut on each file system in turn, in each stage in turn, with and without a disk's cache."""
    story.contents(TOP / ".cache/powercut/contents")
    now = int(time.time())
    with tempfile.TemporaryDirectory(dir=memory.folder()) as scratch:
        disks = [Disks(root, TOP, Path(scratch), file_system, now) for file_system in FILE_SYSTEMS]
        for one in disks:
            one.prepare()
        done = 0
        for number, (stage, is_cached) in enumerate(cycle(product(STAGES, (False, True)))):
            for one in disks:
                for cut in one.cuts(f"{seed}/{number}", stage, is_cached):
                    yield cut
                    done += 1
            if done >= count:
                return


if __name__ == "__main__":
    main()
