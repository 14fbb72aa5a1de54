# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about the year: a table by quarter, and a plot."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plot

from year.flat import COUNTS, LIMIT, MONTH, ratios
from year.simulation import Measured

_HEAD = """# A year in minutes

`make year` repeats it: {count} repositories, {days} days, a sync each day. It is the whole engine but HTTP: the Hub is
in memory, the store is in a folder in memory or on disk, the clock is turned by a day for each run. Nothing is fsynced,
for speed; what a power cut leaves is proved elsewhere ([reliability](reliability.md)).

On each day 6 of 100 repositories get a commit, some of them with files that others have, too. 1 of 100 goes bad for
some days: gone, gated, back at an older commit, emptied, or with a file that arrives corrupt. Entries leave the
whitelist and come back; once a week what it does not name is removed (state `exact`, `max_delete` 10%), and on two days
half of it is missing by mistake. `keep` is 2 or 3. People promote, roll back, pin and freeze. On every fifth day two to
four runs are killed at a random call before one comes to its end. Seven times the clock is wrong for some days, by up
to a year, forwards and back.

After each run the store is held against what a second implementation of the rules, in the test, says: refs, history,
commits, what waits, each listed file with its size, and which contents there are, no more and no less. Only contents
that came for a commit which could not be completed may be there besides, until a coming run removes them. After each
kill nothing is gone that a root names, and each commit that is listed is whole. Every {month} days all contents are
hashed, and `fsck` finds no damage.

![size over the year](year.svg)

"""
_COLUMNS = (
    "| | repositories | commits published | collected | store | that roots name | ledger | seconds a run | memory |\n"
)


def summary(days: Sequence[Measured]) -> str:
    """Return the table by quarter and what the last month was to the first."""
    text = _COLUMNS + "|---" * 9 + "|\n"
    ends = [len(days) * number // 4 for number in range(5)]
    quarters = [days[start:end] for start, end in zip(ends, ends[1:])]
    for quarter in quarters:
        last = quarter[-1]
        seconds = statistics.median(day.seconds for day in quarter)
        text += (
            f"| days {quarter[0].day} to {last.day} | {last.repos} | {sum(day.published for day in quarter):,} |"
            f" {sum(day.collected for day in quarter):,} | {_mb(last.store)} | {_mb(last.roots)} | {_mb(last.ledger)} |"
            f" {seconds:.2f} | {_mb(last.memory)} |\n"
        )
    names = (*COUNTS, "memory", "seconds")
    found = ratios(days, names)
    month = min(MONTH, len(days) // 3)
    text += (
        f"\nThe last {month} days against the first (medians):\n\n| {' | '.join(_WORDS[name] for name in names)} |\n"
    )
    text += "|---" * len(names) + "|\n" + "".join(f"| {found[name]:.2f} " for name in names) + "|\n"
    return text


_WORDS = {
    "calls": "calls that change the disk",
    "reads": "files opened and folders listed",
    "requests": "requests",
    "blocks": "objects in memory",
    "store": "bytes of the store",
    "memory": "memory",
    "seconds": "seconds",
}


def write(docs: Path, count: int, days: Sequence[Measured]) -> None:
    """Write year.md and year.svg."""
    kills, failures = sum(day.kills for day in days), sum(day.failures for day in days)
    text = _HEAD.format(count=count, days=len(days), month=MONTH) + summary(days)
    grown = (days[-1].ledger - days[0].ledger) / 1e6
    text += (
        f"\nAll but seconds and memory must stay below {LIMIT}; objects and memory are those of the simulation, too,"
        f" which remembers\nthe year. The ledger grew by {grown:.1f} MB. {kills} runs were killed;"
        f" {failures:,} times an entry failed, as it had to.\n"
    )
    docs.mkdir(exist_ok=True)
    (docs / "year.md").write_text(text, encoding="utf-8")
    _plot(docs / "year.svg", days)


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _plot(file: Path, days: Sequence[Measured]) -> None:
    mpl.rcParams["svg.hashsalt"] = "year"
    figure, axes = plot.subplots(figsize=(8, 3.5), layout="constrained")
    at = [day.day for day in days]
    roots = [day.roots / 1e6 for day in days]
    retired = [(day.kept - day.roots) / 1e6 for day in days]
    axes.stackplot(at, roots, retired, labels=["named by roots", "retired, in their grace"])
    axes.plot(at, [day.store / 1e6 for day in days], color="black", linewidth=0.8, label="the store")
    axes.set_xlabel("day")
    axes.set_ylabel("MB")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right")
    figure.savefig(file, metadata={"Date": None})
