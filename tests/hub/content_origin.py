# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second origin, where the bytes of LFS files are: what the Hub's CDN is.

Its URLs are opaque, signed and end, it knows nothing of commits, and its ETag is 64 hex digits that are *not* the
SHA-256 of the content: who takes it for one gets caught here. It answers Range with 206 or 416.

Behind nginx it decides and notes, and nginx sends the file; bytes that are to be spoiled it sends itself.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote, urlencode

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hub.bodies import BlobResponse, deliver
from hub.errors import content_error
from hub.faults import Faults, FileKey
from hub.journal import Entry, Journal, kind_with_method
from hub.nginx import internal_location
from hub.repos import Commit, File, Library, Repo
from hub.signatures import Signatures


class ContentOrigin:
    """The ASGI application of the content port."""

    def __init__(
        self, library: Library, faults: Faults, signatures: Signatures, journal: Journal, behind_nginx: bool = False
    ) -> None:
        self.library, self.faults, self.signatures, self.journal = library, faults, signatures, journal
        self._behind_nginx = behind_nginx
        self._files: dict[str, tuple[FileKey, File]] = {}

    def url(self, repo: Repo, commit: Commit, path: str) -> str:
        """Return the path and query at which this origin serves an LFS file, for a while."""
        key = repo.repo_type, repo.repo_id, path
        owner = _digest(f"{repo.repo_type}/{repo.repo_id}")
        address = f"/repos/{owner[:2]}/{owner[2:]}/{_digest(f'{commit.id}/{path}')}"
        self._files[address] = key, commit.files[path]
        name = quote(path.rpartition("/")[2])
        disposition = urlencode({"response-content-disposition": f"inline; filename*={name}"})
        return f"{address}?{disposition}&{self.signatures.sign(address, key)}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kinds = "content", kind_with_method("content", scope["method"])
        entry = self.journal.note(scope, "content", kinds[1])
        refusal = self._refusal(scope, kinds)
        if refusal:
            await refusal(scope, receive, entry.watch(send))
            return
        key, file = self._files[scope["path"]]
        blob = self.library.blob(file)
        headers = {"ETag": f'"{_digest(f"content origin {file.lfs}")}"'}
        response = BlobResponse(blob, headers=headers, media_type="application/octet-stream", stat_result=blob.stat())
        if self._behind_nginx and not self.faults.spoil_bodies(key):
            await _leave_to_nginx(response, entry, scope, receive, send)
        else:
            await deliver(response, key, self.faults, scope, receive, entry.watch(send))

    def _refusal(self, scope: Scope, kinds: tuple[str, str]) -> Response | None:
        if scope["path"] not in self._files or scope["method"] not in ("GET", "HEAD"):
            return content_error(403, "Access denied")
        key, _file = self._files[scope["path"]]
        if problem := self.signatures.problem(scope["path"], scope["query_string"].decode("latin-1")):
            return content_error(403, problem)
        ordered = self.faults.status(key, kinds)
        return content_error(ordered.status, ordered.message, ordered.headers) if ordered else None


async def _leave_to_nginx(response: BlobResponse, entry: Entry, scope: Scope, receive: Receive, send: Send) -> None:
    """Have nginx send what the response would; the journal gets what that will be."""

    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            entry.status = message["status"]
            if scope["method"] == "GET":
                entry.body_bytes = int(Headers(raw=message["headers"])["content-length"])

    await response({**scope, "method": "HEAD"}, receive, note)
    headers = {"X-Accel-Redirect": internal_location(response.path), "ETag": response.headers["ETag"]}
    await Response(headers=headers, media_type=response.media_type)(scope, receive, send)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
