# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections of the standard library: a host with FaceFusion has no urllib3 that its own Python could import.

As much of urllib3's pools and answers as the fetches ask of them (``_fetch.http.Http``). The environment's proxies are
obeyed, as FaceFusion's own downloads by curl obey them: ``http_proxy``, ``https_proxy``, ``all_proxy``, ``no_proxy``.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from .._base.limits import HEADER_SECONDS
from .._fetch.http import Judge, begun_in_time, origin

Connection = http.client.HTTPConnection


@dataclass(frozen=True)
class Proxy:
    """Who passes requests on; ``headers`` are for it alone."""

    host: str
    port: int
    headers: Mapping[str, str] = field(repr=False)

    def __str__(self) -> str:
        return f"the proxy {self.host}:{self.port}"

    @classmethod
    def to(cls, where: tuple[str, str | None, int | None]) -> Proxy | None:
        """Return the environment's for an origin, None where it is asked directly."""
        scheme, host, port = where
        known = getproxies()
        told = known.get(scheme) or known.get("all")
        if not told or proxy_bypass(f"{host}:{port}"):
            return None
        parts = urlsplit(told if "://" in told else f"http://{told}")
        if parts.scheme != "http" or not parts.hostname:
            raise http.client.InvalidURL(f"the environment's proxy for {scheme}:// is no http:// URL")
        headers = {}
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Proxy-Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return cls(parts.hostname, parts.port or 80, headers)


class Connections:
    """Connections for all threads of a run; ``contexts`` has the TLS settings of origins that have some of their own.

    ``timeout`` is in seconds: for making a connection, and for the next bytes to come. ``judge`` is ``Pools``' own.
    """

    def __init__(
        self, timeout: float, contexts: Mapping[Any, ssl.SSLContext] | None = None, judge: Judge | None = None
    ) -> None:
        self._timeout, self._contexts, self._judge = timeout, dict(contexts or {}), judge
        self._public = ssl.create_default_context()
        self._lock = threading.Lock()
        self._idle: dict[Any, list[Connection]] = {}

    def request(self, method: str, url: str, headers: Mapping[str, str], **_urllib3: Any) -> Answer:
        """Send a request and return the answer, its body unread. Follows no redirect and tries nothing again."""
        try:
            return self._request(method, url, headers)
        except OSError:  # a certificate that nobody knows is a ValueError, too
            raise
        except ValueError as problem:
            raise http.client.InvalidURL(str(problem)) from problem

    def _request(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        where, parts = origin(url), urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        proxy = Proxy.to(where)
        sent = dict(headers)
        if proxy and parts.scheme == "http":
            target, sent = f"http://{parts.netloc.rpartition('@')[2]}{target}", {**sent, **proxy.headers}
        while True:
            connection, is_used = self._take(where, proxy)
            try:
                self._connect(connection, proxy)
                connection.request(method, target, headers=sent)
                with begun_in_time(connection.sock, str(where[1]), HEADER_SECONDS):
                    response = connection.getresponse()
                return Answer(response, connection, partial(self._give_back, where, connection))
            except ConnectionError:
                connection.close()
                # the server may have closed a connection that nobody used for a while
                if not is_used:
                    raise
            except BaseException:
                connection.close()
                raise

    def _connect(self, connection: Connection, proxy: Proxy | None) -> None:
        """Connect, where nothing speaks against the address, or say that it is the proxy who can't be reached."""
        if connection.sock:
            return
        try:
            connection.connect()
        except (ConnectionError, socket.gaierror, socket.timeout) as problem:
            if not proxy:
                raise
            raise ConnectionError(f"{proxy}: {problem}") from problem
        if not proxy and self._judge:
            self._judge(connection.host, connection.port, connection.sock.getpeername()[0])

    def _take(self, where: Any, proxy: Proxy | None) -> tuple[Connection, bool]:
        with self._lock:
            idle = self._idle.get(where)
            if idle:
                return idle.pop(), True
        scheme, host, port = where
        name, door = (proxy.host, proxy.port) if proxy else (host, port)
        if scheme != "https":
            return Connection(name, door, timeout=self._timeout), False
        context = self._contexts.get(where, self._public)
        secure = http.client.HTTPSConnection(name, door, timeout=self._timeout, context=context)
        if proxy:
            secure.set_tunnel(host, port, dict(proxy.headers))
        return secure, False

    def _give_back(self, where: Any, connection: Connection) -> None:
        with self._lock:
            self._idle.setdefault(where, []).append(connection)


class Answer:
    """A status, headers, and a body that is read piece by piece."""

    def __init__(self, response: http.client.HTTPResponse, connection: Connection, keep: Callable[[], None]) -> None:
        self._response, self._connection, self._keep = response, connection, keep
        self.status, self.headers = response.status, response.headers
        self.closed = False

    def read1(self, amount: int, **_urllib3: Any) -> bytes:
        """Return what comes next, nothing at the end."""
        return self._response.read1(amount)

    def read(self, amount: int, **_urllib3: Any) -> bytes:
        """Return so many bytes, fewer at the end."""
        return self._response.read(amount)

    def release_conn(self) -> None:
        """Let others use the connection, where the body was read to its end."""
        if not self.closed:
            response = self._response
            is_whole = response.isclosed() if response.length is None else not response.length
            response.close()
            self.closed = True
            if is_whole and not response.will_close:
                self._keep()
            else:
                self._connection.close()

    def close(self) -> None:
        """Drop the connection."""
        if not self.closed:
            self.closed = True
            self._response.close()
            self._connection.close()
