# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other node of a pair: its catalogue, its listings, its bytes, as its nginx serves them below ``/_peer/``."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import threading
from typing import Any

from .._base.clock import Clock, StoppedError
from .._base.errors import MirrorError
from .._base.limits import PEER_CATALOGUE_SECONDS, PEER_DIGEST_SECONDS, PEER_HEADER_SECONDS
from .._base.names import Commit, NameProblem, RepoPath, shown
from .._border.listing import listing_of, served_of
from .._plan.facts import Listing, Repo
from .._plan.plan import Fetch
from .._store.catalogue import CATALOGUE, DIGEST, Catalogue
from .._store.node_state import NODE, NodeState
from .answer import PLAIN, document
from .http import NETWORK_ERRORS, Http, Pools, TransportError, UnreachableError, discard, is_web, origin_name, reason

_SHA256 = re.compile("[0-9a-f]{64}")
#: Seconds after which all of a catalogue is read again: an older version may write it without its digest.
_LONGEST = 600.0
_LOOK = 1.0  # seconds between two looks whether the peer has something


class PeerError(MirrorError):
    """The peer gives no answer that means anything."""


class AbsentError(PeerError):
    """The peer has no such document, or does not know who asks."""


def peer_at(url: str, clock: Clock) -> Peer:
    """Return the node at a URL. The proxy, and the limit of the line, are for the Hub."""
    return Peer(url, Http(clock, Pools(header_seconds=PEER_HEADER_SECONDS)))


class Peer:
    """A node at a URL such as ``https://mirror-2.example.org``."""

    redirects = False

    def __init__(self, url: str, http: Http) -> None:
        if not is_web(url):
            raise MirrorError(f"peer {shown(url)} is no http:// or https:// URL")
        self.endpoint, self.http = url.rstrip("/"), http
        self.told = ""
        self._known: Catalogue | None = None
        self._looked = self._read = 0.0
        self._failed: tuple[float, MirrorError] | None = None
        self._asking = threading.RLock()
        self._in_vain: str | None = None

    def headers(self, _token: str | None) -> dict[str, str]:
        """Return the headers of a request."""
        return {"User-Agent": "hf-mirror"}

    def catalogue(self, seconds: float = PEER_CATALOGUE_SECONDS) -> Catalogue:
        """Return what it has, in so many seconds at most; ``told`` changes when that does. Raises PeerError.

        All of it is asked for only where its digest says that it changed.
        """
        with self._asking:
            digest = self._digest(min(seconds, PEER_DIGEST_SECONDS))
            clock = self.http.clock
            is_old = clock.monotonic() - self._read > _LONGEST
            if self._known is None or digest is None or digest != self.told or is_old:
                value = self._document(CATALOGUE, min(seconds, PEER_CATALOGUE_SECONDS))
                try:
                    self._known = Catalogue.from_json(value)
                except NameProblem as problem:
                    self._known = None
                    raise PeerError(f"{self.endpoint}: its catalogue can't be right: {problem}") from None
                # of one that was written in between the older digest is known, and it is asked for again
                self._read = clock.monotonic()
                self.told = digest or hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
            self._looked = clock.monotonic()
            return self._known

    def node(self) -> NodeState | None:
        """Return what it says that it is: None where it does not say, as an older version. Raises PeerError."""
        try:
            return NodeState.from_json(self._document(NODE, PEER_DIGEST_SECONDS))
        except AbsentError:
            return None
        except NameProblem as problem:
            raise PeerError(f"{self.endpoint}: what it says of itself can't be right: {problem}") from None

    def _digest(self, seconds: float) -> str | None:
        """Return what its catalogue hashes to, None where it does not say: an older version has no such document."""
        try:
            value = self._document(DIGEST, seconds)
        except AbsentError:
            return None
        return value if isinstance(value, str) and _SHA256.fullmatch(value) else None

    def _recent(self, seconds: float) -> Catalogue:
        """Return what it had a moment ago: of all threads that wait one asks."""
        with self._asking:
            now = self.http.clock.monotonic()
            if self._failed and now - self._failed[0] < PEER_HEADER_SECONDS:
                raise self._failed[1]
            if self._known and now - self._looked < _LOOK:
                return self._known
            try:
                return self.catalogue(seconds)
            except MirrorError as problem:
                # whoever waited for this look must not make one of his own, and wait as long again
                self._failed = self.http.clock.monotonic(), problem
                raise

    def listing(self, repo: Repo, commit: Commit) -> tuple[Listing, tuple[RepoPath, ...]]:
        """Return the Hub's listing of a commit as the peer knows it, and the paths that it serves. Raises PeerError."""
        try:
            told = listing_of(self._document(f"hub/{repo.folder}/upstream/{commit}.json"))
            listing = dataclasses.replace(told, teller="")  # of what upstreams say this node takes no peer's word
            served = served_of(self._document(f"hub/{repo.folder}/rev/{commit}/info.blobs.json"))
        except NameProblem as problem:
            raise PeerError(f"{self.endpoint}: its listing of {repo}@{commit[:12]} is invalid: {problem}") from None
        fits = listing.commit == commit and all(
            path in listing.files and (listing.files[path].etag, listing.files[path].size) == content
            for path, content in served.items()
        )
        if not fits:
            raise PeerError(f"{self.endpoint}: its listings of {repo}@{commit[:12]} contradict each other")
        return listing, tuple(sorted(served))

    def wait_for(self, repo: Repo, commit: Commit, digest: str, seconds: float) -> str | None:
        """Wait until the peer serves a commit as it is here. Returns why it does not, None where it does.

        Once that was in vain nothing is waited for any more.
        """
        self._in_vain = self._in_vain or self._wait_for(repo, commit, digest, seconds)
        return self._in_vain

    def _wait_for(self, repo: Repo, commit: Commit, digest: str, seconds: float) -> str | None:
        clock = self.http.clock
        until = clock.monotonic() + seconds
        while True:
            try:
                piece = self._recent(max(until - clock.monotonic(), _LOOK)).pieces.get(repo)
            except StoppedError:  # it must not be published for that
                raise
            except MirrorError as problem:
                return f"published without a peer: {problem}"
            if piece and piece.commits.get(commit) == digest:
                return None
            if clock.monotonic() >= until:
                return f"published without a peer: {self.endpoint} did not have {repo} in time (peer_wait)"
            clock.sleep(_LOOK)

    def url_of(self, action: Fetch) -> str:
        """Return where a content is, whatever it is called."""
        return f"{self.endpoint}/_peer/pool/{action.file.etag}"

    def _document(self, name: str, seconds: float | None = None) -> Any:
        url = f"{self.endpoint}/_peer/{name}"
        try:
            # whoever asks asks again soon; a peer that is away must hold nobody up
            answer = self.http.open("GET", url, {**self.headers(None), **PLAIN}, attempts=1)
            if answer.status == 200:
                return document(answer, self.http.clock, seconds)
        except UnreachableError as away:
            raise PeerError(str(away)) from None
        except TransportError as problem:
            raise PeerError(f"{self.endpoint} can't be reached: {problem}") from None
        except NETWORK_ERRORS as error:
            raise PeerError(f"{url} broke off: {reason(error)}") from error
        except NameProblem as problem:
            raise PeerError(f"{url}: {problem}") from None
        discard(answer)
        # the plain port of a node with TLS
        moved = answer.headers.get("Location", "")
        is_tls = moved.startswith("https://") and is_web(moved)
        hint = "has it synced yet, and is this node among its peers (mirror_nginx_peers)?"
        hint = f"set {origin_name(moved)} as the peer" if is_tls else hint
        kind = AbsentError if answer.status == 404 else PeerError
        raise kind(f"{url} answers {answer.status}: {hint}")
