# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever answers as the Hub does: the mirror, and the one who may stand in for it."""

from __future__ import annotations

import base64
import http.client
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from .._base.address import endpoint_problem
from .._base.clock import Clock
from .._base.errors import MirrorError
from .._base.names import COMMIT, Commit, NameProblem, RepoPath
from .._border.hub import Tree, info_of
from .._fetch.answer import PLAIN, document
from .._fetch.http import (
    NETWORK_ERRORS,
    Http,
    TransportError,
    UnreachableError,
    discard,
    moved_to,
    origin,
    origin_name,
    unreachable,
)
from .._fetch.hub import REDIRECTS
from .._fetch.reach import Reach
from .._plan.facts import File
from .._plan.plan import Fetch
from .connections import Connections

#: A host that is away is known to be so after some seconds, and one that has just been restarted is waited for.
_ATTEMPTS = 3
_TOKEN = re.compile("[!-~]+")
_COMMIT = re.compile(COMMIT)


@dataclass(frozen=True)
class Access:
    """What opens a mirror. It goes to the mirror's own origin only."""

    token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None

    def authorization(self) -> dict[str, str]:
        """Return the header that says who asks."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.username:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {}

    def context(self) -> ssl.SSLContext:
        """Return the TLS settings: the system's CAs and the one that is given."""
        context = ssl.create_default_context()
        try:
            if self.ca_path:
                context.load_verify_locations(self.ca_path)
        except OSError as problem:
            raise MirrorError(f"ca_path {self.ca_path} can't be used: {problem}") from problem
        try:
            if self.client_cert:
                # no terminal to ask for a passphrase at
                context.load_cert_chain(self.client_cert, self.client_key, password="")
        except OSError as problem:
            raise MirrorError(f"client_cert {self.client_cert} can't be used: {problem}") from problem
        return context


class Endpoint:
    """An address such as ``https://mirror.example.org``."""

    redirects = True

    def __init__(self, url: str, clock: Clock, timeout: float, access: Access | None = None) -> None:
        problem = endpoint_problem(url, "use the options for user, password and token")
        if problem:
            raise MirrorError(f"an endpoint {problem}")
        self.endpoint = url.rstrip("/")
        self._access = access or Access()
        if self._access.token and not _TOKEN.fullmatch(self._access.token):
            raise MirrorError("the token must be visible ASCII characters only: does it contain a line break?")
        reach = Reach(url)  # a public one sends no host here into its own network
        self.http = Http(clock, pool=Connections(timeout, {origin(url): self._access.context()}, reach.check))

    def headers(self, _token: str | None) -> dict[str, str]:
        """Return the headers of a request to this origin."""
        return {"User-Agent": "hf-mirror", **self._access.authorization()}

    def url_of(self, action: Fetch) -> str:
        """Return where a file of a commit is."""
        return f"{self.endpoint}/{action.repo.repo_id}/resolve/{action.commit}/{quote(action.path)}"

    def commit(self, repo_id: str, revision: str) -> Commit:
        """Return the commit that a revision means now. Raises TransportError where nobody answers."""
        if _COMMIT.fullmatch(revision):
            return Commit(revision)
        value = self._document(f"{repo_id}/revision/{quote(revision, safe='')}", f"{repo_id}@{revision}")
        try:
            return info_of(value).commit
        except NameProblem as problem:
            raise MirrorError(
                f"{self.endpoint} names no commit for {repo_id}@{revision}: {problem}; is it a mirror?"
            ) from None

    def listing(self, repo_id: str, commit: Commit) -> Mapping[RepoPath, File]:
        """Return the files of a commit with size and hash, by path. Raises TransportError where nobody answers."""
        value = self._document(f"{repo_id}/tree/{commit}?recursive=true", f"{repo_id}@{commit}")
        tree = Tree()
        try:
            tree.add(value)
        except NameProblem as problem:
            raise MirrorError(
                f"{self.endpoint} returns an unknown listing of {repo_id}@{commit[:12]}: {problem}"
            ) from None
        tree.close()
        return tree.files

    def _document(self, path: str, what: str) -> Any:
        url = f"{self.endpoint}/api/models/{path}"
        try:
            answer = self.http.open("GET", url, {**self.headers(None), **PLAIN}, bucket="api", attempts=_ATTEMPTS)
            if answer.status != 200:
                discard(answer)
                moved = moved_to(url, answer) if answer.status in REDIRECTS else ""
                raise self._refusal(answer.status, moved, what)
            return document(answer, self.http.clock)
        except TransportError as problem:
            raise self._explained(problem) from problem
        except http.client.IncompleteRead as problem:
            raise TransportError(f"{self.endpoint} broke off about {what}", f"{self.endpoint} broke off") from problem
        except NETWORK_ERRORS as problem:
            raise unreachable(url, problem) from problem
        except NameProblem as problem:
            raise MirrorError(f"{self.endpoint} returns an invalid {what}: {problem}; is it a mirror?") from None

    def _refusal(self, status: int, moved: str, what: str) -> MirrorError:
        """Return what to say and to do about an answer."""
        if status == 503:
            return UnreachableError(f"{self.endpoint} can't serve now ({status})", origin_name(self.endpoint))
        if status >= 500:
            return TransportError(f"{self.endpoint} answers {status} about {what}", f"{self.endpoint} answers {status}")
        if status in REDIRECTS:
            if urlsplit(moved).hostname == urlsplit(self.endpoint).hostname:
                return MirrorError(f"{self.endpoint} has moved: set {origin_name(moved)} as the endpoint")
            status, hint = 404, f" It redirects to {origin_name(moved)}."
        else:
            hint = ""
        given = [name for name in ("token", "password", "client_cert") if getattr(self._access, name)]
        if status in (400, 401, 403):
            do = f"check the {given[0]}" if given else "set a token, a user and password, or a client_cert"
            return MirrorError(f"{self.endpoint} refuses {what} ({status}): {do}", cause=f"{self.endpoint}: {do}")
        if status == 404:
            do = f"add it to the mirror's whitelist, or check whether it needs {given[0] if given else 'a token'}"
            return MirrorError(f"{self.endpoint} does not have {what}: {do}.{hint}")
        return MirrorError(f"{self.endpoint} answers {status} about {what}")

    def _explained(self, problem: TransportError) -> MirrorError:
        """Tell those who are refused by TLS, which waiting does not mend, from those whom nobody answers."""
        cause = problem.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            return MirrorError(f"{problem}; set ca_path to the CA that signed its certificate")
        if isinstance(cause, ssl.SSLError) and "ALERT" in str(cause.reason):
            return MirrorError(f"{problem}; set a client_cert that it accepts")
        return problem
