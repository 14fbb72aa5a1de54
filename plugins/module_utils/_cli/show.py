# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror status``, ``log`` and ``fsck``: they look, and change nothing."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

from .._base.clock import stamp
from .._check import fsck as _fsck
from .._check.describe import describe as describe_store
from .._plan.ref_order import repository
from .._plan.report import human
from .arguments import BROKEN, FINE
from .ledger_text import describe
from .run_display import RunDisplay
from .session import Session

_HEADS = ("ENTRY", "PUBLISHED", "PENDING", ">VERSIONS", "STATE", ">FILES", ">SIZE", "LAST SUCCESS", "FAILURES")
_OPTIONAL = ("PENDING", ">VERSIONS", "STATE", "FAILURES")


def status(session: Session) -> int:
    """Show each entry, the run under way, and the disk."""
    store, terminal = session.store(), session.terminal
    wanted = session.wanted() if session.config.has_whitelist else None
    if session.options.follow:
        RunDisplay(store, terminal).follow()
    found = describe_store(store, wanted)
    terminal.data(found)
    rows = [_row(entry) for entry in found["entries"]]
    # what no entry has takes no room
    heads = [head for head in _HEADS if head not in _OPTIONAL or any(row[head] for row in rows)]
    terminal.table(heads, [[row[head] for head in heads] for row in rows])
    disk, running = found["disk"], found["running"]
    node = found["node"]
    used, free = human(disk["used_bytes"]), human(disk["free_bytes"])
    terminal.say(f"{store.root} holds {used}, {free} of {human(disk['total_bytes'])} are free")
    for line in _scrubbed(found["scrub"]):
        terminal.say(line)
    for line in _hits(found["traffic"]):
        terminal.say(line)
    if node:
        terminal.say(f"this node: {_of_node(node)}")
    for peer in found["peers"]:
        terminal.say(f"peer {peer['endpoint']}: {'; '.join(_of_peer(peer))}")
    if running:
        terminal.say(f"a sync is under way ({running['by']}){_how_far(running['progress'])}", "bold")
    return FINE


def _row(entry: dict[str, Any]) -> dict[str, str]:
    failures, message, success = entry["failures"], entry["message"], entry["last_success"]
    return {
        "ENTRY": entry["name"],
        "PUBLISHED": (entry["commit"] or "-")[:12],
        "PENDING": (entry["pending"] or "")[:12],
        ">VERSIONS": str(entry["versions"]) if entry["versions"] > 1 else "",
        "STATE": ", ".join(_state(entry)),
        ">FILES": str(entry["files"]),
        ">SIZE": human(entry["bytes"]),
        "LAST SUCCESS": f"{stamp(success)[:16]}Z" if success else "-",
        "FAILURES": f"{failures} in a row: {message}" if failures else message,
    }


def _state(entry: dict[str, Any]) -> Iterator[str]:
    if entry["frozen"]:
        yield "frozen"
    for what in ("pinned", "retired"):
        if entry[what]:
            yield f"{entry[what]} {what}"


def _scrubbed(scrub: dict[str, Any]) -> Iterator[str]:
    last, rotten = scrub["last"], scrub["rotten"]
    if last:
        size = f"{last['contents']} contents, {human(last['bytes'])}"
        yield f"all contents were read again by {stamp(last['ended'])[:16]}Z: {size}, {last['rotten']} rotten"
    if rotten:
        yield f"{rotten} rotten and not served. To repair, run: hf-mirror scrub --for 0"


def _hits(traffic: dict[str, Any] | None) -> Iterator[str]:
    week = traffic["hit_rate"]["week"] if traffic else None
    if traffic and week and week["rate"] is not None:
        number, counted = week["served"] + week["missed"], stamp(traffic["counted"])[:16]
        size = f", {week['bytes_rate']:.1%} of their bytes" if week["bytes_rate"] is not None else ""
        yield f"of {number} downloads in 7 days {week['rate']:.1%} came from this mirror{size} (by {counted}Z)"


def _of_node(node: dict[str, Any]) -> str:
    takeovers = node.get("takeovers", 0)
    times = f", took over {'once' if takeovers == 1 else f'{takeovers} times'}" if takeovers else ""
    return f"{node['state']} since {node['since'][:16]}Z{times}"


def _of_peer(peer: dict[str, Any]) -> Iterator[str]:
    if peer["node"]:
        yield _of_node(peer["node"])
    if peer["problem"]:
        yield f"{peer['problem']} (since {stamp(peer['since'])[:16]}Z)"
    elif peer["differences"]:
        places = "place" if peer["differences"] == 1 else "places"
        yield (
            f"differs in {peer['differences']} {places} since {stamp(peer['since'])[:16]}Z. To see them, run:"
            " hf-mirror compare"
        )
    else:
        yield "equal"
    yield f"asked at {stamp(peer['asked'])[:16]}Z"


def _how_far(progress: dict[str, Any] | None) -> str:
    if not progress:
        return ""
    size = f", {human(progress['bytes_done'])} of {human(progress['bytes_total'])}" if progress["bytes_total"] else ""
    return f": {progress['phase']}, {progress['done']} of {progress['total']}{size}"


def log(session: Session) -> int:
    """Show what happened, the newest last."""
    options = session.options
    repo = repository("log", options.repo_type, options.name) if options.name else None
    records = session.store().ledger.records(newest_first=True)
    if repo:
        about = {"repo_type": repo.repo_type, "repo_id": repo.repo_id}
        records = (one for one in records if about.items() <= one.items())
    count = options.count
    if options.json:
        for record in reversed(list(itertools.islice(records, count))):
            session.terminal.data(record, indent=None)
        return FINE
    told = ((record.get("time", "-"), describe(record)) for record in records)
    lines = [f"{time}  {text}" for time, text in itertools.islice((one for one in told if one[1]), count)]
    for line in reversed(lines):
        session.terminal.say(line)
    return FINE


def fsck(session: Session) -> int:
    """Say whether all names of the store fit together, and how to mend what doesn't."""
    found = _fsck.fsck(session.store())
    damage = [one for one in found if one.damage]
    session.terminal.data([dataclasses.asdict(one) for one in found])
    for one in found:
        kind, style = ("damage", "red") if one.damage else ("left over", "")
        session.terminal.say(f"{kind}: {one.path} {one.what}", style)
    commands = list(dict.fromkeys(command for one in damage for command in one.mend))
    if any(one.sync for one in damage):
        commands.append("hf-mirror sync")
    if commands:
        session.terminal.say("To repair it, run as the user who owns the store:")
    for command in commands:
        session.terminal.say(f"  {command}")
    session.terminal.say(f"{len(damage)} damaged, {len(found) - len(damage)} left over" if found else "sound")
    return BROKEN if damage else FINE
