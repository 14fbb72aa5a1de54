# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Hub says of repositories, read as plain JSON and checked; authentication and URLs are huggingface_hub's.

huggingface_hub's own calls parse cards and know each key, so that one odd repository looks like an outage; and no
version of them has limits, or keeps the token to the Hub's origin while it pages.
"""

from __future__ import annotations

import copy
import re
import traceback
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urljoin, urlsplit

from .._base.clock import Clock
from .._base.errors import HeldError, MirrorError
from .._base.limits import LISTING_PAGES, LISTING_SECONDS
from .._base.names import Commit, NameProblem, repo_id, shown
from .._border.hub import Tree, info_of
from .._border.json import AnswerProblem
from .._plan.facts import Listing, Repo
from .._plan.plan import Fetch
from .answer import PLAIN, LateProblem, document
from .http import (
    NETWORK_ERRORS,
    Haste,
    Http,
    SilentError,
    SlowError,
    TransportError,
    UnreachableError,
    discard,
    is_web,
    moved_to,
    origin,
    reason,
)

try:
    import huggingface_hub.constants
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers
except ImportError:
    HUGGINGFACE_HUB_ERROR: str | None = traceback.format_exc()
else:
    HUGGINGFACE_HUB_ERROR = None

#: What is asked of an info document; upstreams that don't know ``expand`` answer with all of it.
_EXPAND = {
    "model": "author createdAt disabled gated lastModified library_name pipeline_tag private sha tags",
    "dataset": "author createdAt disabled gated lastModified private sha tags",
    "space": "author createdAt disabled lastModified private sdk sha tags",
}
_MAX_REDIRECTS = 5
#: So many requests in a row, of whatever repository, that get no answer at all: nobody is there.
_SILENCES = 8
#: Seconds for which who is not there is not asked again.
_ABSENCE_SECONDS = 60
REDIRECTS = (301, 302, 303, 307, 308)
#: What the Hub answers about what it has closed or taken down.
CLOSED = (403, 410, 451)
_NEXT = re.compile(r'<([^<>]*)>[^,<>]*;\s*rel="?next"?')


class MissingError(MirrorError):
    """The Hub does not have it, or does not show it."""


class _Absence:
    """Whether nobody is there, as all requests to an upstream know it, hasty ones and others.

    Threads may count one silence too few, which costs a try more.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._problem: TransportError | None = None
        self._until = 0.0
        self._silences = 0

    def check(self) -> None:
        """Raise what was found a moment ago."""
        problem = self._problem
        if problem and self._clock.monotonic() < self._until:
            raise problem

    def silence(self, problem: SilentError) -> None:
        """Note that no answer came over a connection that was made."""
        self._silences += 1
        if self._silences >= _SILENCES:
            self.begin(problem)

    def begin(self, problem: TransportError) -> None:
        """Note that nobody is there."""
        self._problem, self._until = problem, self._clock.monotonic() + _ABSENCE_SECONDS

    def end(self) -> None:
        """Note that an answer came."""
        self._problem, self._silences = None, 0


class Hub:
    """The upstream, or anything that answers as the Hub does.

    ``endpoint`` is a URL such as ``https://huggingface.co``. ``tokens`` has access tokens by name, under ``None`` the
    one for entries that name none; they go to that origin only. ``is_first``: those that entries name are for it, the
    first that is believed, and not for another upstream.
    """

    redirects = True

    def __init__(
        self, endpoint: str, http: Http, tokens: Mapping[str | None, str] | None = None, is_first: bool = True
    ) -> None:
        if not is_web(endpoint):
            raise MirrorError(f"endpoint {shown(endpoint)} is not an http:// or https:// URL")
        self.endpoint = endpoint.rstrip("/")
        self.http = http
        # with telemetry, its first request goes to the public Hub, whatever the endpoint, to ask for names of AI agents
        huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True
        self._tokens, self._is_first = tokens or {}, is_first
        self._absence = _Absence(http.clock)

    def hasty(self, haste: Haste) -> Hub:
        """Return the same for who would not wait; what one of them learns of who is away all of them know."""
        other = copy.copy(self)
        other.http = self.http.hasty(haste)
        return other

    def headers(self, token: str | None) -> dict[str, str]:
        """Return headers for requests to the Hub's own origin, the token of that name included."""
        token = token if self._is_first else None
        if token is not None and token not in self._tokens:
            # its name is not shown: it may be the token itself
            raise MirrorError("the entry names a token that does not exist: add it to the other tokens")
        return dict(build_hf_headers(token=self._tokens.get(token) or False))

    def url_of(self, action: Fetch) -> str:
        """Return the URL at which the Hub resolves a file."""
        return self._url(action.repo, action.commit, action.path)

    def _url(self, repo: Repo, revision: str, path: str) -> str:
        return str(hf_hub_url(repo.repo_id, path, repo_type=repo.repo_type, revision=revision, endpoint=self.endpoint))

    def head(self, repo: Repo, revision: str, path: str, token: str | None = None) -> Commit | None:
        """Return the commit that a revision means now, or None where the answer does not tell.

        One request that counts against the larger limit (``resolvers``). It does not matter whether the file is there.
        """
        url = self._url(repo, revision, path)
        answer = self._open("HEAD", url, self.headers(token), "resolvers")
        discard(answer)
        if answer.status in REDIRECTS:
            check_same_repo(repo, url, answer)
        code = answer.headers.get("X-Error-Code")
        if code == "GatedRepo":
            raise gated(repo)
        if code == "RepoNotFound":
            raise self._missing(repo)
        commit = answer.headers.get("X-Repo-Commit")
        return self._commit(commit, repo, revision) if commit else None

    def _commit(self, told: Any, repo: Repo, revision: str) -> Commit:
        try:
            return Commit(told)
        except NameProblem as problem:
            raise MirrorError(f"{self.endpoint} names no commit for {repo}@{revision}: {problem}") from None

    def _missing(self, repo: Repo) -> MirrorError:
        return MissingError(f"{self.endpoint} has no {repo.repo_type} {repo.repo_id}, or the token does not open it")

    def info(self, repo: Repo, revision: str, token: str | None = None) -> tuple[Commit, Mapping[str, Any]]:
        """Return the commit that a revision means now, and the repository's card. One request."""
        # always with a revision: not every Hub-like upstream answers without
        url = f"{self._api(repo)}/revision/{quote(revision, safe='')}"
        asked = urlencode([("expand", name) for name in _EXPAND[repo.repo_type].split()])
        value, _headers = self._ask(repo, revision, f"{url}?{asked}", token, instead=url)
        try:
            found = info_of(value)
        except AnswerProblem as problem:
            raise self._senseless(repo, revision, problem) from None
        except NameProblem as problem:
            raise MirrorError(f"{self.endpoint} names no commit for {repo}@{revision}: {problem}") from None
        if found.repo_id and found.repo_id != repo.repo_id:
            raise renamed(repo, found.repo_id)
        return found.commit, found.card

    def listing(self, repo: Repo, commit: Commit, card: Mapping[str, Any], token: str | None = None) -> Listing:
        """List all files of a commit with size and hash. One request for each page."""
        tree = Tree()
        for page in self._pages(repo, commit, token):
            try:
                tree.add(page)
            except AnswerProblem as problem:
                raise self._senseless(repo, commit, problem) from None
        tree.close()
        return Listing(commit, tree.files, tree.folders, card, tree.refused, teller=self.endpoint)

    def _pages(self, repo: Repo, commit: Commit, token: str | None) -> Iterator[Any]:
        """Yield the pages of a listing, each once."""
        url = f"{self._api(repo)}/tree/{commit}"
        query = "recursive=true"
        until = self.http.clock.monotonic() + LISTING_SECONDS
        seen: set[str] = set()
        while query not in seen:
            seen.add(query)
            if len(seen) > LISTING_PAGES:
                raise MirrorError(f"{self.endpoint} lists {repo} in more than {LISTING_PAGES} pages")
            page, headers = self._ask(repo, commit, f"{url}?{query}", token)
            yield page
            link = _NEXT.search(headers.get("Link", "")[:_LONGEST_LINK])
            if not link:
                return
            if self.http.clock.monotonic() > until:
                raise SlowError(f"{self.endpoint} does not list {repo} in {LISTING_SECONDS} seconds")
            # what follows is the same address with another question: wherever else the link may lead is not asked
            query = urlencode(parse_qsl(link[1].partition("?")[2].partition("#")[0], keep_blank_values=True))
        raise MirrorError(f"{self.endpoint} lists {repo} in pages that form a loop")

    def _api(self, repo: Repo) -> str:
        return f"{self.endpoint}/api/{repo.repo_type}s/{repo.repo_id}"

    def _senseless(self, repo: Repo, revision: str, problem: NameProblem) -> MirrorError:
        return MirrorError(f"{self.endpoint} returns an invalid answer about {repo}@{revision[:12]}: {problem}")

    def _open(self, method: str, url: str, headers: Mapping[str, str], bucket: str) -> Any:
        """Send a request, unless nobody was there already."""
        self._absence.check()
        try:
            answer = self.http.open(method, url, headers, bucket=bucket)
        except UnreachableError as problem:
            self._absence.begin(problem)
            raise
        except SilentError as problem:
            self._absence.silence(problem)
            raise
        self._absence.end()
        return answer

    def _ask(
        self, repo: Repo, revision: str, url: str, token: str | None, instead: str | None = None
    ) -> tuple[Any, Mapping[str, str]]:
        """Return the document at a URL of the API, and its headers. ``instead`` is asked for where that is refused."""
        attempt = 0
        while True:
            attempt += 1
            answer = self._follow(repo, url, token)
            if answer.status == 400 and instead:
                discard(answer)
                url, instead = instead, None
                continue
            if answer.status != 200:
                discard(answer)
                raise self._refusal(repo, revision, answer)
            try:
                return document(answer, self.http.clock), answer.headers
            except LateProblem as problem:
                raise SlowError(f"{self.endpoint} answers about {repo}@{revision[:12]} too slowly: {problem}") from None
            except AnswerProblem as problem:
                raise self._senseless(repo, revision, problem) from None
            except NETWORK_ERRORS as problem:
                if attempt >= self.http.attempts:
                    cause = f"{self.endpoint} breaks off its answers"
                    raise TransportError(f"{cause} about {repo}: {reason(problem)}", cause=cause) from problem
                self.http.backoff(attempt)

    def _follow(self, repo: Repo, url: str, token: str | None) -> Any:
        """Send a request of the API, also to where the Hub moved it on its own origin. No other one is asked."""
        headers = {**self.headers(token), **PLAIN}
        for _hop in range(_MAX_REDIRECTS):
            answer = self._open("GET", url, headers, "api")
            if answer.status not in REDIRECTS:
                return answer
            discard(answer)
            moved = self._moved(url, answer)
            if origin(moved) != origin(url):
                raise MirrorError(f"{self.endpoint} redirects to {shown(moved)} for the metadata of {repo}: refused")
            url = moved
        raise MirrorError(f"{self.endpoint}: more than {_MAX_REDIRECTS} redirects about {repo}")

    def _moved(self, url: str, answer: Any) -> str:
        try:
            return moved_to(url, answer)
        except NETWORK_ERRORS as problem:
            raise MirrorError(str(problem)) from None

    def _refusal(self, repo: Repo, revision: str, answer: Any) -> MirrorError:
        code, status = answer.headers.get("X-Error-Code"), answer.status
        if code == "GatedRepo":
            return gated(repo)
        if code == "RevisionNotFound":
            return MissingError(f"{repo} has no revision {revision}")
        # unless it is known, the Hub does not tell what is missing from what is not for everybody
        if code == "RepoNotFound" or (status in (401, 404) and not code):
            return self._missing(repo)
        words = answer.headers.get("X-Error-Message", "")
        text, cause = f"{self.endpoint} answers {status} about {repo}", f"{self.endpoint} answers {status}"
        if status >= 500:
            return TransportError(text, cause=cause)
        text = f"{text}: {shown(words)}" if words else text
        if status in CLOSED:
            return HeldError(f"{text}: it is closed there, so it is held here", cause=cause)
        return MirrorError(text, cause=cause)


#: Characters of a header that names the next page.
_LONGEST_LINK = 8192


def gated(repo: Repo) -> HeldError:
    """Return what to say when a repository opens for some accounts only."""
    return HeldError(f"{repo} is gated: request access on its page, then set a token of that account")


def renamed(repo: Repo, name: str) -> HeldError:
    """Return what to say when a repository has another name now."""
    try:
        repo_id(name)
    except NameProblem:
        return HeldError(f"the Hub renamed {repo} to {shown(name)}: held")
    return HeldError(f"the Hub renamed {repo} to {name}: held; change the entry to {name} if you still want it")


def check_same_repo(repo: Repo, url: str, answer: Any) -> None:
    """Raise HeldError where a redirect on the Hub's own origin leads to another repository."""
    try:
        moved = urljoin(url, answer.headers.get("Location", ""))
        if origin(moved) != origin(url):
            return
    except ValueError:
        return
    path = unquote(urlsplit(moved).path)
    prefix = "" if repo.repo_type == "model" else f"{repo.repo_type}s/"
    found = re.match(rf"/{prefix}(?P<name>[^/]+(?:/[^/]+)?)/resolve/", path)
    if found and found["name"] != repo.repo_id:
        raise renamed(repo, found["name"])
