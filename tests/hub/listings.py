# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Hub's JSON answers about a repository: info, tree, paths-info and refs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from hub.objects import lfs_pointer, parents, tree_ids
from hub.repos import Commit, File, NotFound, Repo

Json = dict[str, Any]


def info(repo: Repo, commit: Commit, blobs: bool, expand: list[str]) -> Json:
    """Describe a repository at a commit; ``blobs`` adds sizes and hashes, ``expand`` asks for single properties."""
    document: Json = {
        "_id": hashlib.sha256(f"{repo.repo_type}/{repo.repo_id}".encode()).hexdigest()[:24],
        "id": repo.repo_id,
        "author": repo.repo_id.rpartition("/")[0] or None,
        "sha": commit.id,
        "lastModified": repo.main.date,
        "createdAt": repo.commits[0].date,
        "private": bool(repo.access and repo.access.mode == "private"),
        "gated": "auto" if repo.access and repo.access.mode == "gated" else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": repo.tags,
        "siblings": [_sibling(path, file, blobs) for path, file in sorted(commit.files.items())],
        "usedStorage": sum(file.size for file in commit.files.values()),
    }
    if repo.repo_type == "model":
        document |= {"modelId": repo.repo_id, "pipeline_tag": repo.pipeline_tag, "library_name": repo.library_name}
    if repo.repo_type == "space":
        document |= {"sdk": repo.sdk}
    if expand:
        return {key: document[key] for key in ("_id", "id", *expand) if key in document}
    return document


def _sibling(path: str, file: File, blobs: bool) -> Json:
    sibling: Json = {"rfilename": path}
    if blobs:
        sibling |= {"size": file.size, "blobId": file.oid}
        if file.lfs:
            sibling["lfs"] = {"sha256": file.lfs, "size": file.size, "pointerSize": _pointer_size(file)}
    return sibling


def tree(commit: Commit, folder: str, recursive: bool, expand: bool) -> list[Json]:
    """List a folder, with sub-folders as entries of their own, sorted by path."""
    prefix = f"{folder}/" if folder else ""
    wanted = [path for path in commit.files if path.startswith(prefix)]
    if not wanted and folder:
        raise NotFound("EntryNotFound", f"{folder} does not exist on {commit.id}")
    paths = set(wanted) | {parent for path in wanted for parent in parents(path) if parent.startswith(prefix)}
    if not recursive:
        paths = {path for path in paths if "/" not in path[len(prefix) :]}
    return entries(commit, sorted(paths), expand)


def entries(commit: Commit, paths: Iterable[str], expand: bool) -> list[Json]:
    """Describe files and folders by path; what does not exist is left out, as paths-info does."""
    folders = tree_ids({path: file.oid for path, file in commit.files.items()})
    found = []
    for path in paths:
        file = commit.files.get(path)
        if file:
            entry: Json = {"type": "file", "oid": file.oid, "size": file.size, "path": path}
            if file.lfs:
                entry["lfs"] = {"oid": file.lfs, "size": file.size, "pointerSize": _pointer_size(file)}
        elif path and path in folders:
            entry = {"type": "directory", "oid": folders[path], "size": 0, "path": path}
        else:
            continue
        if expand:
            entry["lastCommit"] = {"id": commit.id, "title": commit.title, "date": commit.date}
        found.append(entry)
    return found


def _pointer_size(file: File) -> int:
    return len(lfs_pointer(file.lfs or "", file.size))


def refs(repo: Repo, pull_requests: bool) -> Json:
    """List branches and tags, and pull requests when asked for them."""
    groups = {"branches": "refs/heads/", "converts": "refs/convert/", "tags": "refs/tags/"}
    if pull_requests:
        groups["pullRequests"] = "refs/pr/"
    return {
        group: [
            {"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": target}
            for ref, target in sorted(repo.refs.items())
            if ref.startswith(prefix)
        ]
        for group, prefix in groups.items()
    }
