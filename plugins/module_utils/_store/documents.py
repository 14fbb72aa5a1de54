# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that answer the Hub's API for one commit. Pure: facts in, names and bytes out.

Only what is mirrored is listed. ``xetHash`` is never written: clients would go round the mirror with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from .._base.names import Commit, Ref, RepoPath
from .._plan.facts import Listing, Repo


def commit_documents(repo: Repo, listing: Listing, paths: Iterable[RepoPath]) -> dict[str, bytes]:
    """Return every document under ``.mirror/rev/COMMIT/``, by relative name."""
    mirrored = sorted(paths)
    documents = {
        "info.json": _text(_info(repo, listing, mirrored, blobs=False)),
        "info.blobs.json": _text(_info(repo, listing, mirrored, blobs=True)),
    }
    for folder in ["", *_folders(mirrored)]:
        prefix = f"{folder}/" if folder else ""
        below = [path for path in [*_folders(mirrored), *mirrored] if path.startswith(prefix) and path != folder]
        entries = [_entry(listing, path) for path in sorted(below)]
        documents[f"tree/{prefix}.mirror.recursive.json"] = _text(entries)
        flat = [entry for entry in entries if "/" not in entry["path"][len(prefix) :]]
        documents[f"tree/{prefix}.mirror.flat.json"] = _text(flat)
    return documents


def refs_document(refs: Mapping[Ref, Commit]) -> bytes:
    """Return ``.mirror/refs.json``. The mirror can't tell a tag from a branch: both are listed as branches."""
    answer: dict[str, list[dict[str, str]]] = {"branches": [], "converts": [], "tags": [], "pullRequests": []}
    for name, commit in sorted(refs.items()):
        group, short, ref = "branches", str(name), f"refs/heads/{name}"
        if name.startswith("refs/"):
            group = "pullRequests" if name.startswith("refs/pr/") else "converts"
            short, ref = name.split("/", 2)[2], name
        answer[group].append({"name": short, "ref": ref, "targetCommit": commit})
    return _text(answer)


def _info(repo: Repo, listing: Listing, paths: list[RepoPath], blobs: bool) -> dict[str, Any]:
    siblings: list[dict[str, Any]] = []
    for path in paths:
        sibling: dict[str, Any] = {"rfilename": path}
        if blobs:
            file = listing.files[path]
            sibling.update(size=file.size, blobId=file.oid)
            if file.sha256:
                sibling["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": file.pointer_size}
        siblings.append(sibling)
    document = {
        # both nodes of a pair must answer alike, so the id is made of what both know
        "_id": hashlib.sha256(str(repo).encode()).hexdigest()[:24],
        "id": repo.repo_id,
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        **listing.info,
        "sha": listing.commit,
        "siblings": siblings,
        "usedStorage": sum(int(listing.files[path].size) for path in paths),
    }
    if repo.repo_type == "model":
        document["modelId"] = repo.repo_id
    return document


def _entry(listing: Listing, path: RepoPath) -> dict[str, Any]:
    file = listing.files.get(path)
    if file is None:
        # some upstreams list no folders; clients want an oid of each
        oid = listing.folders.get(path) or hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()
        return {"type": "directory", "oid": oid, "size": 0, "path": path}
    entry: dict[str, Any] = {"type": "file", "oid": file.oid, "size": file.size, "path": path}
    if file.sha256:
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": file.pointer_size}
    return entry


def _folders(paths: list[RepoPath]) -> list[RepoPath]:
    found: set[RepoPath] = set()
    for path in paths:
        parts = path.split("/")[:-1]
        found.update(RepoPath("/".join(parts[: depth + 1])) for depth in range(len(parts)))
    return sorted(found)


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
