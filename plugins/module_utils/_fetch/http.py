# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP over urllib3: one pool for all threads, retries that can be stopped, and the Hub's limits obeyed.

Redirects are left to the caller: a token must not follow them to another origin. Where urllib3 is not to be had, a pool
that answers as its pools do is passed in.
"""

from __future__ import annotations

import http.client
import random
import re
import ssl
import traceback
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from .._base.clock import Clock
from .._base.errors import MirrorError
from .._base.gate import Gate, Limiter

#: What a pool and its answers raise when the network fails.
NETWORK_ERRORS: tuple[type[Exception], ...] = (OSError, http.client.HTTPException)

try:
    import urllib3
except ImportError:
    URLLIB3_ERROR: str | None = traceback.format_exc()
else:
    URLLIB3_ERROR = None
    NETWORK_ERRORS += (urllib3.exceptions.HTTPError,)

_ATTEMPTS = 5
_REFUSALS = 12
_TRANSIENT = (500, 502, 503, 504)
#: Seconds in which a connection must be made, and in which something must arrive.
CONNECT_TIMEOUT, READ_TIMEOUT = 10, 30
_LENGTH = re.compile("[0-9]{1,18}")


class TransportError(MirrorError):
    """No answer came that means anything."""


class UnreachableError(TransportError):
    """No answer came at all. ``where`` is who gave none, as ``origin_name`` writes it."""

    def __init__(self, text: str, where: str) -> None:
        super().__init__(text)
        self.where = where


class Http:
    """Requests for all threads of a run, over ``pool`` (``pool_of``). ``limit`` is in bytes a second, 0 for none."""

    def __init__(
        self, clock: Clock, proxy: str | None = None, connections: int = 32, limit: int = 0, pool: Any = None
    ) -> None:
        self.clock = clock
        self.gate = Gate(clock)
        self.limiter = Limiter(limit, clock)
        self._pool = pool or pool_of(proxy, connections)

    def open(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        bucket: str | None = None,
        attempts: int = _ATTEMPTS,
    ) -> Any:
        """Send a request and return urllib3's answer, its body unread; whoever gets it closes it.

        ``bucket`` names the Hub's limit that the request counts against. Answers that pass by themselves (5xx) are
        tried again, 429 is waited for. Raises TransportError when nothing helps.
        """
        failures = refusals = 0
        while True:
            self.clock.check()
            if bucket:
                self.gate.wait(bucket)
            try:
                answer = self._pool.request(method, url, headers=headers, preload_content=False, redirect=False)
            except NETWORK_ERRORS as error:
                failures += 1
                if failures >= attempts:
                    raise unreachable(url, error) from error
                self.backoff(failures)
                continue
            if bucket:
                self.gate.note(answer.headers)
            if answer.status == 429 and refusals < _REFUSALS:
                refusals += 1
                discard(answer)
                self.gate.refused(bucket or origin_name(url), answer.headers, refusals)
                self.gate.wait(bucket or origin_name(url))
            elif answer.status in _TRANSIENT and failures + 1 < attempts:
                failures += 1
                discard(answer)
                self.backoff(failures)
            else:
                return answer

    def backoff(self, attempt: int) -> None:
        """Wait before another attempt: longer each time, and not all threads at the same moment."""
        self.clock.sleep(min(0.5 * 2.0 ** (attempt - 1), 30) * random.uniform(0.5, 1.5))  # noqa: S311 - no secret


def pool_of(proxy: str | None, connections: int) -> Any:
    """Return urllib3's pool of connections."""
    options: dict[str, Any] = {
        "maxsize": connections,
        "retries": False,
        "timeout": urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
        # the system's trust store, so that a private CA installed by the operator counts
        "ssl_context": ssl.create_default_context(),
    }
    if not proxy:
        return urllib3.PoolManager(**options)
    parts = urlsplit(proxy)
    if parts.username is not None:
        # urllib3 takes none of a URL, and would show it in its errors
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=user)
    return urllib3.ProxyManager(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", **options)


def unreachable(url: str, error: BaseException) -> UnreachableError:
    """Return what to say when an origin gives no answer."""
    where = origin_name(url)
    return UnreachableError(f"{where} can't be reached: {reason(error)}", where)


def reason(error: BaseException) -> str:
    """Return the first line of a library's error without the addresses of its objects."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rpartition('>: ')[2]}" if lines else type(error).__name__


def discard(answer: Any) -> None:
    """Read a short body away so that the connection can be used again; drop the connection under a long one."""
    length = content_length(answer)
    if length is not None and length <= 1 << 16:
        answer.drain_conn()
        answer.release_conn()
    else:
        answer.close()


def content_length(answer: Any) -> int | None:
    """Return how many bytes an answer promises, None where it says nothing that can be understood."""
    told = answer.headers.get("Content-Length", "")
    return int(told) if _LENGTH.fullmatch(told) else None


def moved_to(url: str, answer: Any) -> str:
    """Return where the answer of a URL sends. Raises one of NETWORK_ERRORS where nobody can go there."""
    told: str = answer.headers.get("Location", "")
    try:
        moved = urljoin(url, told)
    except ValueError:
        moved = ""
    if not is_web(moved):
        raise http.client.InvalidURL(f"{origin_name(url)} sends to {told[:100]!r}")
    return moved


def is_web(url: str) -> bool:
    """Tell whether a URL can be asked."""
    try:
        scheme, host, _port = origin(url)
    except ValueError:
        return False
    return scheme in ("http", "https") and bool(host)


def origin_name(url: str) -> str:
    """Return scheme and host of a URL, without a user or password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return what makes two URLs of one origin."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
