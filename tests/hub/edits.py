# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New commits and new repositories while the stand-in runs. Any file name is taken, the worse the better."""

from __future__ import annotations

from typing import Any

from hub import contents
from hub.drafts import Changes
from hub.repos import Library, Repo


def edit(library: Library, order: dict[str, Any]) -> str:
    """Put a commit on a ref, creating the repository or the ref where needed, and return the commit's id."""
    if library.scratch is None:
        raise ValueError("there is no folder for new contents")
    repo_type, repo_id, ref = order.get("repo_type", "model"), order["repo_id"], full_ref(order.get("ref", "main"))
    changes: Changes = {
        path: None if text is None else text.encode() for path, text in order.get("changes", {}).items()
    }
    create = order.get("create", False)
    repo = Repo(repo_type, repo_id, [], {}) if create else library.repo(repo_type, repo_id)
    parent = None if create else repo.commit(repo.refs.get(ref, "main"))
    before = {} if parent is None or order.get("drop_all", False) else parent.files
    blobs = contents.BlobStore(library.scratch, library.scratch)
    commit = contents.commit(
        order.get("title", "Edit"), contents.apply(changes, before, blobs), parent, order.get("time")
    )
    if create:
        library.add(repo)
    repo.commits.append(commit)
    repo.refs[ref] = commit.id
    if create:  # every repository has a main
        repo.refs.setdefault("refs/heads/main", commit.id)
    return commit.id


def full_ref(ref: str) -> str:
    """Return a ref's full name; short ones are branches."""
    return ref if ref.startswith("refs/") else f"refs/heads/{ref}"
