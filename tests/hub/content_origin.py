# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second origin, where the bytes of LFS files are: what the Hub's CDN is.

Its URLs are opaque and carry a signature, it knows nothing of commits, and its ETag is 64 hex digits that are *not* the
SHA-256 of the content: who takes it for one gets caught here. It answers Range with 206 or 416.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from starlette.responses import FileResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from hub.faults import Faults, FileKey
from hub.journal import Journal, kind_with_method
from hub.repos import Commit, File, Library, Repo


class BlobResponse(FileResponse):
    """A file streamed from disk in pieces large enough to be quick."""

    chunk_size = 1024 * 1024


class ContentOrigin:
    """The ASGI application of the content port."""

    def __init__(self, library: Library, faults: Faults, journal: Journal) -> None:
        self.library, self.faults, self.journal = library, faults, journal
        self._files: dict[str, tuple[FileKey, File]] = {
            self._address(repo, commit, path): ((repo.repo_type, repo.repo_id, path), file)
            for repo in library.repos.values()
            for commit in repo.commits
            for path, file in commit.files.items()
            if file.lfs
        }

    def url(self, repo: Repo, commit: Commit, path: str) -> str:
        """Return the path and query at which this origin serves an LFS file."""
        address = self._address(repo, commit, path)
        name = quote(path.rpartition("/")[2])
        return (
            f"{address}?response-content-disposition=inline%3B+filename%2A%3D{name}&Signature={_digest(address)[:32]}"
        )

    @staticmethod
    def _address(repo: Repo, commit: Commit, path: str) -> str:
        owner = _digest(f"{repo.repo_type}/{repo.repo_id}")
        return f"/repos/{owner[:2]}/{owner[2:]}/{_digest(f'{commit.id}/{path}')}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        send = self.journal.note(scope, "content", kind_with_method("content", scope["method"]), send)
        found = self._files.get(scope["path"])
        if found is None or scope["method"] not in ("GET", "HEAD"):
            await PlainTextResponse("AccessDenied", 403)(scope, receive, send)
            return
        key, file = found
        blob = self.library.blob(file)
        headers = {"ETag": f'"{_digest(f"content origin {file.lfs}")}"'}
        response = BlobResponse(blob, headers=headers, media_type="application/octet-stream", stat_result=blob.stat())
        await response(scope, receive, self.faults.spoil(key, file.size, send))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
