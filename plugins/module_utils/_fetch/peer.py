# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other node of a pair: its catalogue, its listings, its bytes, as its nginx serves them below ``/_peer/``."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from urllib.parse import urlsplit

from .._base.clock import Clock, StoppedError
from .._base.errors import MirrorError
from .._plan.facts import Listing, Repo
from .._plan.plan import Fetch
from .._plan.whitelist import is_safe_path, parse
from .._store.catalogue import Catalogue
from .body import Body
from .http import Http, TransportError, origin_name
from .source import HttpBody, Source

_LARGEST = 256 << 20  # bytes of a document
_COMMIT, _ETAG = re.compile("[0-9a-f]{40}"), re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_LOOK = 1.0  # seconds between two looks whether the peer has something


class PeerError(MirrorError):
    """The peer gives no answer that means anything."""


class Peer:
    """A node at a URL such as ``https://mirror-2.example.org``."""

    def __init__(self, url: str, http: Http) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise MirrorError(f"peer {url!r} is no http:// or https:// URL")
        self.endpoint, self.http = url.rstrip("/"), http
        self.told = ""
        self._in_vain: str | None = None

    def headers(self, _token: str | None) -> dict[str, str]:
        """Return the headers of a request."""
        return {"User-Agent": "hf-mirror"}

    def catalogue(self) -> Catalogue:
        """Return what it has; ``told`` changes when that does. Raises PeerError."""
        value = self._document("catalogue.json")
        self.told = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
        catalogue = Catalogue.from_json(value)
        try:
            _check_names(catalogue)
        except (MirrorError, KeyError, TypeError, AttributeError) as problem:
            raise PeerError(f"{self.endpoint}: its catalogue has names that can't be right: {problem}") from problem
        return catalogue

    def listing(self, repo: Repo, commit: str) -> tuple[Listing, tuple[str, ...]]:
        """Return the Hub's listing of a commit as the peer knows it, and the paths that it serves. Raises PeerError."""
        try:
            listing = Listing.from_json(self._document(f"hub/{repo.folder}/upstream/{commit}.json"))
            served = self._document(f"hub/{repo.folder}/rev/{commit}/info.blobs.json")["siblings"]
            paths = tuple(sorted(sibling["rfilename"] for sibling in served))
        except (KeyError, TypeError, AttributeError) as problem:
            raise PeerError(f"{self.endpoint}: {repo}@{commit[:12]} can't be understood: {problem!r}") from problem
        names = [listing.files[path].etag for path in paths if path in listing.files]
        fits = listing.commit == commit and len(names) == len(paths) and all(map(is_safe_path, paths))
        if not fits or not all(map(_ETAG.fullmatch, names)):
            raise PeerError(f"{self.endpoint}: what is said of {repo}@{commit[:12]} does not fit together")
        return listing, paths

    def wait_for(self, repo: Repo, commit: str, digest: str, seconds: float) -> str | None:
        """Wait until the peer serves a commit as it is here. Returns why it does not, None where it does.

        Once that was in vain nothing is waited for any more.
        """
        self._in_vain = self._in_vain or self._wait_for(repo, commit, digest, seconds)
        return self._in_vain

    def _wait_for(self, repo: Repo, commit: str, digest: str, seconds: float) -> str | None:
        clock = self.http.clock
        until = clock.monotonic() + seconds
        while True:
            try:
                piece = self.catalogue().pieces.get(repo)
            except StoppedError:  # it must not be published for that
                raise
            except MirrorError as problem:
                return f"published without the peer: {problem}"
            if piece and piece.commits.get(commit) == digest:
                return None
            if clock.monotonic() >= until:
                return f"published without the peer: {self.endpoint} did not have {repo} within {seconds:.0f} s"
            clock.sleep(_LOOK)

    def content_url(self, etag: str) -> str:
        """Return where a content is."""
        return f"{self.endpoint}/_peer/pool/{etag}"

    def _document(self, name: str) -> Any:
        url = f"{self.endpoint}/_peer/{name}"
        try:
            headers = {**self.headers(None), "Accept-Encoding": "identity"}
            # whoever asks asks again soon; a peer that is away must hold nobody up
            answer = self.http.open("GET", url, headers, attempts=1)
            text = answer.read(_LARGEST, decode_content=False)
            answer.release_conn()
        except (TransportError, OSError) as problem:
            raise PeerError(f"{self.endpoint} can't be reached: {problem}") from problem
        if answer.status != 200:
            # the plain port of a node with TLS
            moved = answer.headers.get("Location", "")
            is_tls = moved.startswith("https://")
            hint = f"give {origin_name(moved)} as the peer" if is_tls else "is this node among its peers?"
            raise PeerError(f"{url} answers {answer.status}: {hint}")
        try:
            return json.loads(text)
        except ValueError as problem:
            raise PeerError(f"{url} is no JSON: {problem}") from problem


def _check_names(catalogue: Catalogue) -> None:
    """Refuse names that would lead out of the store: whoever took the peer over must not write here what he likes."""
    refs: set[tuple[str, str, str]] = set()
    commits: set[str] = set()
    histories = {**catalogue.removed, **{repo: piece.history for repo, piece in catalogue.pieces.items()}}
    for repo, history in histories.items():
        refs.update((repo.repo_id, repo.repo_type, ref) for ref in history)
        commits.update(entry["commit"] for entries in history.values() for entry in entries if entry["commit"])
    for repo, piece in catalogue.pieces.items():
        refs.update((repo.repo_id, repo.repo_type, ref) for ref in piece.pending)
        commits.update(piece.commits, piece.pending.values())
    wrong = [commit for commit in commits if not _COMMIT.fullmatch(commit)]
    wrong += [etag for etag in catalogue.purged.contents if not _ETAG.fullmatch(etag)]
    if wrong:
        raise MirrorError(f"{wrong[0]!r} is no hash")
    entries = [{"repo_id": one, "repo_type": kind, "revision": ref} for one, kind, ref in sorted(refs)]
    views = [{key: entry[key] for key in ("repo_id", "repo_type", "views")} for entry in catalogue.views]
    for given in [*entries, *views]:
        parse([given])


class PeerSource(Source):
    """The peer's contents, by what they hash to."""

    def __init__(self, peer: Peer, clock: Clock) -> None:
        super().__init__(peer, clock)  # type: ignore[arg-type]
        self._peer = peer

    def body(self, action: Fetch, plain: bool = False) -> Body:
        """Return the bytes of a content, not asked for yet."""
        return _PeerBody(self, action, self._peer.content_url(action.file.etag))


class _PeerBody(HttpBody):
    def __init__(self, source: Source, action: Fetch, url: str) -> None:
        super().__init__(source, action)
        self._content = url

    def _url(self) -> str:
        return self._content
