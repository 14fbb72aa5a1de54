# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's own pages under ``/_hub/``: move refs, order faults, read what happened. huggingface.co has none.

========  ==================  ==============================================================================
``POST``  ``/_hub/move``      ``{"repo_id", "commit": id or index, "ref"?: "main"}``: point a ref elsewhere
``POST``  ``/_hub/flip``      ``{"repo_id", "path"}``: from now on one byte of the body is wrong, the size right
``POST``  ``/_hub/cut``       ``{"repo_id", "path", "after": BYTES, "times"?: 1}``: close the connection early
``POST``  ``/_hub/reset``     no faults, refs as built, nothing counted
``GET``   ``/_hub/requests``  counts by kind and the last requests
``GET``   ``/_hub/repos``     every repository with refs, commits, and each file's size, oid, SHA-256 and etag
========  ==================  ==============================================================================

``repo_type`` is ``model`` unless the body says otherwise.
"""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hub.faults import Cut, Faults, FileKey
from hub.journal import Journal
from hub.repos import Library, NotFound, Repo


def application(library: Library, faults: Faults, journal: Journal) -> Starlette:
    """Return the ASGI application of ``/_hub/``."""

    async def move(request: Request) -> JSONResponse:
        order = await request.json()
        repo = _repo(library, order)
        commit = order["commit"]
        target = repo.commits[commit] if isinstance(commit, int) else repo.commit(commit)
        ref = order.get("ref", "main")
        full_ref = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
        before, repo.refs[full_ref] = repo.refs.get(full_ref), target.id
        return JSONResponse({"ref": full_ref, "before": before, "commit": target.id})

    async def flip(request: Request) -> JSONResponse:
        key = _file_key(library, await request.json())
        faults.flips.add(key)
        return JSONResponse({"flipped": key})

    async def cut(request: Request) -> JSONResponse:
        order = await request.json()
        key = _file_key(library, order)
        faults.cuts[key] = Cut(after=int(order["after"]), times=int(order.get("times", 1)))
        return JSONResponse({"cut": key})

    async def reset(request: Request) -> JSONResponse:
        faults.reset()
        journal.reset()
        library.reload()
        return JSONResponse({"reset": True})

    async def requests(request: Request) -> JSONResponse:
        return JSONResponse(journal.to_json())

    async def repos(request: Request) -> JSONResponse:
        return JSONResponse([_describe(repo) for repo in library.repos.values()])

    async def wrong_order(request: Request, problem: Exception) -> JSONResponse:
        return JSONResponse({"error": f"{type(problem).__name__}: {problem}"}, 400)

    routes = [Route(f"/_hub/{page.__name__}", page, methods=["POST"]) for page in (move, flip, cut, reset)]
    routes += [Route(f"/_hub/{page.__name__}", page, methods=["GET"]) for page in (requests, repos)]
    return Starlette(routes=routes, exception_handlers=dict.fromkeys(_ORDER_ERRORS, wrong_order))


_ORDER_ERRORS = (NotFound, KeyError, IndexError, ValueError, TypeError)


def _repo(library: Library, order: dict[str, Any]) -> Repo:
    return library.repo(order.get("repo_type", "model"), order["repo_id"])


def _file_key(library: Library, order: dict[str, Any]) -> FileKey:
    """Name a file, having made sure that some commit has it."""
    repo, path = _repo(library, order), order["path"]
    if not any(path in commit.files for commit in repo.commits):
        raise NotFound("EntryNotFound", f"no commit of {repo.repo_id} has {path}")
    return repo.repo_type, repo.repo_id, path


def _describe(repo: Repo) -> dict[str, Any]:
    return {
        "repo_type": repo.repo_type,
        "repo_id": repo.repo_id,
        "refs": repo.refs,
        "main": repo.main.id,
        "commits": [
            {
                "commit": commit.id,
                "title": commit.title,
                "bytes": sum(file.size for file in commit.files.values()),
                "files": {
                    path: {
                        "size": file.size,
                        "oid": file.oid,
                        "sha256": file.blob,
                        "lfs": bool(file.lfs),
                        "etag": file.etag,
                    }
                    for path, file in sorted(commit.files.items())
                },
            }
            for commit in repo.commits
        ],
    }
