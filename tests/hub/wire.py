# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP as it is on the wire: no redirect followed, nothing retried, the target sent as it is written."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit


@dataclass
class Answer:
    """Status, headers and as much of the body as came; ``promised`` is Content-Length."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    promised: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def path(self) -> str:
        """The path and query of Location."""
        return self.headers["Location"]


def ask(method: str, base: str, target: str, body: str | None = None, **headers: str) -> Answer:
    """Send one request on a connection of its own. Header names are given with ``_`` for ``-``."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)
    try:
        connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        promised = int(response.headers.get("Content-Length", -1))
        try:
            content = response.read()
        except http.client.IncompleteRead as short:
            content = short.partial
        return Answer(response.status, response.headers, content, promised)
    finally:
        connection.close()


def get(base: str, target: str, **headers: str) -> Answer:
    """GET without following."""
    return ask("GET", base, target, **headers)


def head(base: str, target: str, **headers: str) -> Answer:
    """HEAD without following."""
    return ask("HEAD", base, target, **headers)


def locate(base: str, repo_id: str, path: str, revision: str = "main", **headers: str) -> tuple[str, str]:
    """Ask where the bytes of a model's file are: base and target of the one redirect."""
    location = head(base, f"/{repo_id}/resolve/{revision}/{quote(path, safe='')}", **headers).path
    return split_url(location) if location.startswith("http") else (base, location)


def fetch(base: str, repo_id: str, path: str, revision: str = "main", **headers: str) -> Answer:
    """Get a model's file, following the one redirect by hand."""
    return get(*locate(base, repo_id, path, revision), **headers)


def split_url(url: str) -> tuple[str, str]:
    """Split an absolute URL into base and target."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path + (f"?{parts.query}" if parts.query else "")
