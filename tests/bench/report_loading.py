# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about loading a model: a table and a plot."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import onnxruntime
from matplotlib import pyplot as plot
from matplotlib.ticker import PercentFormatter

from bench.loads import DIRECT, Loading

_TEXT = """# Loading a model

`make bench` repeats this, and `PYTHONPATH=collections:tests .venv/bin/python -m bench.loading` nothing else: {loads:,}
loads each way, on one machine in one run ({machine}).

A load is what FaceFusion does. It asks whether the provider answers, and how large the model and its `.hash` are, has
curl fetch both into an empty folder, with FaceFusion's own options, compares the CRC32, and makes a session of
onnxruntime {onnxruntime} on the CPU. The model is a convolutional network of {megabytes:.1f} MB. What is placed
beforehand is compared and loaded in the same way, from the page cache, and nothing is asked or fetched.

**The first column is simulated.** Its waits and failures are not measured: they are what a video platform reported of
the public Hub, a mean of {mean} s, a P99 of {p99:.0f} s and {failures:.1%} failures. A stand-in Hub makes them: before
it sends the model it waits, log-normally with that mean and P99, and {failures:.1%} of its answers are spoiled, half of
them cut in the middle, half a 503 instead. So this column, and each ratio to it, tells what such a line costs, and
nothing of the Hub as it is today. The other two columns are measured, on loopback: a network's own time, for this model
at least {gigabit:.2f} s at a gigabit a second, is not in them.

![cumulative distribution of load times](loading.svg)

| | direct from the Hub, simulated | through the mirror | placed beforehand |
|---|---|---|---|
{table}
Mean and P99 are of the loads that did not fail. Goals: through the mirror both are 25 times better than direct, no load
fails, and the mirror answers more than 99% of the requests itself. Through its own mirror, over a network, the video
platform reported a mean of 0.37 s, a P99 of 1.2 s and 0.1% failures.

Direct loads ran {clients} at once, since waiting costs no CPU. Of their time {beside:.1%} was not the stand-in's wait:
curl, the bytes, the session, and waiting for the machine's CPUs. The stand-in spoiled {spoiled} of these loads. After
a cut FaceFusion itself waits for ever; here such a load has failed and is over. The others ran one at a time, in turn.

The mirror is the role's nginx over a store that hf-mirror synced from the stand-in. It had {requests:,} requests; what
it does not have it would have sent to the stand-in, which had {upstream} meanwhile.
"""


def write(docs: Path, machine: str, found: Loading) -> None:
    """Write loading.md and loading.svg."""
    text = _TEXT.format(
        loads=found.direct.count,
        machine=machine,
        onnxruntime=onnxruntime.__version__,
        megabytes=found.model_bytes / 1e6,
        gigabit=found.model_bytes * 8 / 1e9,
        table=_table(found),
        clients=found.clients,
        beside=found.beside_waits,
        spoiled=found.spoiled,
        upstream=found.upstream,
        requests=found.requests,
        **DIRECT,
    )
    docs.mkdir(exist_ok=True)
    (docs / "loading.md").write_text(text, encoding="utf-8")
    _plot(docs / "loading.svg", found)


def _table(found: Loading) -> str:
    ways = (found.direct, found.mirror, found.placed)
    rows = {
        "mean": [f"{way.mean:.3g} s" for way in ways],
        "P99": [f"{way.p99:.3g} s" for way in ways],
        "times faster, mean": [f"{found.direct.mean / way.mean:.0f}" for way in ways],
        "times faster, P99": [f"{found.direct.p99 / way.p99:.0f}" for way in ways],
        "failures": [f"{len(way.failed)} ({way.failures:.1%})" for way in ways],
        "requests that the mirror answered itself": ["none", f"{found.answered / found.requests:.2%}", "none needed"],
    }
    return "".join(f"| {name} | {' | '.join(cells)} |\n" for name, cells in rows.items())


def _plot(file: Path, found: Loading) -> None:
    """Draw the share of all loads that were done after so many seconds: what failed never is."""
    mpl.rcParams["svg.hashsalt"] = "loading"
    figure, axes = plot.subplots(figsize=(8, 3.5), layout="constrained")
    ways = {
        "placed beforehand": found.placed,
        "through the mirror": found.mirror,
        "direct from the Hub, simulated": found.direct,
    }
    for name, way in ways.items():
        done = [number / way.count for number in range(1, len(way.well) + 1)]
        axes.step(sorted(way.well), done, where="post", label=name)
    axes.set_xscale("log")
    axes.set_xlabel("seconds")
    axes.set_ylabel("loads that are done")
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.legend()
    figure.savefig(file, metadata={"Date": None})
