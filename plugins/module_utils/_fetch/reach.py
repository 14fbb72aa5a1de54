# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run may connect to: what an upstream answers must not lead it into the network that the mirror stands in."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Mapping

from .._base.errors import MirrorError
from .._base.inside import Network, is_inside
from .._base.names import shown
from .http import is_web, origin, proxy_for


class InsideError(MirrorError):
    """An upstream sent to an address that is none of its business."""


class Reach:
    """The addresses that an ``endpoint`` may send to, judged when a connection is made: names can mean anything.

    An endpoint that is only ever inside may send to others inside; of a public one only ``networks`` are excepted. What
    goes through one of ``proxies`` is the proxy's business. ``mend`` says what to do where it is right.
    """

    def __init__(
        self,
        endpoint: str,
        networks: Iterable[Network] = (),
        proxies: Mapping[str, str] | None = None,
        mend: str = "",
    ) -> None:
        _scheme, self._host, self._port = origin(endpoint)
        self._endpoint, self._networks, self._proxies = endpoint, tuple(networks), dict(proxies or {})
        self._mend = mend and f"; {mend}"
        self._lock = threading.Lock()
        #: Whether the endpoint was connected to inside, and outside: its name may mean both, one after the other.
        self._was_inside = self._was_outside = False

    def check(self, host: str, port: int | None, address: str) -> None:
        """Raise InsideError where nobody may go."""
        inside = is_inside(address, self._networks)
        with self._lock:
            if (host, port) == (self._host, self._port):
                self._was_inside |= inside
                self._was_outside |= not inside
            if not inside or (self._was_inside and not self._was_outside):
                return
        raise InsideError(
            f"{self._endpoint} redirects to {host}, which has the private address {address}: refused{self._mend}",
            cause=f"{self._endpoint} redirects to {host}, which has a private address: refused",
        )

    def check_url(self, url: str) -> None:
        """Do that for all addresses that a URL's host has now, where others make the connection.

        What is no web address (``local://`` opens folders of this host) is refused, too.
        """
        if not is_web(url):
            raise InsideError(f"{self._endpoint} redirects to {shown(url)}, not an http:// or https:// URL: refused")
        if proxy_for(url, self._proxies):
            return
        for asked in (self._endpoint, url):
            _scheme, host, port = origin(asked)
            for address in _addresses(host, port):
                self.check(str(host), port, address)


def _addresses(host: str | None, port: int | None) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []  # nobody gets there
    return [str(address[0]) for *_kind, address in found]
