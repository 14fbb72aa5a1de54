# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan looks like to a person and to a program. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._base.errors import MirrorError
from .plan import Plan, RepoPlan


def result(plan: Plan, problems: Mapping[str, MirrorError]) -> dict[str, Any]:
    """Return the values that the module returns and the command prints with ``--json``."""
    fetches = plan.fetches.values()
    return {
        "repos": [_repo(repo) for repo in plan.repos],
        "views": sorted(plan.views),
        "fetched_files": len(fetches),
        "fetched_bytes": sum(fetch.file.size for fetch in fetches),
        "removed": [str(repo) for repo in plan.removal.repos] + [f"{repo}@{ref}" for repo, ref in plan.removal.refs],
        "warnings": plan.warnings,
        **collection(plan, problems),
    }


def collection(plan: Plan, problems: Mapping[str, MirrorError]) -> dict[str, Any]:
    """Return those of the values that retention alone has."""
    return {
        "retired": [f"{one.repo}@{commit}" for one in plan.retention for commit in one.retire],
        "collected": [f"{one.repo}@{commit}" for one in plan.retention for commit in (*one.collect, *one.trim)],
        "freed_bytes": plan.freed,
        "failures": {name: str(problem) for name, problem in problems.items()},
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
        for commit in repo.commits:
            name = commit.listing.commit
            after += [f"{repo.repo} {ref} {name} is left pending" for ref in commit.pending]
            after += [f"{repo.repo} {name} stays for its id is listed"] if commit.list_it else []
            before += [f"{repo.repo} {path} is listed at {name}" for path in commit.dropped]
            after += [
                f"{repo.repo} {fetch.path} {fetch.file.size} bytes {fetch.file.etag}"
                for fetch in commit.fetches
                if coming[fetch.file.etag] is fetch
            ]
    if coming:
        total = sum(fetch.file.size for fetch in coming.values())
        after.append(f"{len(coming)} files, {total} bytes to fetch")
    after += [f"view {name}: {len(files)} files" for name, files in sorted(plan.views.items()) if files]
    before += [f"{repo}" for repo in plan.removal.repos]
    before += [f"{repo} {ref} is published" for repo, ref in plan.removal.refs]
    going = {*plan.removal.views, *(name for name, files in plan.views.items() if not files)}
    before += [f"view {name}" for name in sorted(going)]
    for one in plan.retention:
        after += [f"{one.repo} {commit} is retired" for commit in one.retire]
        after += [f"{one.repo} {commit} is not retired any more" for commit in one.spare]
        before += [f"{one.repo} {commit} is retired" for commit in one.collect]
        before += [f"{one.repo} {commit} has files that are not listed" for commit in one.trim]
        after += [f"{one.repo} {commit} keeps for a grace what it does not list" for commit in one.restart]
    before += [f"{name} {size} bytes" for name, size in sorted(plan.orphans.items())]
    if plan.freed:
        after.append(f"{plan.freed} bytes are freed")
    return {"before": _lines(before), "after": _lines(after)}


def table(plan: Plan) -> list[tuple[str, str, str, str, str, str]]:
    """Return a row for each commit that is to come: repository, ref, old and new commit, files and bytes to fetch."""
    coming = plan.fetches
    rows = []
    for repo in plan.repos:
        for commit in repo.commits:
            fetches = [fetch for fetch in commit.fetches if coming[fetch.file.etag] is fetch]
            sizes = (str(len(fetches)), human(sum(fetch.file.size for fetch in fetches)))
            new = commit.listing.commit[:12]
            moves: list[tuple[str, str, str]] = [
                (publish.ref, (publish.old or "-")[:12], new) for publish in commit.publishes
            ]
            moves += [(ref, "-", f"{new} (pending)") for ref in commit.pending]
            if not moves and commit.seal:
                moves = [("-", "-", new)]
            # what several refs of one commit need is fetched once
            rows += [(str(repo.repo), *move, *(("", "") if n else sizes)) for n, move in enumerate(moves)]
    return rows


def human(size: float) -> str:
    """Return a number of bytes as people read it: ``5.8 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _repo(repo: RepoPlan) -> dict[str, Any]:
    return {
        "repo_id": repo.repo.repo_id,
        "repo_type": repo.repo.repo_type,
        "refs": [{"name": p.ref, "old": p.old, "new": p.new} for p in repo.publishes],
        "pending": [{"name": ref, "commit": c.listing.commit} for c in repo.commits for ref in c.pending],
        "commits": [
            {
                "commit": commit.listing.commit,
                "files": len(commit.paths),
                "bytes": sum(int(commit.listing.files[path].size) for path in commit.paths),
            }
            for commit in repo.commits
            if commit.seal
        ],
    }
