# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must stay in a store and what may go, read from the disk alone, with none of the engine's own code."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unit.engine.machine import invariants

LONGEST_PAUSE = 2 * 86400
#: A repository's folder and a commit; the same and a path.
Commit = tuple[str, str]
Link = tuple[str, str, str]


@dataclass
class Look:
    """A store at one moment. ``keep``: (folder, ref) -> how many published commits the whitelist wants."""

    repos: set[str] = field(default_factory=set)
    listed: invariants.Identities = field(default_factory=dict)
    refs: dict[tuple[str, str], str] = field(default_factory=dict)
    sealed: set[Commit] = field(default_factory=set)
    links: set[Link] = field(default_factory=set)
    retired: dict[Commit, float] = field(default_factory=dict)
    narrowed: dict[Commit, float] = field(default_factory=dict)
    rooted: set[Commit] = field(default_factory=set)


def look(root: Path, keep: dict[tuple[str, str], int], listed: invariants.Identities) -> Look:
    found = Look(listed=listed)
    for repo in invariants.repositories(root):
        name = repo.name
        found.repos.add(name)
        found.refs.update({(name, ref): commit for ref, commit in invariants.refs(repo).items()})
        found.sealed.update((name, entry.name) for entry in (repo / ".mirror/rev").glob("*") if len(entry.name) == 40)
        found.links.update(_links(repo))
        marks = _json(repo / ".mirror/marks.json")
        found.retired.update({(name, commit): mark["age"] for commit, mark in marks.get("retired", {}).items()})
        found.narrowed.update({(name, commit): mark["age"] for commit, mark in marks.get("narrowed", {}).items()})
        found.rooted.update((name, commit) for commit in _roots(repo, marks, keep))
    return found


def _links(repo: Path) -> set[Link]:
    top = repo / "snapshots"
    return {
        (repo.name, *str(link.relative_to(top)).split("/", 1))  # type: ignore[misc]
        for link in top.rglob("*")
        if link.is_symlink()
    }


def _roots(repo: Path, marks: dict[str, Any], keep: dict[tuple[str, str], int]) -> set[str]:
    """Return what something names: refs, the last published of them, pins, pending, listed by id."""
    refs = invariants.refs(repo)
    roots = {*refs.values(), *_json(repo / ".mirror/pending.json").values()}
    for kind in ("pins", "listed"):
        roots.update(commit for commit, mark in marks.get(kind, {}).items() if not mark.get("off"))
    for ref, entries in _json(repo / ".mirror/history.json").items():
        published: list[str] = []
        for entry in reversed(entries):
            if entry["commit"] and entry["commit"] not in published:
                published.append(entry["commit"])
        if ref in refs:
            roots.update(published[: keep.get((repo.name, ref), len(published))])
    return roots


def rejected(root: Path, repo: str, ref: str) -> set[str]:
    """Return what a person went back from, and nobody published again."""
    found: set[str] = set()
    now = ""
    for entry in _json(root / "hub" / repo / ".mirror/history.json").get(ref, []):
        if entry.get("rollback"):
            found.add(now)
        now = entry["commit"]
        found.discard(now)
        if not now:  # the ref was taken away
            found.clear()
    return found


def frozen(root: Path, repo: str) -> set[str]:
    """Return the refs that don't follow the upstream."""
    marks = _json(root / "hub" / repo / ".mirror/marks.json").get("frozen", {})
    return {ref for ref, mark in marks.items() if not mark.get("off")}


def age(root: Path, now: float) -> float:
    """Return the store's age: what passed between runs, at most two days each time, and never less than nothing."""
    total, last = 0.0, None
    for record in invariants.ledger(root):
        if record["kind"] == "run":
            total += _pause(last, record["seconds"])
            last = record["seconds"]
    return total + _pause(last, now)


def _pause(last: float | None, now: float) -> float:
    return 0.0 if last is None else min(max(now - last, 0.0), LONGEST_PAUSE)


def check(before: Look, now: Look, age: float, grace: float, is_exact: bool) -> None:
    """See that what went was allowed to. ``before`` has the marks of all that was seen since then."""
    for commit in before.sealed - now.sealed:
        if commit[0] in now.repos:
            assert commit not in now.rooted, f"{commit} went although something names it"  # 6
            assert commit in before.retired, f"{commit} went and was not retired before"
            assert before.retired[commit] + grace <= age, f"{commit} went before its grace was over"
    for link in before.links - now.links:
        commit = link[:2]
        if commit in now.sealed and commit in before.sealed:
            assert link not in now.listed, f"{link} is listed and gone"
            assert commit in before.narrowed, f"{link} went, and no listing got shorter"
            assert before.narrowed[commit] + grace <= age, f"{link} went before its grace was over"
    for key in before.listed.keys() - now.listed.keys():
        may_go = is_exact and key[:2] in {**before.narrowed, **now.narrowed}
        assert may_go or key[:2] not in now.sealed, f"{key} is not listed any more"  # 7


def _json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_bytes()) if os.path.exists(file) else {}
    return found
