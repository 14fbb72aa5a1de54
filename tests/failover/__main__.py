# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take nodes away and write docs/failover.md and its plot: ``python -m failover``, which ``make failover`` does."""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path

from failover import report
from failover.pair import following
from failover.series import Series
from testhosts import TOP


def main() -> None:
    """Read the command line, take over, write."""
    parser = argparse.ArgumentParser(prog="python -m failover", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2, help="how often each fault happens (default: %(default)s)")
    parser.add_argument("--docs", type=Path, default=TOP / "docs", help="where to write (default: %(default)s)")
    options = parser.parse_args()
    series, takeovers = Series(options.rounds), []
    with following():
        for one in series.run():
            takeovers.append(one)
            print(f"{one.name}: gap {one.gap:.2f} s, {one.under_way} downloads under way", flush=True)
            for problem in one.problems():
                print(f"  {problem}", flush=True)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release().partition('-')[0]}"
    # what else runs there counts, too
    machine += f", at a load of {os.getloadavg()[2]:.0f}"
    report.write(options.docs, machine, takeovers, series.caught_up)
    print(report.table(takeovers))
    print(f"wrote {options.docs}/failover.md")
    if any(one.problems() for one in takeovers):
        raise SystemExit("something went wrong in a takeover: see above")


if __name__ == "__main__":
    main()
