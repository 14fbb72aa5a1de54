# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP over urllib3: one pool for all threads, retries that can be stopped, and the Hub's limits obeyed.

Redirects are left to the caller: a token must not follow them to another origin. Where urllib3 is not to be had, a pool
that answers as its pools do is passed in.
"""

from __future__ import annotations

import contextlib
import copy
import http.client
import os
import random
import re
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Callable
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from .._base.address import proxy_problem
from .._base.clock import Clock
from .._base.errors import MirrorError
from .._base.limits import HEADER_SECONDS
from .._base.names import clean, shown
from .._base.rate_limit import BandwidthLimit, RateLimits

#: What a pool and its answers raise when the network fails.
NETWORK_ERRORS: tuple[type[Exception], ...] = (OSError, http.client.HTTPException)
#: Those among them that come of a connection that was made.
_SILENCE: tuple[type[Exception], ...] = (ConnectionResetError, BrokenPipeError, http.client.HTTPException)

try:
    import urllib3
except ImportError:
    URLLIB3_ERROR: str | None = traceback.format_exc()
else:
    URLLIB3_ERROR = None
    NETWORK_ERRORS += (urllib3.exceptions.HTTPError,)
    _SILENCE += (urllib3.exceptions.ProtocolError, urllib3.exceptions.ReadTimeoutError)

Judge = Callable[[str, "int | None", str], None]

_ATTEMPTS = 5
_REFUSALS = 12
_TRANSIENT = (500, 502, 503, 504)
#: Seconds in which a connection must be made, and in which something must arrive.
CONNECT_TIMEOUT, READ_TIMEOUT = 10, 30
_LENGTH = re.compile("[0-9]{1,18}")
#: Seconds for what is left of an answer that nobody wants.
_DISCARD_SECONDS = 5


class TransportError(MirrorError):
    """No answer came that means anything."""


class UnreachableError(TransportError):
    """No answer came at all. ``where`` is who gave none, as ``origin_name`` writes it."""

    def __init__(self, text: str, where: str) -> None:
        super().__init__(text)
        self.where = where


class SilentError(TransportError):
    """A connection was made, and no answer came. It may be one repository's trouble alone."""


class SlowError(TransportError):
    """An answer did not begin in time, and may be one repository's trouble alone: others may be answered at once."""


class LimitedError(MirrorError):
    """Whoever is asked wants to be asked later, in so many ``seconds``."""

    def __init__(self, where: str, seconds: float) -> None:
        super().__init__(f"{where} limits how often it may be asked")
        self.seconds = seconds


class Haste(Enum):
    """How much who asks would wait: with another one to ask, or only so that nobody is left out."""

    NONE = "limits are waited for, and failures tried again"
    SOME = "LimitedError is raised instead of a wait for a limit"
    MOST = "and what fails is not tried again"


class Http:
    """Requests for all threads of a run, over ``pool``. What comes in is counted by each of the ``limiters``."""

    def __init__(self, clock: Clock, pool: Any = None, limiters: Sequence[BandwidthLimit] = ()) -> None:
        self.clock = clock
        self.rate_limits = RateLimits(clock)
        self._limiters = limiters
        self._haste = Haste.NONE
        #: Called for each answer: listings may take as long as a run may be without progress.
        self.move: Callable[[], None] = lambda: None
        self._pool = pool or Pools()

    def hasty(self, haste: Haste) -> Http:
        """Return the same for who would not wait."""
        other = copy.copy(self)
        other._haste = haste
        return other

    @property
    def attempts(self) -> int:
        """Return how often a request is sent that fails."""
        return 1 if self._haste is Haste.MOST else _ATTEMPTS

    def count(self, received: int) -> None:
        """Account for bytes that came in, and wait where they came too early."""
        for limiter in self._limiters:
            limiter.take(received)

    def open(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        bucket: str | None = None,
        attempts: int | None = None,
    ) -> Any:
        """Send a request and return urllib3's answer, its body unread; whoever gets it closes it.

        ``bucket`` names the Hub's limit that the request counts against. Answers that pass by themselves (5xx) are
        tried again, 429 is waited for, unless ``attempts`` is one. Raises TransportError when nothing helps.
        """
        attempts = attempts or self.attempts
        waits = attempts > 1 or self._haste is Haste.MOST
        failures = refusals = 0
        while True:
            self.clock.check()
            if bucket:
                self._wait(bucket, url)
            try:
                answer = self._pool.request(method, url, headers=headers, preload_content=False, redirect=False)
            except NETWORK_ERRORS as error:
                failures += 1
                if failures >= attempts:
                    raise _no_answer(url, error) from error
                self.backoff(failures)
                continue
            self.move()
            if bucket:
                self.rate_limits.note(answer.headers)
            if answer.status == 429 and refusals < _REFUSALS and waits:
                refusals += 1
                discard(answer)
                self.rate_limits.refused(bucket or origin_name(url), answer.headers, refusals)
                self._wait(bucket or origin_name(url), url)
            elif answer.status in _TRANSIENT and failures + 1 < attempts:
                failures += 1
                discard(answer)
                self.backoff(failures)
            else:
                return answer

    def _wait(self, bucket: str, url: str) -> None:
        """Wait until requests of a kind are let through."""
        seconds = 0 if self._haste is Haste.NONE else self.rate_limits.left(bucket)
        if seconds > 0:
            raise LimitedError(origin_name(url), seconds)
        self.rate_limits.wait(bucket)

    def backoff(self, attempt: int) -> None:
        """Wait before another attempt: longer each time, and not all threads at the same moment."""
        self.clock.sleep(min(0.5 * 2.0 ** (attempt - 1), 30) * random.uniform(0.5, 1.5))  # noqa: S311 - no secret


class Pools:
    """urllib3's pools of connections: one for those that are made directly, one for each proxy.

    ``proxies`` has their URLs by scheme, as ``proxies_of`` returns them. Where a connection is made directly ``judge``
    gets host, port and address before anything is sent, and raises where nobody may go; what is behind a proxy is the
    proxy's business. An answer has ``header_seconds`` to begin.
    """

    def __init__(
        self,
        proxies: Mapping[str, str] | None = None,
        judge: Judge | None = None,
        connections: int = 32,
        header_seconds: float | None = None,
    ) -> None:
        self._proxies = dict(proxies or {})
        self._options: dict[str, Any] = {
            "maxsize": connections,
            "retries": False,
            "timeout": urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
            # the system's trust store, so that a private CA installed by the operator counts
            "ssl_context": ssl.create_default_context(),
        }
        self._seconds = HEADER_SECONDS if header_seconds is None else header_seconds
        self._direct = urllib3.PoolManager(**self._options)
        self._direct.pool_classes_by_scheme = _pools(self._seconds, judge)
        self._by_proxy = {url: self._manager(url) for scheme, url in self._proxies.items() if scheme != "no"}

    def _manager(self, proxy: str) -> Any:
        # urllib3 takes no user of a URL, and would show a password in its errors
        user, _at, host = urlsplit(proxy).netloc.rpartition("@")
        headers = urllib3.make_headers(proxy_basic_auth=unquote(user)) if user else None
        try:
            manager = urllib3.ProxyManager(f"{urlsplit(proxy).scheme}://{host}", proxy_headers=headers, **self._options)
            manager.pool_classes_by_scheme = _pools(self._seconds)
            return manager
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
    known = getproxies()
    found = {"no": known["no"]} if "no" in known else {}
    for scheme in ("http", "https"):
        name = scheme if scheme in known else "all"
        if name in known:
            problem = proxy_problem(known[name])
            if problem:
                raise MirrorError(f"the environment's {name}_proxy {problem}")
            found[scheme] = known[name]
    return found


def leave_to_environment(proxies: Mapping[str, str]) -> None:
    """Have a library that asks the environment alone, for any spelling of a name, find these proxies and no others."""
    for name in [name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")]:
        del os.environ[name]
    os.environ.update({f"{scheme}_proxy": url for scheme, url in proxies.items()})


def proxy_for(url: str, proxies: Mapping[str, str]) -> str | None:
    """Return the proxy for a URL, None where the connection is made directly."""
    parts = urlsplit(url)
    proxy = proxies.get(parts.scheme)
    return None if not proxy or proxy_bypass(parts.hostname or "", proxies) else proxy


def _pools(header_seconds: float, judge: Judge | None = None) -> dict[str, Any]:
    """Return pools of connections that show their address before anything is sent, and whose answers begin in time."""

    class Bounded:
        def _new_conn(self: Any) -> Any:
            sock = super()._new_conn()  # type: ignore[misc]
            try:
                if judge:
                    judge(self.host, self.port, sock.getpeername()[0])
            except BaseException:
                sock.close()
                raise
            return sock

        def getresponse(self: Any, *arguments: Any, **options: Any) -> Any:
            with begun_in_time(self.sock, self.host, header_seconds):
                return super().getresponse(*arguments, **options)  # type: ignore[misc]

    http_connection = type("BoundedHTTPConnection", (Bounded, urllib3.connection.HTTPConnection), {})
    https_connection = type("BoundedHTTPSConnection", (Bounded, urllib3.connection.HTTPSConnection), {})
    return {
        "http": type("BoundedHTTPPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": http_connection}),
        "https": type("BoundedHTTPSPool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": https_connection}),
    }


def unreachable(url: str, error: BaseException) -> UnreachableError:
    """Return what to say when an origin gives no answer."""
    where = origin_name(url)
    return UnreachableError(f"{where} can't be reached: {reason(error)}", where)


def is_unreachable(problem: TransportError, endpoint: str) -> bool:
    """Say whether no connection to an endpoint itself was made: whatever it is asked, nobody is there."""
    return isinstance(problem, UnreachableError) and problem.where == origin_name(endpoint)


def _no_answer(url: str, error: BaseException) -> TransportError:
    """Return what to say when no answer came, whoever is to blame."""
    if isinstance(error, _SILENCE):
        return SilentError(f"{origin_name(url)} gives no answer: {reason(error)}")
    return unreachable(url, error)


#: As repr writes one that is an argument of an error: another address each time, so that the same would be told again.
_OBJECT = re.compile(r"<[^<>]* at 0x[0-9a-f]+>, ")


def reason(error: BaseException) -> str:
    """Return the first line of a library's error without the addresses of its objects."""
    lines = _OBJECT.sub("", str(error)).strip().splitlines()
    return f"{type(error).__name__}: {clean(lines[0].rpartition('>: ')[2])}" if lines else type(error).__name__


def discard(answer: Any) -> None:
    """Read a short body away so that the connection can be used again; drop the connection under a long or slow one."""
    length = content_length(answer)
    if length is not None and length <= 1 << 16:
        until = time.monotonic() + _DISCARD_SECONDS
        with contextlib.suppress(*NETWORK_ERRORS):
            while answer.read1(1 << 16, decode_content=False):
                if time.monotonic() > until:
                    break
            else:
                answer.release_conn()
                return
    answer.close()


@contextlib.contextmanager
def begun_in_time(sock: Any, where: str, seconds: float) -> Iterator[None]:
    """Cut a connection whose answer has not begun when the time is over: one that drips runs into no socket's timeout.

    ``where`` is the host, for the message. Raises SlowError.
    """
    late = threading.Event()

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    problem: Exception | None = None
    try:
        yield
    except Exception as error:
        problem = error
    finally:
        timer.cancel()
    if late.is_set():  # the end of a connection looks like that of the headers, too
        raise SlowError(f"{where} did not begin its answer in {seconds:.0f} seconds") from problem
    if problem:
        raise problem


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
    if not is_web(moved) or "@" in urlsplit(moved).netloc:
        raise http.client.InvalidURL(f"{origin_name(url)} redirects to {shown(told)}")
    return moved


def is_web(url: str) -> bool:
    """Tell whether a URL can be asked, and means the same to all who read it.

    What makes the connection ends a host at a backslash, where ``urlsplit`` goes on.
    """
    if "\\" in url or any(one <= " " or one == "\x7f" for one in url):
        return False
    try:
        scheme, host, _port = origin(url)
    except ValueError:
        return False
    return scheme in ("http", "https") and bool(host) and str(host).isascii()


def origin_name(url: str) -> str:
    """Return scheme and host of a URL, without a user or password."""
    parts = urlsplit(url)
    return clean(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return what makes two URLs of one origin."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
