# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan looks like to a person and to a playbook. Pure."""

from __future__ import annotations

from typing import Any

from ._plan import RepoPlan
from ._sync import Plan


def result(plan: Plan) -> dict[str, Any]:
    """Return the module's return values."""
    fetches = plan.fetches.values()
    return {
        "repos": [_repo(repo) for repo in plan.repos],
        "views": sorted(plan.views),
        "fetched_files": len(fetches),
        "fetched_bytes": sum(fetch.file.size for fetch in fetches),
        "failures": plan.failures,
    }


def diff(plan: Plan) -> dict[str, str]:
    """Return Ansible's diff: each ref with its old and new commit, each content that is to come, each view."""
    before: list[str] = []
    after: list[str] = []
    coming = plan.fetches
    for repo in plan.repos:
        for publish in repo.publishes:
            before.append(f"{repo.repo} {publish.ref} {publish.old or 'is not published'}")
            after.append(f"{repo.repo} {publish.ref} {publish.new}")
        after += [
            f"{repo.repo} {fetch.path} {fetch.file.size} bytes {fetch.file.etag}"
            for fetch in repo.fetches
            if coming[fetch.file.etag] is fetch
        ]
    if coming:
        total = sum(fetch.file.size for fetch in coming.values())
        after.append(f"{len(coming)} files, {total} bytes to fetch")
    after += [f"view {name}: {len(files)} files" for name, files in sorted(plan.views.items())]
    return {"before": _lines(before), "after": _lines(after)}


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _repo(repo: RepoPlan) -> dict[str, Any]:
    return {
        "repo_id": repo.repo.repo_id,
        "repo_type": repo.repo.repo_type,
        "refs": [{"name": p.ref, "old": p.old, "new": p.new} for p in repo.publishes],
        "commits": [
            {
                "commit": seal.listing.commit,
                "files": len(seal.paths),
                "bytes": sum(seal.listing.files[path].size for path in seal.paths),
            }
            for seal in repo.seals
        ],
    }
