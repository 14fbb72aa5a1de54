# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about takeovers: a table, and a plot of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plot

from failover.downloads import CURLRC
from failover.series import MISSED, PUBLISHING, Takeover

#: The takeover that is shown, and how many seconds of it.
_SHOWN, _BEFORE, _AFTER = "host killed", 1.0, 4.0
_HEAD = """# Failover

`make failover` repeats it. This page is what it wrote: {taken} takeovers in {count} faults;
{failed} of {downloads} downloads failed. The hosts are the tests' own, containers with systemd on one machine:
{machine}.

A pair of mirrors, Debian 12 and 13, has one address ([mirror_keepalived](../roles/mirror_keepalived/README.md)). A
client asks for the head of a file through it every 20 ms, each time on a new connection. On another host eight
clients download a file of 91 MB, each at 8 MB a second at most: huggingface_hub 0.36.2, 1.33.0 and 2.4.0, and curl
with the options of FaceFusion 3.8.1, two of each. When all are under way the active node is taken away. It comes back
when they are done, and nobody helps it. The stand-in Hub is switched off, but for the syncs.

*Gap* is the longest time without a right answer, from the fault until both nodes are well again. *Well again* counts
from the end of the fault.

"""
_NOTES = """
What to know of some of them:

- **nothing gets in**: the node that hears nothing still sends its adverts, and finds itself well. The address stays,
  and clients wait for the end of the fault, which lasts for {lasts:.0f} s here.
- **nothing gets out**: both nodes have the address, but nobody hears the old one. Afterwards the one of higher
  priority keeps it.
- **nginx killed**: systemd starts it again after a second.
- **disk full**: a mirror that can't write serves what it has. The address stays.

After each takeover one node had the address, and both were well without a hand.

![latency over a takeover](failover.svg)

One takeover ({shown}) as the client saw it. What was sent to nobody, the client's kernel sends again after a second.

## Syncs

- The active node was killed at a random instant of a sync, {kills} times over. The other one served all files of the
  old or of the new commit. After the next sync both had the same, each file of each commit compared by its SHA-256.
- The standby was away for {missed} syncs, each with a new commit. {caught_up:.0f} s after its start it had them all,
  equal by SHA-256.

## What clients need

- **huggingface_hub** waits for 10 s when nothing comes any more (`HF_HUB_DOWNLOAD_TIMEOUT`), then goes on where it
  was, up to five times in a row. Two ends of a connection it does not try again, in their source and here. 1.33.0 and
  2.4.0 give up where it is reset (`ReadError`): the nodes don't send that. 0.36.2 gives up where it is closed too early
  (`ChunkedEncodingError`), as by a kernel whose nginx was killed, and no setting changes that: ask again, and it goes
  on where it was.
- **curl** gives up at the first trouble, and waits for ever where nothing comes. These lines in `~/.curlrc`, or in
  `.curlrc` in the folder that `CURL_HOME` names, change that. FaceFusion's curl reads them, too, and needs them:

  ```
{curlrc}
  ```
"""


def write(docs: Path, machine: str, takeovers: Sequence[Takeover], caught_up: float) -> None:
    """Write failover.md and failover.svg."""
    curlrc = "\n".join(f"  {line}" for line in CURLRC.splitlines())
    text = _HEAD.format(
        taken=sum(one.moved for one in takeovers),
        count=len(takeovers),
        downloads=sum(one.under_way for one in takeovers),
        failed=sum(len(one.failed) for one in takeovers),
        machine=machine,
    )
    text += table(takeovers) + _failures(takeovers)
    text += _NOTES.format(
        lasts=max(one.fault.lasts or 0 for one in takeovers),
        shown=_SHOWN,
        kills=sum(one.name == PUBLISHING for one in takeovers),
        missed=MISSED,
        caught_up=caught_up,
        curlrc=curlrc,
    )
    docs.mkdir(exist_ok=True)
    (docs / "failover.md").write_text(text, encoding="utf-8")
    _plot(docs / "failover.svg", next(one for one in takeovers if one.name == _SHOWN))


def table(takeovers: Sequence[Takeover]) -> str:
    """Return a row for each fault."""
    text = "| fault | times | address moved | gaps, s | goal, s | failed downloads | wrong bytes | well again, s |\n"
    text += "|---" * 8 + "|\n"
    for name in dict.fromkeys(one.name for one in takeovers):
        some = [one for one in takeovers if one.name == name]
        gaps = ", ".join(f"{one.gap:.2f}" for one in some)
        text += (
            f"| {name} | {len(some)} | {sum(one.moved for one in some)} | {gaps} | {some[0].fault.goal:.0f} |"
            f" {sum(len(one.failed) for one in some)} | {sum(len(one.wrong) for one in some)} |"
            f" {max(one.well_after for one in some):.0f} |\n"
        )
    return text


def _failures(takeovers: Sequence[Takeover]) -> str:
    """Return which downloads failed, and by what."""
    said = [
        f"- {one.name}: {client}, `{message.strip().splitlines()[-1].partition(':')[0]}`\n"
        for one in takeovers
        for client, _colon, message in (text.partition(": ") for text in one.failed)
    ]
    return "".join(["\nThese failed:\n\n", *said]) if said else ""


def _plot(file: Path, one: Takeover) -> None:
    mpl.rcParams["svg.hashsalt"] = "failover"
    figure, axes = plot.subplots(figsize=(8, 3.5), layout="constrained")
    for good, label, color in ((True, "answered", "C0"), (False, "no answer, or a wrong one", "C3")):
        shown = [poll for poll in one.polls if poll.good == good and -_BEFORE < poll.sent - one.at < _AFTER]
        if shown:
            times = [poll.sent - one.at for poll in shown]
            waited = [1000 * (poll.answered - poll.sent) for poll in shown]
            axes.scatter(times, waited, s=6, color=color, label=label)
    axes.axvspan(0, one.gap, color="C1", alpha=0.2, label=f"gap, {one.gap:.2f} s")
    axes.set_yscale("log")
    axes.set_xlabel("when a request was sent: seconds after the last answer of the old node")
    axes.set_ylabel("ms until its answer came")
    axes.legend(loc="upper right")
    figure.savefig(file, metadata={"Date": None})
