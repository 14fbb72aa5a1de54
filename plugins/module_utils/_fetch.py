# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes: one file of one commit from the Hub into a ``.part`` file, verified. Own HTTP over urllib3.

huggingface_hub's downloads check no hash and, since 1.18, start over after a kill; so the bytes are fetched here.
A ``.part`` is always a whole prefix of the file: its size is all the bookkeeping that a resume needs.
"""

from __future__ import annotations

import os
import re
import ssl
import threading
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from ._errors import MirrorError
from ._facts import File, Repo
from ._hub import Hub

try:
    import urllib3
except ImportError:
    URLLIB3_ERROR: str | None = traceback.format_exc()
else:
    URLLIB3_ERROR = None

_BLOCK = 1 << 20
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
#: Attempts that bring no byte further before a fetch is given up.
_FRUITLESS_ATTEMPTS = 4
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class FetchError(MirrorError):
    """A file did not arrive."""


class HashMismatchError(FetchError):
    """A file arrived whole and is not what the Hub declares."""


class Fetcher:
    """Fetch files of one Hub; safe for use by several threads. ``fetched`` counts the bytes that came in."""

    def __init__(self, hub: Hub, connections: int) -> None:
        self._hub = hub
        self._origin = _origin(hub.endpoint)
        retries = urllib3.Retry(
            total=4,
            redirect=0,
            backoff_factor=0.5,
            status_forcelist=(429, 500, 502, 503, 504),
            raise_on_status=False,
            respect_retry_after_header=True,
        )
        options: dict[str, Any] = {
            "maxsize": connections,
            "retries": retries,
            "timeout": urllib3.Timeout(connect=10, read=30),
            # the system's trust store, so that a private CA installed by the operator counts
            "ssl_context": ssl.create_default_context(),
        }
        self._http = urllib3.ProxyManager(hub.proxy, **options) if hub.proxy else urllib3.PoolManager(**options)
        self._counter = threading.Lock()
        self.fetched = 0

    def fetch(self, repo: Repo, commit: str, path: str, file: File, part: Path) -> None:
        """Complete ``part`` with the bytes of a file and verify it, or raise FetchError and leave a prefix of it.

        Wrong content is thrown away and asked for once more from the start, then HashMismatchError is raised.
        """
        name = f"{path} of {repo}@{commit}"
        for last_try in (False, True):
            got = self._complete(repo, commit, path, file, part, name)
            if got == file.etag:
                return
            part.unlink()
            if last_try:
                kind = "SHA-256" if file.sha256 else "Git blob SHA-1"
                raise HashMismatchError(f"{name} is corrupt upstream: expected {kind} {file.etag}, got {got}")

    def _complete(self, repo: Repo, commit: str, path: str, file: File, part: Path, name: str) -> str:
        """Append to ``part`` until it has the file's size; return the hash of all of it."""
        hasher = file.hasher()
        with part.open("ab+") as target:
            target.seek(0)
            if os.fstat(target.fileno()).st_size > file.size:
                target.truncate(0)
            while block := target.read(_BLOCK):
                hasher.update(block)
            fruitless = 0
            while target.tell() < file.size:
                before = target.tell()
                try:
                    url, headers = self._locate(repo, commit, path, file, name)
                    hasher = self._receive(url, headers, file, target, hasher, name)
                    problem = f"the body ended after {target.tell()} of {file.size} bytes"
                except urllib3.exceptions.HTTPError as error:
                    problem = f"{type(error).__name__}: {error}"
                fruitless = 0 if target.tell() > before else fruitless + 1
                if fruitless >= _FRUITLESS_ATTEMPTS:
                    raise FetchError(f"{name} can't be fetched: {problem}")
            target.flush()
            os.fsync(target.fileno())
        return str(hasher.hexdigest())

    def _locate(self, repo: Repo, commit: str, path: str, file: File, name: str) -> tuple[str, dict[str, str]]:
        """Ask the Hub where the bytes are and check that it means the planned content.

        Returns the URL and the headers to send there: the token stays at the Hub's own origin.
        """
        url = self._hub.file_url(repo, commit, path)
        for _hop in range(_MAX_REDIRECTS):
            headers = {**self._hub.headers, "Accept-Encoding": "identity"}
            answer = self._http.request("HEAD", url, headers=headers, redirect=False)
            if answer.status in (401, 403):
                raise FetchError(f"{name} is refused ({answer.status}): gated or private, does the token open it?")
            if answer.status >= 400:
                code = answer.headers.get("X-Error-Code", "no reason given")
                raise FetchError(f"{name}: the Hub answers {answer.status} ({code})")
            _check(answer.headers, commit, file, name)
            if answer.status not in _REDIRECTS:
                return url, headers
            url = urljoin(url, answer.headers.get("Location", ""))
            if _origin(url) != self._origin:
                return url, {"Accept-Encoding": "identity", "User-Agent": headers.get("user-agent", "hf-mirror")}
        raise FetchError(f"{name}: more than {_MAX_REDIRECTS} redirects")

    def _receive(self, url: str, headers: dict[str, str], file: File, target: Any, hasher: Any, name: str) -> Any:
        """Append one answer's body; start over where the server sends the whole file instead of the rest."""
        start = target.tell()
        if start:
            headers = {**headers, "Range": f"bytes={start}-{file.size - 1}"}
        answer = self._http.request("GET", url, headers=headers, preload_content=False, redirect=True)
        try:
            if answer.status == 416 or (answer.status == 200 and start):
                target.truncate(0)
                target.seek(0)
                hasher = file.hasher()
            if answer.status == 416:
                return hasher
            if answer.status == 206:
                _check_range(answer.headers.get("Content-Range", ""), start, file, name)
            elif answer.status != 200:
                line = answer.read(200).decode("utf-8", "replace").partition("\n")[0]
                raise FetchError(f"{name}: {urlsplit(url).netloc} answers {answer.status} {line}".rstrip())
            for block in answer.stream(_BLOCK, decode_content=False):
                if target.tell() + len(block) > file.size:
                    raise FetchError(f"{name}: more than the declared {file.size} bytes arrive")
                target.write(block)
                hasher.update(block)
                with self._counter:
                    self.fetched += len(block)
            return hasher
        finally:
            # what is left of a refused body is not worth waiting for: drop the connection
            answer.close() if not answer.closed else answer.release_conn()


def _check(headers: Any, commit: str, file: File, name: str) -> None:
    """Compare what a HEAD tells with the plan; a server need not tell everything, the hash decides in the end."""
    told = headers.get("X-Repo-Commit")
    if told and told != commit:
        raise FetchError(f"{name}: the Hub answers for commit {told}")
    etag = headers.get("X-Linked-Etag")
    if etag and _plain(etag) != file.etag:
        raise FetchError(f"{name}: the listing says {file.etag}, the file's headers say {_plain(etag)}")
    size = headers.get("X-Linked-Size")
    if size and size != str(file.size):
        raise FetchError(f"{name}: the listing says {file.size} bytes, the file's headers say {size}")


def _check_range(told: str, start: int, file: File, name: str) -> None:
    match = _CONTENT_RANGE.fullmatch(told.strip())
    if not match or tuple(map(int, match.groups())) != (start, file.size - 1, file.size):
        raise FetchError(f"{name}: asked for bytes {start}-{file.size - 1}/{file.size}, offered {told or 'no range'}")


def _plain(etag: str) -> str:
    return etag[2:].strip('"') if etag.startswith("W/") else etag.strip('"')


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
