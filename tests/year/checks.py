# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be on the disk, looked at with none of the engine's own code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo

from year.model import Known, Model


def at_rest(root: Path, model: Model) -> int:
    """See that a store is just what it should be when a run has ended. Returns the bytes of its contents."""
    assert set(os.listdir(root / "hub")) == {repo.folder for repo in model.repos}
    for repo, known in model.repos.items():
        folder = str(root / "hub" / repo.folder)
        ref, sealed = _revisions(folder)
        assert ref == known.ref, f"{repo} names {ref} and not {known.ref}"
        assert sealed == known.sealed.keys(), f"{repo} has {sealed}, should have {known.sealed.keys()}"
        assert set(os.listdir(f"{folder}/snapshots")) == sealed
        copy = Path(folder, "refs/main")
        assert (copy.read_text() if copy.exists() else None) == ref
        # one that came back and waits for its first publish has what was remembered of it
        history = _json(f"{folder}/.mirror/history.json") or _json(f"{root}/removed/{repo.folder}.json")
        told = [(one["commit"], "rollback" in one) for one in history.get("main", [])]
        assert told == known.history, f"{repo} has the history {told} and not {known.history}"
        waits = _json(f"{folder}/.mirror/pending.json").get("main")
        assert waits == known.pending, f"{repo}: {waits} waits and not {known.pending}"
        for commit in sealed:
            found = _listed(folder, commit)
            assert found == {path: (file.etag, file.size) for path, file in known.sealed[commit].items()}
    assert not os.listdir(root / "trash")
    return _pool(root, model)


def _json(file: str) -> dict[str, Any]:
    if not os.path.exists(file):
        return {}
    with open(file, "rb") as document:
        found: dict[str, Any] = json.load(document)
    return found


def _pool(root: Path, model: Model) -> int:
    """See that the store is as large as the rules say.

    That is at least the distinct contents of what roots and retired commits name, and at most those with what came for
    commits that could not be completed.
    """
    sizes = {entry.name: entry.stat().st_size for entry in os.scandir(root / "pool")}
    needed = model.contents()
    assert needed.items() <= sizes.items(), f"{needed.keys() - sizes.keys()} are gone"
    extra = sizes.keys() - needed.keys()
    assert extra <= model.waiting.keys(), f"{extra - model.waiting.keys()} are needed by nothing"
    parts = sum(entry.stat().st_size for entry in os.scandir(root / "staging"))
    assert sum(sizes.values()) + parts <= sum(needed.values()) + sum(model.waiting.values())
    return sum(sizes.values())


def after_kill(root: Path, before: Mapping[Repo, Known], model: Model) -> None:
    """See that a killed run left each repository as it was, or as it will be, or between the two; and nothing broken.

    ``model`` is the store as the run would have left it.
    """
    there, after, keep = set(os.listdir(root / "hub")), model.repos, model.keep
    assert {repo.folder for repo in before.keys() & after.keys()} <= there
    for repo in before.keys() | after.keys():
        old, new = before.get(repo, Known()), after.get(repo, Known())
        folder = str(root / "hub" / repo.folder)
        if repo.folder not in there or not os.path.isdir(f"{folder}/.mirror/rev"):
            continue
        ref, sealed = _revisions(folder)
        assert ref in (old.ref, new.ref), f"{repo} names {ref}, neither {old.ref} nor {new.ref}"
        assert sealed <= old.sealed.keys() | new.sealed.keys()
        if repo in before and repo in after:
            rooted = old.roots(keep.get(repo)) & new.roots(keep.get(repo))
            assert rooted <= sealed, f"{repo}: {rooted - sealed} went although something names it"
        for commit in sealed:
            _listed(folder, commit)


def _revisions(folder: str) -> tuple[str | None, set[str]]:
    """Return what the ref names, and what is sealed."""
    ref, sealed = None, set()
    for entry in os.scandir(f"{folder}/.mirror/rev"):
        if entry.is_symlink():
            assert entry.name == "main"
            ref = os.path.basename(os.readlink(entry.path))
        elif entry.name != "refs":
            sealed.add(entry.name)
    assert ref is None or ref in sealed, f"{folder} names {ref}, which is not sealed"
    return ref, sealed


def _listed(folder: str, commit: str) -> dict[str, tuple[str, int]]:
    """Return path -> etag and size of a commit's listing, and see that each file is there with that size."""
    with open(f"{folder}/.mirror/rev/{commit}/info.blobs.json", "rb") as document:
        siblings = json.load(document)["siblings"]
    found = {}
    for one in siblings:
        etag, size = one["lfs"]["sha256"] if "lfs" in one else one["blobId"], one["size"]
        link = f"{folder}/snapshots/{commit}/{one['rfilename']}"
        assert os.readlink(link).endswith(f"/blobs/{etag}"), f"{link} leads elsewhere"
        assert os.stat(link).st_size == size, f"{link} has not its size"
        found[one["rfilename"]] = (etag, size)
    return found
