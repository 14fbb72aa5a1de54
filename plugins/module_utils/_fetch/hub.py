# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listings, authentication and URLs of the Hub: huggingface_hub's, used here alone."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from .._base.errors import HeldError, MirrorError
from .._plan.facts import File, Listing, Repo
from .._plan.whitelist import is_safe_path
from .http import Http, TransportError, UnreachableError, discard, origin, reason, unreachable

try:
    import huggingface_hub
    import huggingface_hub.constants
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
_ATTEMPTS = 5
REDIRECTS = (301, 302, 303, 307, 308)


class Hub:
    """The upstream, or anything that answers as the Hub does.

    ``endpoint`` is a URL such as ``https://huggingface.co``. ``tokens`` has access tokens by name, under ``None`` the
    one for entries that name none; they go to that origin only. ``proxy`` is an HTTP proxy's URL.
    """

    def __init__(
        self, endpoint: str, http: Http, tokens: Mapping[str | None, str] | None = None, proxy: str | None = None
    ) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise MirrorError(f"endpoint {endpoint!r} is no http:// or https:// URL")
        self.endpoint = endpoint.rstrip("/")
        self.http = http
        if proxy:
            # the HTTP libraries under huggingface_hub differ by version; what all of them obey is the environment
            os.environ.update({"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "http_proxy": proxy, "https_proxy": proxy})
        # with telemetry, its first request goes to the public Hub, whatever the endpoint, to ask for names of AI agents
        huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True
        self._tokens = tokens or {}
        self._down: TransportError | None = None

    def headers(self, token: str | None) -> dict[str, str]:
        """Return headers for requests to the Hub's own origin, the token of that name included."""
        return dict(huggingface_hub.utils.build_hf_headers(token=self._secret(token) or False))

    def _secret(self, token: str | None) -> str | None:
        if token is not None and token not in self._tokens:
            raise MirrorError(f"there is no token named {token}: give it with the other tokens")
        return self._tokens.get(token)

    def file_url(self, repo: Repo, revision: str, path: str) -> str:
        """Return the URL at which the Hub resolves a file."""
        return str(
            huggingface_hub.hf_hub_url(
                repo.repo_id, path, repo_type=repo.repo_type, revision=revision, endpoint=self.endpoint
            )
        )

    def head(self, repo: Repo, revision: str, path: str, token: str | None = None) -> str | None:
        """Return the commit that a revision means now, or None where the answer does not tell.

        One request that counts against the larger limit (``resolvers``). It does not matter whether the file is there.
        """
        if self._down:
            raise self._down
        url = self.file_url(repo, revision, path)
        try:
            answer = self.http.open("HEAD", url, self.headers(token), bucket="resolvers")
        except UnreachableError as problem:
            self._down = problem
            raise
        discard(answer)
        moved = urljoin(url, answer.headers.get("Location", ""))
        if answer.status in REDIRECTS and origin(moved) == origin(url):
            check_same_repo(repo, moved)
        code = answer.headers.get("X-Error-Code")
        if code == "GatedRepo":
            raise gated(repo)
        if code == "RepoNotFound":
            raise self._missing(repo)
        commit = answer.headers.get("X-Repo-Commit")
        return str(commit) if commit else None

    def _missing(self, repo: Repo) -> MirrorError:
        return MirrorError(f"{self.endpoint} has no {repo.repo_type} {repo.repo_id}, or the token does not open it")

    def info(self, repo: Repo, revision: str, token: str | None = None) -> tuple[str, dict[str, Any]]:
        """Return the commit that a revision means now, and the repository's card. One request."""
        api = self._api(token)
        # always with a revision: not every Hub-like upstream answers without
        answer = self._ask(
            repo,
            revision,
            lambda: api.repo_info(repo.repo_id, repo_type=repo.repo_type, revision=revision, timeout=_TIMEOUT),
        )
        if answer.id and answer.id != repo.repo_id:
            raise renamed(repo, answer.id)
        if not answer.sha:
            raise MirrorError(f"{self.endpoint} names no commit for {repo}@{revision}")
        card = {name: getattr(answer, name, None) for name in _CARD}
        created = card.pop("created_at")
        card["createdAt"] = created.strftime("%Y-%m-%dT%H:%M:%S.000Z") if created else None
        modified = getattr(answer, "last_modified", None)
        card["lastModified"] = modified.strftime("%Y-%m-%dT%H:%M:%S.000Z") if modified else card["createdAt"]
        return str(answer.sha), {name: value for name, value in card.items() if value is not None}

    def listing(self, repo: Repo, commit: str, card: dict[str, Any], token: str | None = None) -> Listing:
        """List all files of a commit with size and hash. One request for each page."""
        api = self._api(token)
        files: dict[str, File] = {}
        folders: dict[str, str] = {}
        for entry in self._ask(repo, commit, lambda: self._tree(api, repo, commit)):
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

    def _api(self, token: str | None) -> Any:
        return huggingface_hub.HfApi(self.endpoint, token=self._secret(token) or False)

    def _tree(self, api: Any, repo: Repo, commit: str) -> list[Any]:
        return list(api.list_repo_tree(repo.repo_id, recursive=True, repo_type=repo.repo_type, revision=commit))

    def _ask(self, repo: Repo, revision: str, call: Callable[[], Any]) -> Any:
        """Call huggingface_hub, again where that may help, and say what is wrong in our words."""
        attempt = 0
        while True:
            attempt += 1
            if self._down:
                raise self._down
            self.http.gate.wait("api")
            try:
                return self._translate(repo, revision, call)
            except _RefusedError as refused:
                if attempt >= _ATTEMPTS:
                    raise MirrorError(str(refused), cause=refused.cause) from None
                self.http.gate.refused("api", refused.headers, attempt)
            except TransportError as problem:
                if attempt >= _ATTEMPTS:
                    # one answer that makes no sense may be one repository's, no answer is everybody's
                    self._down = problem if isinstance(problem, UnreachableError) else None
                    raise
                self.http.backoff(attempt)

    def _translate(self, repo: Repo, revision: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except GatedRepoError:
            raise gated(repo) from None
        except RepositoryNotFoundError:
            raise self._missing(repo) from None
        except RevisionNotFoundError:
            raise MirrorError(f"{repo} has no revision {revision}") from None
        except HfHubHTTPError as problem:
            status = getattr(problem.response, "status_code", 0)
            text = f"{self.endpoint} answers {status} about {repo}"
            cause = f"{self.endpoint} answers {status}"
            if status == 429:
                raise _RefusedError(text, cause, dict(problem.response.headers)) from problem
            if status >= 500:
                raise TransportError(text, cause=cause) from problem
            raise MirrorError(f"{text}: {reason(problem)}", cause=cause) from problem
        # connection errors are requests', httpx' or httpx2's, depending on huggingface_hub's version
        except Exception as problem:
            raise unreachable(self.endpoint, problem) from problem


class _RefusedError(MirrorError):
    """The Hub answers 429."""

    def __init__(self, text: str, cause: str, headers: Mapping[str, str]) -> None:
        super().__init__(text, cause=cause)
        self.headers = headers


def gated(repo: Repo) -> HeldError:
    """Return what to say when a repository opens for some accounts only."""
    return HeldError(f"{repo} is gated: ask for access on its page and give a token of the account that has it")


def renamed(repo: Repo, name: str) -> HeldError:
    """Return what to say when a repository has another name now."""
    return HeldError(f"the Hub calls {repo} {name} now: held; write {name} if it is still what you want")


def check_same_repo(repo: Repo, url: str) -> None:
    """Raise HeldError where a redirect of the Hub's own origin leads to another repository."""
    path = unquote(urlsplit(url).path)
    prefix = "" if repo.repo_type == "model" else f"{repo.repo_type}s/"
    found = re.match(rf"/{prefix}(?P<name>[^/]+(?:/[^/]+)?)/resolve/", path)
    if found and found["name"] != repo.repo_id:
        raise renamed(repo, found["name"])
