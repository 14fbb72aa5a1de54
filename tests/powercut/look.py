# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store that had its power cut, looked at with none of the engine's own code, and then by ``fsck``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.fsck import fsck
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.fsck_repository import Finding
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from unit.engine.machine import invariants
from unit.engine.machine.mirror import served

Records = list[dict[str, Any]]
#: Documents of a store are shorter in these tests, and contents are not.
_SHOWN = 20_000


def remember(root: Path, exchange: Path) -> None:
    """Note what the store has before anything is cut."""
    marks = {
        repo.name: json.loads((repo / ".mirror/marks.json").read_bytes()) for repo in invariants.repositories(root)
    }
    known = {
        "listed": {" ".join(key): etag for key, etag in invariants.at_rest(root).items()},
        "refs": _refs(root),
        "retired": [[repo, commit] for repo, found in marks.items() for commit in found.get("retired", {})],
    }
    (exchange / "before.json").write_text(json.dumps(known))


def left_over(root: Path) -> int:
    """Count what nothing uses, and what a publish that was cut has still to say of its refs: the next sync does it."""
    return sum(not _is_harm(one) for one in fsck(Store(root)))


def _is_harm(finding: Finding) -> bool:
    # where a sync alone mends it there is no command for people, as with the copies of refs
    return finding.damage and bool(finding.mend or not finding.sync)


def found_after_cut(root: Path, exchange: Path, etags: Mapping[str, str]) -> Iterator[str]:
    """Yield what must not be, before anything has healed it."""
    before = json.loads((exchange / "before.json").read_text())
    told: Records = json.loads((exchange / "told.json").read_text())
    try:
        listed = {" ".join(key): etag for key, etag in invariants.at_any_time(root).items()}
    except (AssertionError, OSError, ValueError) as problem:
        yield f"readers would see: {problem!r}"
        return
    yield from (f"{name} is listed as {etag}" for name, etag in listed.items() if etags.get(name) != etag)
    due = tuple(f"{repo} {commit} " for repo, commit in before["retired"])
    gone = before["listed"].keys() - listed.keys()
    yield from (f"{name} was published before, and is gone" for name in gone if not name.startswith(due))
    yield from _forgotten(root, told, before["refs"])
    yield from (f"fsck: {one.path} {one.what}" for one in fsck(Store(root)) if _is_harm(one))


def _forgotten(root: Path, told: Records, refs: dict[str, str]) -> Iterator[str]:
    """Yield what was told to be durable and is not."""
    there = [json.dumps(record) for record in invariants.ledger(root)]
    yield from (f"the ledger lacks what was told: {one}" for one in map(json.dumps, told) if one not in there)
    now, expected = _refs(root), dict(refs)
    for record in told:
        repo = f"{record.get('repo_type')}s--{str(record.get('repo_id')).replace('/', '--')}"
        if record["kind"] == "publish":
            expected[f"{repo} {record['ref']}"] = record["new"]
        elif record["kind"] == "collected":
            for commit in record["commits"]:
                if (root / "hub" / repo / ".mirror/rev" / commit).exists():
                    yield f"{repo} {commit} was told as collected, and is there"
    announced = {record["new"] for record in invariants.ledger(root) if record["kind"] == "intent"}
    for ref, commit in expected.items():
        # a publish that nobody was told of yet may be there, too
        was_told = any(record["kind"] == "publish" and record["new"] == commit for record in told)
        if now.get(ref) != commit and (was_told or now.get(ref) not in announced):
            yield f"{ref} names {now.get(ref)}, and {commit} was published"


def finished(root: Path, exchange: Path) -> Iterator[str]:
    """Yield in what a store that was healed differs from one that was never cut, which is noted the first time."""
    try:
        invariants.at_rest(root)
        invariants.history(root)
        invariants.ledger_is_in_order(root)
    except (AssertionError, OSError, ValueError) as problem:
        yield f"after the next run: {problem!r}"
    yield from (f"after the next run, fsck: {one.path} {one.what}" for one in fsck(Store(root)))
    found = {path: _shown(what) for path, what in served(root).items()}
    whole = exchange / "whole.json"
    if not whole.exists():
        whole.write_text(json.dumps(found))
    expected = json.loads(whole.read_text())
    for path in sorted({*expected, *found}):
        if expected.get(path) != found.get(path):
            what = f"it is {found.get(path)}, and {expected.get(path)} where nothing was cut"
            yield f"after the next run {path} is another: {what}"


def _shown(what: object) -> str:
    """Return a text that is the same for what is the same, and can be read where it is no content."""
    text = repr(what)
    return text if len(text) < _SHOWN else hashlib.sha256(text.encode()).hexdigest()


def _refs(root: Path) -> dict[str, str]:
    return {
        f"{repo.name} {ref}": commit
        for repo in invariants.repositories(root)
        for ref, commit in invariants.refs(repo).items()
    }
