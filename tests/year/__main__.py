# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live through a year and write docs/year.md and its plot: ``python -m year``, which ``make year`` does."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from unit.engine.machine.mirror import scratch

from year import report
from year.flat import LIMIT, ratios
from year.simulation import Simulation

TOP = Path(__file__).parents[2]


def main() -> None:
    """Read the command line, live, write."""
    parser = argparse.ArgumentParser(prog="python -m year", description=__doc__.splitlines()[0])
    parser.add_argument("--repos", type=int, default=500, help="repositories on the whitelist (default: %(default)s)")
    parser.add_argument("--days", type=int, default=365, help="runs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another number, another year (default: %(default)s)")
    parser.add_argument("--docs", type=Path, default=TOP / "docs", help="where to write (default: %(default)s)")
    options = parser.parse_args()
    started, days = time.monotonic(), []
    with scratch() as root:
        for day in Simulation(root, options.repos, options.seed).days(options.days):
            days.append(day)
            if day.day % 10 == 0:
                print(f"day {day.day} after {time.monotonic() - started:.0f} s: {day.repos} repositories", flush=True)
    report.write(options.docs, options.repos, days)
    print(report.summary(days))
    print(f"all of it took {(time.monotonic() - started) / 60:.1f} minutes; wrote {options.docs}/year.md")
    grown = {name: ratio for name, ratio in ratios(days).items() if ratio >= LIMIT}
    if grown:
        raise SystemExit(f"the last month took more than the first: {grown}")


if __name__ == "__main__":
    main()
