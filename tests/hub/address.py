# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a URL of the Hub asks for.

Read from the *raw* path: clients send ``refs%2Fpr%2F1`` as one segment, and file names may hold ``%``, ``?`` or ``+``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_TYPE_OF = {"models": "model", "datasets": "dataset", "spaces": "space"}
_API_WORDS = {"revision": "revision", "tree": "tree", "refs": "refs", "paths-info": "paths_info"}
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Address:
    """A kind of question, the repository it is about, and the revision and path where the kind has them."""

    kind: str
    repo_type: str
    repo_id: str
    revision: str = "main"
    path: str = ""


def parse(raw_path: str) -> Address | None:
    """Return what a raw (still percent-encoded) path asks for, or None where the Hub has no such page."""
    parts = [unquote(part) for part in raw_path.lstrip("/").split("/")]
    if parts[0] == "api":
        return _parse_api(parts[1:])
    repo_type = "model"
    if parts[0] in ("datasets", "spaces"):
        repo_type = _TYPE_OF[parts[0]]
        parts = parts[1:]
    for length in (1, 2):
        if parts[length : length + 1] == ["resolve"] and len(parts) > length + 2:
            revision, path = _split_revision(parts[length + 1 :])
            return Address("resolve", repo_type, "/".join(parts[:length]), revision, path)
    return None


def with_repo_id(raw_path: str, address: Address, repo_id: str) -> str:
    """Return the raw path that asks the same about another repository."""
    parts = raw_path.lstrip("/").split("/")
    first = 0
    if parts[0] == "api":
        first = 3 if parts[1] == "resolve-cache" else 2
    elif parts[0] in ("datasets", "spaces"):
        first = 1
    after = first + 1 + address.repo_id.count("/")
    return "/" + "/".join([*parts[:first], *repo_id.split("/"), *parts[after:]])


def _parse_api(parts: list[str]) -> Address | None:
    if parts[:1] == ["resolve-cache"]:
        return _parse_resolve_cache(parts[1:])
    if len(parts) < 2 or parts[0] not in _TYPE_OF:
        return None
    repo_type, parts = _TYPE_OF[parts[0]], parts[1:]
    for length in (1, 2):
        word = _API_WORDS.get(parts[length]) if len(parts) > length else None
        repo_id, tail = "/".join(parts[:length]), parts[length + 1 :]
        if word == "refs" and not tail:
            return Address(word, repo_type, repo_id)
        if word and word != "refs" and tail:
            revision, path = _split_revision(tail)
            return Address(word, repo_type, repo_id, revision, path.rstrip("/"))
    return Address("info", repo_type, "/".join(parts)) if len(parts) <= 2 else None


def _parse_resolve_cache(parts: list[str]) -> Address | None:
    for length in (1, 2):
        if len(parts) > length + 2 and parts[0] in _TYPE_OF and _COMMIT.fullmatch(parts[length + 1]):
            repo_id, path = "/".join(parts[1 : length + 1]), "/".join(parts[length + 2 :])
            return Address("resolve_cache", _TYPE_OF[parts[0]], repo_id, parts[length + 1], path)
    return None


def _split_revision(parts: list[str]) -> tuple[str, str]:
    """Take the revision off the front; ``refs/pr/1`` may also arrive with plain slashes."""
    if len(parts) > 2 and parts[0] == "refs" and parts[1] in ("pr", "convert"):
        return "/".join(parts[:3]), "/".join(parts[3:])
    return parts[0], "/".join(parts[1:])
