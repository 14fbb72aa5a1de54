# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``/api/mirror/v1/`` answers of one repository. Pure: a description and files in, bytes out.

docs/api.md and ``openapi.json`` of the role ``mirror_nginx`` describe the same; a test holds them together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from .._base.names import Commit, Etag, RepoPath, Size
from .._plan.facts import Repo
from .description import Description

#: Where the API is, on whatever host.
API = "/api/mirror/v1"
#: path -> etag, size and SHA-256.
Files = Mapping[RepoPath, tuple[Etag, Size, str]]


def repository_document(repo: Repo, description: Description) -> bytes:
    """Return what is told of a repository: its refs with their versions, and its commits."""
    commits = []
    for commit in description["commits"]:
        told: dict[str, Any] = dict(commit)
        told["retired"] = told.pop("retired_age") is not None
        told["url"] = f"{_place(repo)}/versions/{commit['commit']}"
        commits.append(told)
    return _text({**_head(repo), **description, "commits": commits})


def listed_document(repo: Repo, description: Description) -> bytes:
    """Return what the list of repositories shows: a line with what it is filtered by, and the entry (``hub.js``)."""
    refs = {one["name"]: one["commit"] for one in description["refs"] if one["commit"]}
    latest = max((one["versions"][0]["time"] for one in description["refs"] if one["versions"]), default=None)
    sizes = {one["commit"]: one["bytes"] for one in description["commits"]}
    entry = {
        **_head(repo),
        "gated": description["gated"],
        "license": description["license"],
        "refs": refs,
        "bytes": sum(sizes.get(commit, 0) for commit in set(refs.values())),
        "published": latest,
    }
    words = sorted({" ".join(one.lower().split()) for one in description["tags"]})
    return "\t".join(["", *words, ""]).encode() + b"\n" + _text(entry)


def version_document(repo: Repo, commit: Commit, files: Files) -> bytes:
    """Return what is told of a sealed commit: each file with where it is, its size and hashes."""
    prefix = "" if repo.repo_type == "model" else f"{repo.repo_type}s/"
    return _text(
        {
            **_head(repo),
            "commit": commit,
            "bytes": sum(size for _etag, size, _sha256 in files.values()),
            "files": [
                {
                    "path": path,
                    "url": f"/{prefix}{repo.repo_id}/resolve/{commit}/{quote(path)}",
                    "size": size,
                    "etag": etag,
                    "sha256": sha256,
                }
                for path, (etag, size, sha256) in sorted(files.items())
            ],
        }
    )


def _head(repo: Repo) -> dict[str, Any]:
    return {"type": repo.repo_type, "id": repo.repo_id, "url": _place(repo)}


def _place(repo: Repo) -> str:
    return f"{API}/{repo.repo_type}s/{repo.repo_id}"


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
