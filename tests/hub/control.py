# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's own pages under ``/_hub/``: change what it has, order faults, read what happened.

huggingface.co has none of them. Orders are ``POST`` with a JSON object:

================  ==============================================================================================
``move``          ``{"repo_id", "commit": id or index, "ref"?: "main"}``: point a ref elsewhere
``move_after``    the same with ``"requests": N``: N requests more, of any kind, are answered as before
``edit``          ``{"repo_id", "changes"?: {path: text or null}, "ref"?: "main", "drop_all"?: false, "title"?,
                  "create"?: false, "time"?: SECONDS}`` or ``{"edits": [...]}``: a new commit, a new repository
``rename``        ``{"repo_id", "to": id}``: old URLs answer 307
``delete_repo``   ``{"repo_id"}``: gone
``access``        ``{"repo_id", "mode": "gated" or "private", "token"}``: who may read; mode null opens it again
``limit``         ``{"bucket": "api" or "resolvers", "quota", "window": SECONDS, "retry_after"?: false}``: then 429
``latency``       ``{"seconds", "origin"?: "hub" or "content"}``: each answer comes later (no origin: both)
``status``        ``{FOR, "status", "kind"?: name or list, "times"?: 1, "message"?, "headers"?: {}}``: answer with
                  an error; kinds are the journal's, with or without ``_get`` and ``_head``
``expire``        ``{FOR, "seconds"?, "uses"?, "times"?: null}``: how long content URLs issued from now on are good
``flip``          ``{FOR, "times"?: null}``: one byte of the body is wrong, the size right
``cut``           ``{FOR, "after": BYTES, "times"?: 1}``: the connection closes in the middle of a body
``stall``         ``{FOR, "after": BYTES, "times"?: 1}``: nothing more comes, the connection stays
``drip``          ``{FOR, "after": BYTES, "interval": SECONDS, "times"?: 1}``: one byte at a time
``bandwidth``     ``{FOR, "bytes_per_second", "times"?: null}``: for each connection
``unsteady``      ``{FOR, "mean": SECONDS, "p99": SECONDS, "failures"?: 0, "seed"?: 1, "times"?: null}``: bodies come
                  after log-normal waits; a share of them is cut at the half of the file, or a 503 comes instead
``length``        ``{FOR, "by": BYTES, "times"?: 1}``: Content-Length and body are longer, or (negative) shorter
``range``         ``{FOR, "mode", "times"?: 1}``: a Range gets 200 and everything (``ignore``), 200 with a fitting
                  Content-Range (``ignore-with-range``), 206 with another range than asked for (``shift``)
``untold``        ``{FOR, "times"?: null}``: the redirect to a file's bytes tells neither hash nor size, as caches do
``mislist``       ``{FOR, "times"?: null}``: listings say another hash of a file
``reset``         ``{}``: no faults, repositories as built, nothing counted; stalled connections close
================  ==============================================================================================

FOR is ``"repo_id"?, "repo_type"?: "model", "path"?``: one file, or all of a repository, or without repo_id everything.
``times`` is how often, null for ever. A new order replaces the same order for the same files. Bodies are those that the
content origin or ``resolve-cache`` sends to a GET. ``GET`` reads:

``requests``: counts by kind and the last requests; ``repos``: every repository with refs, commits, and each file's
size, oid, SHA-256 and etag.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hub import access, edits, faults
from hub.faults import Fault, Faults, Target
from hub.journal import KINDS, Journal
from hub.limits import Limits, Quota
from hub.repos import Access, Library, Move, NotFound, Refused, Renamed, Repo
from hub.signatures import Signatures

Order = dict[str, Any]
_ORDER_ERRORS = (Refused, Renamed, KeyError, IndexError, ValueError, TypeError, AttributeError)
_ORIGINS = ("hub", "content")


class Control:
    """The ASGI application of ``/_hub/``; each public method is a page."""

    def __init__(
        self, library: Library, faults: Faults, limits: Limits, signatures: Signatures, journal: Journal
    ) -> None:
        self._library, self._faults, self._limits = library, faults, limits
        self._signatures, self._journal = signatures, journal
        orders = (self.move, self.move_after, self.edit, self.rename, self.delete_repo, self.access, self.limit)
        spoilers = (self.status, self.expire, self.flip, self.cut, self.stall, self.drip, self.bandwidth)
        more = (self.unsteady, self.length, self.range, self.untold, self.mislist, self.reset)
        routes = [_post(page) for page in (*orders, self.latency, *spoilers, *more)]
        routes += [_get(page) for page in (self.requests, self.repos)]
        self._pages = Starlette(routes=routes, exception_handlers=dict.fromkeys(_ORDER_ERRORS, _wrong_order))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._pages(scope, receive, send)

    def move(self, order: Order) -> Any:
        repo, ref, target = self._move(order)
        before, repo.refs[ref] = repo.refs.get(ref), target
        return {"ref": ref, "before": before, "commit": target}

    def move_after(self, order: Order) -> Any:
        repo, ref, target = self._move(order)
        self._library.move_later(Move(repo, ref, target, int(order["requests"])))
        return {"ref": ref, "commit": target}

    def _move(self, order: Order) -> tuple[Repo, str, str]:
        repo, commit = self._repo(order), order["commit"]
        target = repo.commits[commit] if isinstance(commit, int) else repo.commit(commit)
        return repo, edits.full_ref(order.get("ref", "main")), target.id

    def edit(self, order: Order) -> Any:
        if "edits" in order:
            return {"commits": [edits.edit(self._library, one) for one in order["edits"]]}
        return {"commit": edits.edit(self._library, order)}

    def rename(self, order: Order) -> Any:
        self._library.rename(self._repo(order), order["to"])
        return {"repo_id": order["to"]}

    def delete_repo(self, order: Order) -> Any:
        self._library.delete(self._repo(order))
        return {"deleted": order["repo_id"]}

    def access(self, order: Order) -> Any:
        mode = _one_of(order["mode"], (*access.MODES, None))
        self._repo(order).access = Access(mode, order["token"]) if mode else None
        return {"mode": mode}

    def limit(self, order: Order) -> Any:
        bucket = _one_of(order["bucket"], tuple(self._limits.quotas))
        quota = Quota(int(order["quota"]), int(order["window"]), True, bool(order.get("retry_after", False)))
        self._limits.quotas[bucket] = quota
        return {"bucket": bucket}

    def latency(self, order: Order) -> Any:
        origins = [_one_of(order["origin"], _ORIGINS)] if "origin" in order else _ORIGINS
        self._faults.latency.update(dict.fromkeys(origins, float(order["seconds"])))
        return {"latency": self._faults.latency}

    def status(self, order: Order) -> Any:
        kinds = order.get("kind", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        return self._order(
            faults.Status,
            order,
            1,
            kinds=frozenset(_one_of(kind, sorted(KINDS)) for kind in kinds),
            status=int(order["status"]),
            message=order.get("message", "The stand-in was told to answer this"),
            headers=dict(order.get("headers", {})),
        )

    def expire(self, order: Order) -> Any:
        return self._order(faults.Expire, order, None, seconds=order.get("seconds"), uses=order.get("uses"))

    def flip(self, order: Order) -> Any:
        return self._order(faults.Flip, order, None)

    def cut(self, order: Order) -> Any:
        return self._order(faults.Cut, order, 1, after=int(order["after"]))

    def stall(self, order: Order) -> Any:
        return self._order(faults.Stall, order, 1, after=int(order["after"]))

    def drip(self, order: Order) -> Any:
        return self._order(faults.Drip, order, 1, after=int(order["after"]), interval=float(order["interval"]))

    def bandwidth(self, order: Order) -> Any:
        rate = int(order["bytes_per_second"])
        if rate < 1:
            raise ValueError("bytes_per_second is at least 1")
        return self._order(faults.Bandwidth, order, None, bytes_per_second=rate)

    def unsteady(self, order: Order) -> Any:
        waits = {"mean": float(order["mean"]), "p99": float(order["p99"])}
        failures, seed = float(order.get("failures", 0)), int(order.get("seed", 1))
        return self._order(faults.Unsteady, order, None, **waits, failures=failures, seed=seed)

    def length(self, order: Order) -> Any:
        return self._order(faults.Length, order, 1, by=int(order["by"]))

    def range(self, order: Order) -> Any:
        return self._order(faults.Range, order, 1, mode=_one_of(order["mode"], faults.Range.MODES))

    def untold(self, order: Order) -> Any:
        return self._order(faults.Untold, order, None)

    def mislist(self, order: Order) -> Any:
        return self._order(faults.Mislist, order, None)

    def _order(self, kind: type[Fault], order: Order, times: int | None, **how: Any) -> Any:
        """Put a fault in force; ``times`` is how often unless the order says it."""
        times = order.get("times", times)
        target = self._target(order)
        self._faults.order(kind(target, None if times is None else int(times), **how))
        return {kind.__name__.lower(): [target.repo_type, target.repo_id, target.path]}

    def _target(self, order: Order) -> Target:
        """Read for what a fault is meant, having made sure that there is such a thing."""
        if "repo_id" not in order:
            return Target(path=order.get("path"))
        repo, path = self._repo(order), order.get("path")
        if path is not None and not any(path in commit.files for commit in repo.commits):
            raise NotFound("EntryNotFound", f"no commit of {repo.repo_id} has {path}")
        return Target(repo.repo_type, repo.repo_id, path)

    def _repo(self, order: Order) -> Repo:
        return self._library.repo(order.get("repo_type", "model"), order["repo_id"])

    def reset(self, order: Order) -> Any:
        for forgetful in (self._faults, self._limits, self._signatures, self._journal):
            forgetful.reset()
        self._library.reload()
        return {"reset": True}

    def requests(self) -> Any:
        return self._journal.to_json()

    def repos(self) -> Any:
        return [_describe(repo) for repo in self._library.repos.values()]


def _post(page: Callable[[Order], Any]) -> Route:
    async def answer(request: Request) -> JSONResponse:
        return JSONResponse(page(await request.json()))

    return Route(f"/_hub/{page.__name__}", answer, methods=["POST"])


def _get(page: Callable[[], Any]) -> Route:
    async def answer(request: Request) -> JSONResponse:
        return JSONResponse(page())

    return Route(f"/_hub/{page.__name__}", answer, methods=["GET"])


async def _wrong_order(request: Request, problem: Exception) -> JSONResponse:
    return JSONResponse({"error": f"{type(problem).__name__}: {problem}"}, 400)


def _one_of(value: Any, allowed: Collection[Any]) -> Any:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(map(str, allowed))}")
    return value


def _describe(repo: Repo) -> Order:
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
