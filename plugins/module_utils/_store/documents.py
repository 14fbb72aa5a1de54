# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that answer the Hub's API for one commit. Pure: facts in, names and bytes out.

Only what is mirrored is listed. ``xetHash`` is never written: clients would go round the mirror with it.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .._base.names import Commit, Ref, RepoPath
from .._plan.facts import Listing, Repo
from .history import Entry
from .path_index import path_index

#: Documents that the first versions did not write; recovery makes them.
LATER = ("commits.json", "listed.txt", "paths.txt")
#: Nobody tells the mirror who made a commit, and when it was made only of the newest.
_AUTHOR, _SOME_DATE = "unknown", "2020-01-01T00:00:00.000Z"


def commit_documents(repo: Repo, listing: Listing, paths: Iterable[RepoPath]) -> dict[str, bytes]:
    """Return every document under ``.mirror/rev/COMMIT/``, by relative name."""
    mirrored = sorted(paths)
    info, folders = _info(repo, listing, mirrored, blobs=False), _folders(mirrored)
    names = sorted([*folders, *mirrored])
    entries = {path: _text(_entry(listing, path)) for path in names}
    documents = {
        "info.json": _text(info),
        "info.blobs.json": _text(_info(repo, listing, mirrored, blobs=True)),
        "listed.txt": _listed(info),
        "commits.json": _text([_commit(listing.commit, info.get("lastModified", _SOME_DATE))]),
        "paths.txt": path_index(entries),
    }
    for folder in ["", *folders]:
        prefix = f"{folder}/" if folder else ""
        # what begins with the same letters is in one piece; "0" comes after "/"
        below = names[bisect_left(names, prefix) : bisect_left(names, f"{folder}0")] if folder else names
        flat = [path for path in below if "/" not in path[len(prefix) :]]
        for name, found in (("recursive", below), ("flat", flat)):
            documents[f"tree/{prefix}.mirror.{name}.json"] = b"[" + b",".join([entries[one] for one in found]) + b"]"
    return documents


def commits_document(published: Sequence[Entry], sealed: Collection[Commit]) -> bytes:
    """Return ``.mirror/commits/REF.json``: the commits of a ref that are served, the last published first."""
    times = {entry["commit"]: entry["time"] for entry in published if entry["commit"] in sealed}
    newest = dict.fromkeys(entry["commit"] for entry in reversed(published) if entry["commit"] in sealed)
    return _text([_commit(commit, times[commit].replace("Z", ".000Z")) for commit in newest])


def _commit(commit: str, date: str) -> dict[str, Any]:
    title = f"Commit {commit[:12]}"
    return {
        "id": commit,
        "title": title,
        "message": "",
        "authors": [{"user": _AUTHOR}],
        "date": date,
        "formatted": {"title": title, "message": ""},
    }


def _listed(info: Mapping[str, Any]) -> bytes:
    """Return what listings of repositories show: a line with what they are filtered by, and the entry."""
    task = info.get("pipeline_tag")
    tags = info["tags"] if isinstance(info["tags"], list) else []
    words = [*tags, task, info.get("library_name"), f"pipeline_tag:{task}"]
    found = sorted({word.lower() for word in words if isinstance(word, str)})
    line = "\t".join(["", *[" ".join(word.split()) for word in found], ""])
    return line.encode() + b"\n" + _text({name: value for name, value in info.items() if name != "siblings"})


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
