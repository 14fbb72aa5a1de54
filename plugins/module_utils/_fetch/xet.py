# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Xet, the Hub's store of chunks, as another source of a file's bytes: hf_xet's, optional, used here alone.

hf_xet (seen in 1.8.0) does not compare what it reads with any hash, and where a piece is missing its stream may end as
though the file did. So bytes are counted here, and hashed by whoever takes them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import mktime_tz, parsedate_tz
from typing import Any, Callable
from urllib.parse import urljoin, urlsplit

from .._base.clock import StoppedError
from .body import FetchError
from .http import CONNECT_TIMEOUT, READ_TIMEOUT, Http, discard, is_web, origin, origin_name, reason

#: What the Hub calls itself in links, even behind an endpoint of another name.
_HOME = "https://huggingface.co/"
_HASH = re.compile(r"[0-9a-f]{64}")
_AUTH_LINK = re.compile(r'<([^<>]+)>[^<]*;\s*rel="?xet-auth"?(?![\w-])')
#: Seconds before its end at which a token is not used any more.
_MARGIN = 60
#: What hf_xet is told about a token's end: it would judge it by this host's clock.
_FAR_FUTURE = 1 << 40
#: Seconds in which a block must come: hf_xet notices silence by itself, but not a store that drips.
_STALL_SECONDS = 300
#: Where hf_xet's pauses between five attempts begin: half a minute in all (four minutes with its own 3 s).
_RETRY_DELAY = "2s"
_LOOK = 0.5  # seconds between two looks of the watchdog
_M_ARENA_MAX = -8  # glibc's malloc.h


class XetError(FetchError):
    """Xet gives no more bytes of a file; plain HTTP still may."""


@dataclass(frozen=True)
class XetFile:
    """A file in Xet: its Xet hash (not its SHA-256), its size, and where the Hub gives a token for it."""

    hash: str
    size: int
    refresh_url: str


def xet_file(headers: Mapping[str, str], size: int, endpoint: str) -> XetFile | None:
    """Return what the headers of a resolve answer say about Xet, or None where the file is not in Xet.

    None also where the token would come from another origin than ``endpoint``'s: the Hub's own must not go there.
    """
    found = _HASH.fullmatch(headers.get("X-Xet-Hash", ""))
    link = _AUTH_LINK.search(headers.get("Link", ""))
    route = link[1] if link else headers.get("X-Xet-Refresh-Route")
    if not found or not route:
        return None
    if route.startswith(_HOME):
        route = f"{endpoint.rstrip('/')}/{route[len(_HOME) :]}"
    try:
        url = urljoin(endpoint, route)
    except ValueError:
        return None
    is_same = is_web(url) and "@" not in urlsplit(url).netloc and origin(url) == origin(endpoint)
    return XetFile(found[0], size, url) if is_same else None


@dataclass(frozen=True)
class _Key:
    """What a token is for: the URL that gives it, asked with these headers."""

    url: str
    headers: frozenset[tuple[str, str]] = field(repr=False)


@dataclass(frozen=True)
class _Token:
    """What opens the store at ``url``, until ``end`` on the monotonic clock."""

    url: str
    secret: str = field(repr=False)
    end: float


@dataclass(eq=False)
class _Wait:
    """A stream that waits for a block since a moment; ``late`` once the watchdog has ended it."""

    group: Any
    since: float
    late: bool = False


class Xet:
    """Streams out of Xet: one object for a run, safe for its threads.

    Each stream holds about ``memory`` bytes that are on their way, no block is larger than that, and a stream shares
    nothing with others, so that one that stalls holds up no other. The Hub's tokens go to the Hub, never to hf_xet.
    ``judge`` raises MirrorError where nobody may ask the store that the Hub names.
    """

    def __init__(self, http: Http, memory: int = 8 << 20, judge: Callable[[str], None] = lambda _url: None) -> None:
        self._http, self._clock, self._judge = http, http.clock, judge
        self._hf_xet, self._config = _load(memory)
        self._folder = tempfile.TemporaryDirectory(prefix="hf-mirror-xet-")
        # nothing is kept there, but hf_xet insists on a folder, and the home directory may not be writable
        os.environ["HF_XET_CACHE"] = self._folder.name
        self._tokens: dict[_Key, _Token] = {}
        self._asking = threading.Lock()
        self._waits: set[_Wait] = set()
        self._waiting = threading.Lock()
        self._closed = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="xet-watchdog", daemon=True)
        self._watchdog.start()

    def close(self) -> None:
        """End what is still under way."""
        self._closed.set()
        self._watchdog.join()
        self._abort(self._clock.monotonic())
        self._folder.cleanup()

    def stream(self, file: XetFile, start: int, headers: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the bytes of a file in order, from ``start`` to its end; ``headers`` are for the Hub, with its token.

        Raises XetError where bytes are missing, for whatever reason. Whoever stops reading closes it.
        """
        key = _Key(file.refresh_url, frozenset(headers.items()))
        at = start
        while at < file.size:
            token = self._token(key)
            group = None
            try:
                group = self._hf_xet.XetSession(self._config).new_download_stream_group(
                    token.url, token.secret, _FAR_FUTURE
                )
                blocks = group.download_stream(self._hf_xet.XetFileInfo(file.hash, file.size), start=at)
                while at < file.size and self._clock.monotonic() < token.end:
                    block = self._next(group, blocks)
                    at += len(block)
                    yield block
            except StoppedError:
                raise
            except Exception as problem:  # hf_xet's errors have no common type
                self._forget(key, token)  # it may be the reason
                store = origin_name(token.url)
                text = f"the Xet store {store} gave {at} of {file.size} bytes of {file.hash}: {reason(problem)}"
                raise XetError(text, cause=f"the Xet store {store} does not give whole files") from problem
            finally:
                if group:
                    group.abort()

    def _next(self, group: Any, blocks: Iterator[bytes]) -> bytes:
        wait = _Wait(group, self._clock.monotonic())
        with self._waiting:
            self._waits.add(wait)
        try:
            self._check(wait)
            block = next(blocks, None)
        except Exception:
            self._check(wait)
            raise
        finally:
            with self._waiting:
                self._waits.discard(wait)
        if not block:
            # what the watchdog ended looks like the end of the file, too
            self._check(wait)
            raise EOFError("it ended the file there")
        return block

    def _check(self, wait: _Wait) -> None:
        self._clock.check()
        if self._closed.is_set():
            raise RuntimeError("no more is wanted")
        if wait.late:
            raise TimeoutError(f"no block came in {_STALL_SECONDS} seconds")

    def _watch(self) -> None:
        """End streams that wait for too long, and all when the run is to stop: nothing else reaches into hf_xet."""
        while not self._closed.wait(_LOOK):
            try:
                self._clock.check()
                self._abort(self._clock.monotonic() - _STALL_SECONDS)
            except StoppedError:
                self._abort(self._clock.monotonic())

    def _abort(self, since: float) -> None:
        with self._waiting:
            for wait in self._waits:
                if wait.since <= since:
                    wait.late = True
                    wait.group.abort()

    def _token(self, key: _Key) -> _Token:
        # one thread asks and the others wait for its answer: the Hub counts these requests
        with self._asking:
            token = self._tokens.get(key)
            if not token or self._clock.monotonic() >= token.end:
                token = self._tokens[key] = self._ask(key)
            return token

    def _forget(self, key: _Key, token: _Token) -> None:
        with self._asking:
            if self._tokens.get(key) is token:
                del self._tokens[key]

    def _ask(self, key: _Key) -> _Token:
        answer = self._http.open("GET", key.url, dict(key.headers), bucket="api")
        discard(answer)
        asked = parsedate_tz(answer.headers.get("Date", ""))
        try:
            url, secret = answer.headers["X-Xet-Cas-Url"], answer.headers["X-Xet-Access-Token"]
            # by the Hub's own clock: this host's may be wrong
            left = int(answer.headers["X-Xet-Token-Expiration"]) - (mktime_tz(asked) if asked else self._clock.now())
        except (KeyError, ValueError, OverflowError):
            left = 0
        if answer.status != 200 or left <= 0:
            raise XetError(f"{origin_name(key.url)} gives no token for its Xet store ({answer.status})")
        self._judge(url)
        return _Token(url, secret, self._clock.monotonic() + left - min(_MARGIN, left / 2))


def _load(memory: int) -> tuple[Any, Any]:
    """Return hf_xet and a configuration for it. It is imported this late because it opens its log at once."""
    os.environ.setdefault("HF_XET_LOG_DEST", os.devnull)  # else a file in the home directory, one each time
    os.environ.setdefault("TOKIO_WORKER_THREADS", "2")  # else one for each processor, for each stream
    with contextlib.suppress(AttributeError):  # another C library
        # else each of hf_xet's threads keeps what it has freed: measured, half of the memory in use
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
    try:
        import hf_xet

        return hf_xet, hf_xet.XetConfig().with_config(
            {
                # a block is what is asked for at once, the last up to twice as much; else it is a xorb, of up to 64 MB
                "reconstruction.min_reconstruction_fetch_size": memory // 2,
                "reconstruction.max_reconstruction_fetch_size": memory // 2,
                "reconstruction.min_prefetch_buffer": memory,
                "reconstruction.download_buffer_size": memory,
                "reconstruction.download_buffer_perfile_size": 0,
                "reconstruction.download_buffer_limit": memory,
                "client.connect_timeout": f"{CONNECT_TIMEOUT}s",
                "client.read_timeout": f"{READ_TIMEOUT}s",
                "client.retry_base_delay": _RETRY_DELAY,
                "telemetry.enabled": False,
            }
        )
    except Exception as problem:  # it is missing, or another version with other names
        raise XetError(f"hf_xet can't be used ({reason(problem)}): install hf_xet 1.8.0 or go without Xet") from problem
