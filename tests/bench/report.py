# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about the benchmarks: tables and a plot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plot

from bench.load import Load
from bench.measure import Measured, median
from bench.server import GUARDED, OLAH, OPEN, PLAIN, PLAIN_TLS, TLS, Serving
from bench.server_store import FILES, LARGE_BYTES, REPOS, SNAPSHOT_BYTES, SNAPSHOT_FILES
from bench.store import Store
from bench.store_scrub import BYTES

Results = Mapping[str, Mapping[str, Sequence[Measured]]]
_BASE = "huggingface_hub"
#: What each server is next to.
_LIMIT = {PLAIN: PLAIN, OPEN: PLAIN, GUARDED: PLAIN, PLAIN_TLS: PLAIN_TLS, TLS: PLAIN_TLS}

_HEAD = """# Benchmarks

`make bench` repeats all of this: {rounds} rounds, contenders in turn, on one machine in one run ({machine}). The
stand-in Hub runs beside them, nginx serves its content. Medians; what counts are the ratios to huggingface_hub 2.4, not
the seconds.

hf-mirror verifies every byte and makes it durable before it publishes; huggingface_hub checks sizes only; aria2 was
given all addresses and verifies nothing. Of memory the peak is given; less than the benchmark itself has, 70 to 110 MB,
can't be told.

Small files cost hf-mirror more than half of huggingface_hub's CPU: a third of it is Python's start with the libraries
that both load, most of the rest goes into HTTP, two requests for each file, which the Hub resolves and redirects.

How long a model takes to load, through the mirror or placed beforehand, is on [a page of its own](loading.md).

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
    serving: Serving,
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
    text += store_section(store) + scrub_section(reads) + server_section(serving)
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


def server_section(serving: Serving) -> str:
    """Return what is said of the mirror's server."""
    text = (
        "\n## Serving\n\n"
        "The role's nginx, one worker on a core of its own, beside plain nginx over the same files in the same"
        " surroundings:\nwhat any server of static files could do here. Both write their access log. With tokens and"
        " groups there are 20\nusers and 10 rules, of which the last one decides. What is served with TLS is next to"
        " plain nginx with TLS.\nThe client, on the other cores, is"
        " `wrk` for GET, and a loop for\nHEAD, whose answers wrk does not understand. Rates are requests in a second of"
        " nginx' CPU; in a second of the clock\nthere are fewer where the client is slower than nginx.\n\n"
        f"{REPOS * FILES:,} files of 1 kB in {REPOS:,} repositories, at random, by 32 clients that keep their"
        " connections. Goals: HEAD at\n0.6 of plain nginx, 0.35 with tokens and groups. Two machines came to 0.55 and"
        " 0.66, and to 0.46 and 0.53 for a commit and\nfor main, with tokens and groups to 0.45 and 0.48, and to 0.34"
        " and 0.32: the slower the kernel, the further away. Plain\nnginx makes 7 system calls for a HEAD, the mirror"
        " 19: two more look for the store's sentinel and for the mark of a\ngated repository, the others read the"
        " link that names the file's hash, and each folder on the way to it. In return\nnothing is kept in memory that"
        " could be stale, and a publish has nothing to reload.\n\n"
    )
    text += "| | | requests in a second of CPU | ratio | of the clock |\n|---|---|---|---|---|\n"
    for request, contenders in serving.small.items():
        text += _rates(request, contenders, _LIMIT, ".2f")
    text += (
        f"\nA file of {LARGE_BYTES / 1e9:.0f} GB, again and again, in the page cache. Goal: 0.95 of plain nginx."
        " Where\nthe CPU for a GB is the same, differences between rates are the machine's.\n\n"
    )
    text += "| clients | | MB a second | ratio | CPU seconds for a GB | ratio |\n|---|---|---|---|---|---|\n"
    for clients, contenders in serving.large.items():
        for name, loads in contenders.items():
            plain = _median(contenders[_LIMIT[name]], lambda load: load.byte_rate)
            found = _median(loads, lambda load: load.byte_rate)
            text += (
                f"| {clients} | {name} | {found.byte_rate / 1e6:,.0f} | {found.byte_rate / plain.byte_rate:.2f} |"
                f" {found.cpu_of_gigabyte:.3f} | {found.cpu_of_gigabyte / plain.cpu_of_gigabyte:.2f} |\n"
            )
    text += (
        f"\nA snapshot of {SNAPSHOT_FILES} small files and one of {SNAPSHOT_BYTES / 1e6:.0f} MB, by huggingface_hub"
        " 2.4 into an empty cache:\n\n| | seconds | CPU seconds of the client | of nginx |\n|---|---|---|---|\n"
    )
    for name, runs in serving.snapshots.items():
        client, server = median([run for run, _cpu in runs]), sorted(cpu for _run, cpu in runs)[len(runs) // 2]
        text += f"| {name} | {client.wall:.2f} | {client.cpu:.2f} | {server:.2f} |\n"
    return text + _metadata_section(serving) + _growth_section(serving)


def _metadata_section(serving: Serving) -> str:
    text = (
        "\n## Metadata, beside olah\n\n"
        "The same repository of 200 files from olah 0.5.4 and from a mirror that was filled from it, by 32 clients."
        " Goal: 500\ntimes as many, which is not reached: olah is measured at its best, with all of it in its cache"
        " and a Hub that answers\nat once. It answers this HEAD by itself, the mirror with a redirect to the"
        " commit.\n\n"
        "| | | requests in a second of CPU | ratio | of the clock |\n|---|---|---|---|---|\n"
    )
    for request, contenders in serving.metadata.items():
        text += _rates(f"`{request}`", contenders, dict.fromkeys(contenders, OLAH), ".0f")
    return text


def _rates(request: str, contenders: Mapping[str, Sequence[Load]], bases: Mapping[str, str], form: str) -> str:
    """Return a row of each contender. ``form`` is how ratios to its base are written."""
    rates = {name: _median(loads, lambda load: load.rate_of_cpu) for name, loads in contenders.items()}
    text = ""
    for name, found in rates.items():
        ratio = found.rate_of_cpu / rates[bases[name]].rate_of_cpu
        text += f"| {request} | {name} | {found.rate_of_cpu:,.0f} | {ratio:{form}} | {found.rate:,.0f} |\n"
    return text


def _growth_section(serving: Serving) -> str:
    text = (
        "\n## Serving ever more repositories\n\n"
        "Of one small file each. HEAD is for a file of a commit, of all repositories at random; the listing is"
        "\n`GET /api/models?limit=100`, one after another: while nginx' worker makes one, it does nothing else. The"
        " store is made\nwithout waiting for the disk, and in the kernel's caches.\n\n"
        "| repositories | HEAD, in a second of CPU | a listing, ms | CPU ms | seconds to make those that came |\n"
        "|---|---|---|---|---|\n"
    )
    for size in serving.growth:
        listing = size.listing
        text += (
            f"| {size.repos:,} | {size.head.rate_of_cpu:,.0f} | {1000 / listing.rate:,.1f} |"
            f" {1000 / listing.rate_of_cpu:,.1f} | {size.build:,.0f} |\n"
        )
    return text


def _median(loads: Sequence[Load], figure: Callable[[Load], float]) -> Load:
    """Return the load whose figure is the median."""
    return sorted(loads, key=figure)[len(loads) // 2]


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
