# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about the benchmarks: tables and a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plot

from bench.measure import Measured, median
from bench.store import Store
from bench.store_scrub import BYTES

Results = Mapping[str, Mapping[str, Sequence[Measured]]]
_BASE = "huggingface_hub"

_HEAD = """# Benchmarks

`make bench` repeats all of this: {rounds} rounds, contenders in turn, on one machine in one run ({machine}). The
stand-in Hub runs beside them, nginx serves its content. Medians; what counts are the ratios to huggingface_hub 2.4, not
the seconds.

hf-mirror verifies every byte and makes it durable before it publishes; huggingface_hub checks sizes only; aria2 was
given all addresses and verifies nothing. Of memory the peak is given; less than the benchmark itself has, 70 to 110 MB,
can't be told.

Small files cost hf-mirror more than half of huggingface_hub's CPU: a third of it is Python's start with the libraries
that both load, most of the rest goes into HTTP, two requests for each file, which the Hub resolves and redirects.

![time relative to huggingface_hub](benchmarks.svg)

"""


def write(
    docs: Path,
    machine: str,
    rounds: int,
    results: Results,
    changed: Mapping[str, int],
    store: Store,
    reads: Mapping[str, Sequence[Measured]],
) -> None:
    """Write benchmarks.md and benchmarks.svg."""
    text = _HEAD.format(rounds=rounds, machine=machine)
    for title, contenders in results.items():
        text += f"## {title[0].upper()}{title[1:]}\n\n"
        text += "| | seconds | ratio | CPU seconds | ratio | memory |\n|---|---|---|---|---|---|\n"
        base = median(contenders[_BASE])
        for name, runs in contenders.items():
            found = median(runs)
            text += (
                f"| {name} | {found.wall:.2f} | {found.wall / base.wall:.2f} | {found.cpu:.2f} |"
                f" {found.cpu / base.cpu:.2f} | {found.memory / 1e6:.0f} MB |\n"
            )
        text += "\n"
    text += "## A new commit, 1 of 50 files changed\n\n| | bytes that came |\n|---|---|\n"
    text += "".join(f"| {name} | {count:,} |\n" for name, count in changed.items() if name != "changed")
    text += f"\nThe changed file has {changed['changed']:,} bytes; the rest is listings.\n"
    text += store_section(store) + scrub_section(reads)
    docs.mkdir(exist_ok=True)
    (docs / "benchmarks.md").write_text(text, encoding="utf-8")
    _plot(docs / "benchmarks.svg", results)


def store_section(store: Store) -> str:
    """Return what is said of a store of many links."""
    text = f"\n## A store of {store.links:,} links\n\n"
    text += (
        f"{store.repos} repositories, 5 commits of each with 20 small files, 4 of which differ from the commit before."
        f"\nThe store's {store.inodes:,} inodes are in the kernel's caches. `gc` takes a fifth of the commits, once,"
        "\nwith all the fsyncs that a power cut asks for.\n\n"
    )
    text += "| | seconds | CPU seconds | memory |\n|---|---|---|---|\n"
    for name, runs in store.runs.items():
        found = median(runs)
        text += f"| {name} | {found.wall:.2f} | {found.cpu:.2f} | {found.memory / 1e6:.0f} MB |\n"
    seconds = store.runs["gc, that collects"][0].wall
    links, inodes = store.gone
    return text + (
        f"\nThe last one took {links:,} links and {inodes:,} inodes in all away: {links / seconds:,.0f} and"
        f" {inodes / seconds:,.0f} a second.\n"
    )


def scrub_section(reads: Mapping[str, Sequence[Measured]]) -> str:
    """Return what is said of reading a whole store."""
    text = (
        f"\n## A scrub of {BYTES / 1e9:.0f} GB\n\n"
        "From the disk: nothing of it is in the page cache before. `dd` reads and does nothing else; `sha256sum`"
        " hashes,\ntoo, in Debian without the processor's instructions for that, which Python's OpenSSL knows.\n\n"
    )
    text += "| | MB a second | ratio to dd | CPU seconds | memory |\n|---|---|---|---|---|\n"
    base = median(reads["dd"])
    for name, runs in reads.items():
        found = median(runs)
        text += (
            f"| {name} | {BYTES / 1e6 / found.wall:,.0f} | {base.wall / found.wall:.2f} | {found.cpu:.2f} |"
            f" {found.memory / 1e6:.0f} MB |\n"
        )
    return text


def _plot(file: Path, results: Results) -> None:
    mpl.rcParams["svg.hashsalt"] = "benchmarks"
    figure, axes = plot.subplots(figsize=(8, 3.5), layout="constrained")
    names = list(dict.fromkeys(name for contenders in results.values() for name in contenders))
    for offset, name in enumerate(names):
        places, heights = [], []
        for place, contenders in enumerate(results.values()):
            if name in contenders:
                places.append(place + 0.26 * offset)
                heights.append(median(contenders[name]).wall / median(contenders[_BASE]).wall)
        axes.bar(places, heights, width=0.24, label=name)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_xticks([place + 0.26 for place in range(len(results))], [title.partition(" (")[0] for title in results])
    axes.set_ylabel("time, huggingface_hub = 1")
    axes.legend()
    figure.savefig(file, metadata={"Date": None})
