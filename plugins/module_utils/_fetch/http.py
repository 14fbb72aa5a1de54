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
from typing import Any, Callable
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from .._base.clock import Clock
from .._base.errors import MirrorError
from .._base.gate import Gate, Limiter
from .._base.names import clean, shown

#: What a pool and its answers raise when the network fails.
NETWORK_ERRORS: tuple[type[Exception], ...] = (OSError, http.client.HTTPException)

try:
    import urllib3
except ImportError:
    URLLIB3_ERROR: str | None = traceback.format_exc()
else:
    URLLIB3_ERROR = None
    NETWORK_ERRORS += (urllib3.exceptions.HTTPError,)

Judge = Callable[[str, "int | None", str], None]

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
    """Requests for all threads of a run, over ``pool``. ``limit`` is in bytes a second, 0 for none."""

    def __init__(self, clock: Clock, pool: Any = None, limit: int = 0) -> None:
        self.clock = clock
        self.gate = Gate(clock)
        self.limiter = Limiter(limit, clock)
        #: Called for each answer: listings may take as long as a run may be without progress.
        self.move: Callable[[], None] = lambda: None
        self._pool = pool or Pools()

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
            self.move()
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


class Pools:
    """urllib3's pools of connections: one for those that are made directly, one for each proxy.

    ``proxies`` has their URLs by scheme, as ``proxies_of`` returns them. Where a connection is made directly ``judge``
    gets host, port and address before anything is sent, and raises where nobody may go; what is behind a proxy is the
    proxy's business.
    """

    def __init__(
        self, proxies: Mapping[str, str] | None = None, judge: Judge | None = None, connections: int = 32
    ) -> None:
        self._proxies = dict(proxies or {})
        self._options: dict[str, Any] = {
            "maxsize": connections,
            "retries": False,
            "timeout": urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
            # the system's trust store, so that a private CA installed by the operator counts
            "ssl_context": ssl.create_default_context(),
        }
        self._direct = urllib3.PoolManager(**self._options)
        if judge:
            self._direct.pool_classes_by_scheme = _judged_by(judge)
        self._by_proxy = {url: self._manager(url) for scheme, url in self._proxies.items() if scheme != "no"}

    def _manager(self, proxy: str) -> Any:
        # urllib3 takes no user of a URL, and would show a password in its errors
        user, _at, host = urlsplit(proxy).netloc.rpartition("@")
        headers = urllib3.make_headers(proxy_basic_auth=unquote(user)) if user else None
        try:
            return urllib3.ProxyManager(f"{urlsplit(proxy).scheme}://{host}", proxy_headers=headers, **self._options)
        except (urllib3.exceptions.HTTPError, ValueError):
            raise MirrorError("the proxy must be an http:// or https:// URL") from None

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Send a request and return the answer."""
        proxy = proxy_for(url, self._proxies)
        return (self._by_proxy[proxy] if proxy else self._direct).request(method, url, **options)


def proxies_of(proxy: str | None) -> dict[str, str]:
    """Return the proxies for requests to the Hub: the one that is given, else the environment's."""
    if proxy:
        return {"http": proxy, "https": proxy}
    return {scheme: url for scheme, url in getproxies().items() if scheme in ("http", "https", "no")}


def proxy_for(url: str, proxies: Mapping[str, str]) -> str | None:
    """Return the proxy for a URL, None where the connection is made directly."""
    parts = urlsplit(url)
    proxy = proxies.get(parts.scheme)
    return None if not proxy or proxy_bypass(parts.hostname or "", proxies) else proxy


def _judged_by(judge: Judge) -> dict[str, Any]:
    """Return pools whose connections show their address before anything is sent."""

    class Judged:
        def _new_conn(self: Any) -> Any:
            sock = super()._new_conn()  # type: ignore[misc]
            try:
                judge(self.host, self.port, sock.getpeername()[0])
            except BaseException:
                sock.close()
                raise
            return sock

    http_connection = type("JudgedHTTPConnection", (Judged, urllib3.connection.HTTPConnection), {})
    https_connection = type("JudgedHTTPSConnection", (Judged, urllib3.connection.HTTPSConnection), {})
    return {
        "http": type("JudgedHTTPPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": http_connection}),
        "https": type("JudgedHTTPSPool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": https_connection}),
    }


def unreachable(url: str, error: BaseException) -> UnreachableError:
    """Return what to say when an origin gives no answer."""
    where = origin_name(url)
    return UnreachableError(f"{where} can't be reached: {reason(error)}", where)


def reason(error: BaseException) -> str:
    """Return the first line of a library's error without the addresses of its objects."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {clean(lines[0].rpartition('>: ')[2])}" if lines else type(error).__name__


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
        raise http.client.InvalidURL(f"{origin_name(url)} sends to {shown(told)}")
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
    return clean(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return what makes two URLs of one origin."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
