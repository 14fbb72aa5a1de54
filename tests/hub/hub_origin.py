# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Hub itself: JSON about repositories, and redirects from ``resolve`` to where the bytes are.

- ``resolve`` of a plain file: 307 with a *relative* Location under ``/api/resolve-cache/``, which names the commit and
  sends the bytes with the Git blob SHA-1 as ETag.
- ``resolve`` of an LFS file: 302 to the content origin with the SHA-256 in X-Linked-Etag and the size in X-Linked-Size.
- both carry X-Repo-Commit; errors carry X-Error-Code. No Xet header is ever sent: these files are LFS over HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from hub import access, listings
from hub.address import Address, parse, with_repo_id
from hub.bodies import BlobResponse, deliver
from hub.content_origin import ContentOrigin
from hub.errors import hub_error
from hub.faults import Faults, FileKey, Mislist, Untold
from hub.journal import Journal, kind_with_method
from hub.limits import Limits, bucket_of
from hub.repos import PLURAL, Commit, File, Library, NotFound, Refused, Renamed, Repo

#: Entries per answer of ``tree``. The Hub pages too (its pages are larger): the rest is behind ``Link: rel="next"``.
TREE_PAGE = 100


class HubOrigin:
    """The ASGI application of the Hub's port. ``content_url`` makes the content origin's base URL for a request."""

    def __init__(
        self,
        library: Library,
        content: ContentOrigin,
        content_url: Callable[[Request], str],
        faults: Faults,
        limits: Limits,
        journal: Journal,
    ) -> None:
        self.library, self.content, self.content_url = library, content, content_url
        self.faults, self.limits, self.journal = faults, limits, journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        address = parse(scope["raw_path"].decode("latin-1"))
        kind = address.kind if address else "other"
        send = self.journal.note(scope, "hub", kind_with_method(kind, request.method)).watch(send)
        bucket = bucket_of(kind)
        quota = self.limits.quotas[bucket] if bucket else None
        if quota and not quota.spend():
            response = hub_error(429, None, "Rate limited: too many requests for this window")
        else:
            response = self._spoiled(request, address) or await self._honest(request, address)
        if bucket and quota:
            quota.show(bucket, response)
        if address and isinstance(response, BlobResponse):
            await deliver(response, _key(address), self.faults, scope, receive, send)
        else:
            await response(scope, receive, send)

    def _spoiled(self, request: Request, address: Address | None) -> Response | None:
        if address is None:
            return None
        kinds = address.kind, kind_with_method(address.kind, request.method)
        ordered = self.faults.status(_key(address), kinds)
        return hub_error(ordered.status, None, ordered.message, ordered.headers) if ordered else None

    async def _honest(self, request: Request, address: Address | None) -> Response:
        try:
            return await self._answer(request, address)
        except Refused as problem:
            return hub_error(problem.status, problem.code, str(problem))

    async def _answer(self, request: Request, address: Address | None) -> Response:
        if address is None:
            if request.url.path == "/":
                return PlainTextResponse("a stand-in for huggingface.co\n")
            return hub_error(404, None, "Sorry, we can't find the page you are looking for.")
        if request.method not in (("POST",) if address.kind == "paths_info" else ("GET", "HEAD")):
            return hub_error(405, None, "Method not allowed")
        try:
            repo = self.library.repo(address.repo_type, address.repo_id)
        except Renamed as elsewhere:
            target = with_repo_id(request.scope["raw_path"].decode("latin-1"), address, elsewhere.repo_id)
            return RedirectResponse(f"{target}?{request.url.query}".rstrip("?"), 307)
        access.check(repo, address.kind, request.headers)
        if address.kind in ("resolve", "resolve_cache"):
            return self._file(request, repo, address)
        return await self._listing(request, repo, address)

    async def _listing(self, request: Request, repo: Repo, address: Address) -> Response:
        if address.kind == "refs":
            return JSONResponse(listings.refs(repo, _flag(request, "include_prs")))
        commit = repo.commit(address.revision)
        if address.kind == "tree":
            return self._tree(request, repo, commit, address.path)
        if address.kind == "paths_info":
            paths, expand_entries = await _paths_form(request)
            return JSONResponse(listings.entries(commit, paths, expand_entries))
        expand = request.query_params.getlist("expand") + request.query_params.getlist("expand[]")
        return JSONResponse(listings.info(repo, commit, _flag(request, "blobs"), expand))

    def _file(self, request: Request, repo: Repo, address: Address) -> Response:
        commit = repo.commit(address.revision)
        file = commit.files.get(address.path)
        if file is None:
            return hub_error(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit.id})
        if address.kind == "resolve_cache":
            return self._plain_file(commit, file)
        return self._redirect(request, repo, commit, address.path, file)

    def _tree(self, request: Request, repo: Repo, commit: Commit, folder: str) -> Response:
        found = listings.tree(commit, folder, _flag(request, "recursive"), _flag(request, "expand"))
        for entry in found:
            fault = self.faults.find(Mislist, (repo.repo_type, repo.repo_id, entry["path"]))
            if fault and entry["type"] == "file" and fault.spend():
                wrong = entry.get("lfs", entry)
                wrong["oid"] = wrong["oid"][::-1]
        start = int(request.query_params.get("cursor", 0))
        response = JSONResponse(found[start : start + TREE_PAGE])
        if start + TREE_PAGE < len(found):
            query = urlencode({**request.query_params, "cursor": start + TREE_PAGE})
            page = f"{request.base_url}{request.scope['raw_path'].decode('latin-1').lstrip('/')}?{query}"
            response.headers["Link"] = f'<{page}>; rel="next"'
        return response

    def _redirect(self, request: Request, repo: Repo, commit: Commit, path: str, file: File) -> Response:
        if file.lfs:
            location = self.content_url(request) + self.content.url(repo, commit, path)
            headers = {
                "Location": location,
                "X-Repo-Commit": commit.id,
                "X-Linked-Etag": f'"{file.lfs}"',
                "X-Linked-Size": str(file.size),
                "Accept-Ranges": "bytes",
            }
            fault = self.faults.find(Untold, (repo.repo_type, repo.repo_id, path))
            if fault and fault.spend():
                del headers["X-Linked-Etag"], headers["X-Linked-Size"]
            return PlainTextResponse(f"Found. Redirecting to {location}", 302, headers)
        here = quote(request.scope["raw_path"].decode("latin-1"), safe="")
        location = f"/api/resolve-cache/{PLURAL[repo.repo_type]}/{repo.repo_id}/{commit.id}/{quote(path)}?{here}="
        headers = {"Location": location, "X-Repo-Commit": commit.id, "Accept-Ranges": "bytes"}
        return PlainTextResponse(f"Temporary Redirect. Redirecting to {location}", 307, headers)

    def _plain_file(self, commit: Commit, file: File) -> Response:
        if file.lfs:
            raise NotFound("EntryNotFound", "Entry not found")
        blob = self.library.blob(file)
        headers = {"ETag": f'"{file.oid}"', "X-Repo-Commit": commit.id}
        return BlobResponse(blob, headers=headers, media_type="text/plain; charset=utf-8", stat_result=blob.stat())


def _key(address: Address) -> FileKey:
    return address.repo_type, address.repo_id, address.path


def _flag(request: Request, name: str) -> bool:
    """Read a switch: some clients send ``True``, others ``true`` or ``1``."""
    return request.query_params.get(name, "").lower() in ("true", "1")


async def _paths_form(request: Request) -> tuple[list[str], bool]:
    """Read the question of paths-info: a form from Python clients, JSON from JavaScript ones."""
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        document = json.loads(body)
        return document["paths"], bool(document.get("expand"))
    form = parse_qs(body.decode())
    return form.get("paths", []), form.get("expand", [""])[0].lower() == "true"
