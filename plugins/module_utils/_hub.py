# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listings, authentication and URLs of the Hub: huggingface_hub's, used here alone."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ._errors import MirrorError
from ._facts import File, Listing, Repo
from ._whitelist import is_safe_path

try:
    import huggingface_hub
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
except ImportError:
    HUGGINGFACE_HUB_ERROR: str | None = traceback.format_exc()
else:
    HUGGINGFACE_HUB_ERROR = None

#: Fields of an info document that describe a repository and don't change with every visitor.
_CARD = ("author", "created_at", "private", "gated", "disabled", "tags", "pipeline_tag", "library_name", "sdk")
_TIMEOUT = 30  # seconds


class Hub:
    """The upstream, or anything that answers as the Hub does.

    ``endpoint`` is a URL such as ``https://huggingface.co``; ``token`` goes to that origin only; ``proxy`` is an HTTP
    proxy's URL.
    """

    def __init__(self, endpoint: str, token: str | None = None, proxy: str | None = None) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise MirrorError(f"endpoint {endpoint!r} is no http:// or https:// URL")
        self.endpoint = endpoint.rstrip("/")
        self.proxy = proxy
        if proxy:
            # the HTTP libraries under huggingface_hub differ by version; what all of them obey is the environment
            os.environ.update({"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "http_proxy": proxy, "https_proxy": proxy})
        self._api = huggingface_hub.HfApi(self.endpoint, token=token or False)
        self._token = token

    @property
    def headers(self) -> dict[str, str]:
        """Headers for requests to the Hub's own origin, the token included."""
        return dict(huggingface_hub.utils.build_hf_headers(token=self._token or False))

    def file_url(self, repo: Repo, commit: str, path: str) -> str:
        """Return the URL at which the Hub resolves a file of a commit."""
        return str(
            huggingface_hub.hf_hub_url(
                repo.repo_id, path, repo_type=repo.repo_type, revision=commit, endpoint=self.endpoint
            )
        )

    def info(self, repo: Repo, revision: str) -> tuple[str, dict[str, Any]]:
        """Return the commit that a revision means now, and the repository's card. One request."""
        # always with a revision: not every Hub-like upstream answers without
        answer = self._ask(
            repo,
            revision,
            lambda: self._api.repo_info(repo.repo_id, repo_type=repo.repo_type, revision=revision, timeout=_TIMEOUT),
        )
        if not answer.sha:
            raise MirrorError(f"{self.endpoint} names no commit for {repo}@{revision}")
        card = {name: getattr(answer, name, None) for name in _CARD}
        created = card.pop("created_at")
        card["createdAt"] = created.strftime("%Y-%m-%dT%H:%M:%S.000Z") if created else None
        modified = getattr(answer, "last_modified", None)
        card["lastModified"] = modified.strftime("%Y-%m-%dT%H:%M:%S.000Z") if modified else card["createdAt"]
        return str(answer.sha), {name: value for name, value in card.items() if value is not None}

    def listing(self, repo: Repo, commit: str, card: dict[str, Any]) -> Listing:
        """List all files of a commit with size and hash. One request for each page."""
        files: dict[str, File] = {}
        folders: dict[str, str] = {}
        for entry in self._ask(repo, commit, lambda: self._tree(repo, commit)):
            if not is_safe_path(entry.path):
                raise MirrorError(f"{repo}@{commit} lists a file name that can't be mirrored: {entry.path!r}")
            if hasattr(entry, "tree_id"):
                folders[entry.path] = entry.tree_id
            else:
                lfs = entry.lfs
                files[entry.path] = File(
                    entry.size, entry.blob_id, lfs.sha256 if lfs else None, lfs.pointer_size if lfs else None
                )
        return Listing(commit, files, folders, card)

    def _tree(self, repo: Repo, commit: str) -> list[Any]:
        return list(self._api.list_repo_tree(repo.repo_id, recursive=True, repo_type=repo.repo_type, revision=commit))

    def _ask(self, repo: Repo, revision: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except GatedRepoError:
            raise MirrorError(
                f"{repo} is gated: ask for access on its page and give a token of the account that has it"
            ) from None
        except RepositoryNotFoundError:
            raise MirrorError(
                f"{self.endpoint} has no {repo.repo_type} {repo.repo_id}, or the token does not open it"
            ) from None
        except RevisionNotFoundError:
            raise MirrorError(f"{repo} has no revision {revision}") from None
        except HfHubHTTPError as problem:
            raise MirrorError(f"{self.endpoint} answered badly about {repo}: {_line(problem)}") from problem
        # connection errors are requests', httpx' or httpx2's, depending on huggingface_hub's version
        except Exception as problem:
            raise MirrorError(f"{self.endpoint} can't be asked about {repo}: {_line(problem)}") from problem


def _line(problem: BaseException) -> str:
    text = str(problem).strip().splitlines()
    return f"{type(problem).__name__}: {text[0]}" if text else type(problem).__name__
