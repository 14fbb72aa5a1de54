# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gated and private repositories, as the Hub keeps them: by the bearer token, on its own origin only."""

from __future__ import annotations

from collections.abc import Mapping

from hub.repos import Refused, Repo

MODES = ("gated", "private")
#: What everybody may know of a gated repository: all but the bytes.
_FILES = ("resolve", "resolve_cache")


def check(repo: Repo, kind: str, headers: Mapping[str, str]) -> None:
    """Raise Refused where a request is not entitled to its answer."""
    access = repo.access
    if access is None or headers.get("authorization") == f"Bearer {access.token}":
        return
    if access.mode == "private":
        raise Refused(401, "RepoNotFound", "Repository not found")
    if kind in _FILES:
        where = f"Access to {repo.repo_type} {repo.repo_id} is restricted"
        if "authorization" in headers:
            raise Refused(403, "GatedRepo", f"{where} and you are not in the authorized list.")
        raise Refused(401, "GatedRepo", f"{where}. You must have access to it and be authenticated to access it.")
