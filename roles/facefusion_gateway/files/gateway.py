# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell nginx which FaceFusion host a request is for: gateway.py SETTINGS STATE, with a listening Unix socket as file 3.

nginx looks at the address, then asks here (auth_request), then sends the request on, byte for byte. What it wants is in
the header X-Gateway-Ask. Nothing that a client sends gets into these headers but its login and its cookie. The hashes
of the passwords are a credential of the unit.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import socketserver
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pages
from leases import GONE, Leases
from logins import LimitedError, Logins, WrongError, read_hashes
from watch import Settings, Watch

SOCKET = 3  # the first that systemd passes on
COOKIE = "__Host-facefusion_gateway"
SENT = re.compile(rf"(?:^|; ?){COOKIE}=([^;]*)")
ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
MONTH = 30 * 24 * 3600
FIRST_LOOK_SECONDS = 2


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers on a socket that somebody else has opened."""

    daemon_threads = True

    def __init__(self, leases: Leases, watches: dict[str, Watch], logins: Logins | None) -> None:
        super().__init__("", Request, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=SOCKET)
        self.leases, self.watches, self.logins = leases, watches, logins


class Request(BaseHTTPRequestHandler):
    """One question of nginx."""

    server: Server
    wbufsize = -1  # an answer goes out at once

    def handle(self) -> None:
        """Answer, if anybody still wants to know."""
        with contextlib.suppress(ConnectionError):  # nginx asks no more when its client has gone
            super().handle()

    def do_GET(self) -> None:
        """Answer what is asked in a header, whatever the path."""
        answers: dict[str, Callable[[], None]] = {
            "assign": self._assign,
            "waiting": self._waiting,
            "lost": self._lost,
            "hosts": self._hosts,
            "leave": self._leave,
            "states": self._states,
        }
        asked = self.headers["X-Gateway-Ask"]
        try:
            answers[asked]()
        except WrongError:
            challenge = {"WWW-Authenticate": 'Basic realm="FaceFusion"'}
            self._answer(HTTPStatus.UNAUTHORIZED, pages.no_login(), **challenge)
        except LimitedError as limit:
            # auth_request knows no other status, and asks for the page then
            status = HTTPStatus.FORBIDDEN if asked == "assign" else HTTPStatus.TOO_MANY_REQUESTS
            self._answer(status, pages.limited(limit.seconds), **{"Retry-After": str(limit.seconds)})

    def _assign(self) -> None:
        # A page that is still open asks by itself, also for somebody who has left, or lost what it shows.
        may_begin = self.headers.get("X-Gateway-Mode", "navigate") == "navigate"
        address = self.headers["X-Gateway-Address"]
        host, cookie = self.server.leases.assign(self._cookie, self._user(), address, may_begin=may_begin)
        if host:
            new = {} if cookie == self._cookie else {"Set-Cookie": f"{COOKIE}={cookie}; Max-Age={MONTH}; {ATTRIBUTES}"}
            self._answer(HTTPStatus.NO_CONTENT, **{"X-Gateway-Host": host}, **new)
        else:
            self._answer(HTTPStatus.FORBIDDEN)

    def _waiting(self) -> None:
        self._user()
        again = {"Retry-After": str(pages.SECONDS)}
        self._answer(HTTPStatus.SERVICE_UNAVAILABLE, pages.waiting(self.server.leases.states()), **again)

    def _lost(self) -> None:
        """Have a host that did not answer nginx looked at. From one that is gone people go to another."""
        host = self.headers["X-Gateway-Host"]
        if self.server.watches[host].look() != GONE:
            self._answer(HTTPStatus.BAD_GATEWAY, pages.broke_off(host))
        elif self.headers["X-Gateway-Method"] in ("GET", "HEAD"):
            self._answer(HTTPStatus.TEMPORARY_REDIRECT, Location=self.headers["X-Gateway-URL"])
        else:
            self._answer(HTTPStatus.BAD_GATEWAY, pages.lost(host))

    def _hosts(self) -> None:
        leases = self.server.leases
        self._answer(HTTPStatus.OK, pages.hosts(leases.states(), leases.host_of(self._cookie, self._user())))

    def _leave(self) -> None:
        self.server.leases.leave(self._cookie, self._user())
        gone = f"{COOKIE}=; Max-Age=0; {ATTRIBUTES}"
        self._answer(HTTPStatus.SEE_OTHER, Location="/_gateway/", **{"Set-Cookie": gone})

    def _states(self) -> None:
        self._answer(HTTPStatus.OK, json.dumps(self.server.leases.states()), kind="application/json")

    def _user(self) -> str:
        """Return who asks, nobody where people don't log in. Raises WrongError or LimitedError."""
        logins = self.server.logins
        return logins.name(self.headers.get("X-Gateway-Login", ""), self.headers["X-Gateway-Address"]) if logins else ""

    @property
    def _cookie(self) -> str:
        found = SENT.search(self.headers.get("X-Gateway-Cookie", ""))
        return found[1] if found else ""

    def _answer(
        self, status: HTTPStatus, body: str = "", *, kind: str = "text/html; charset=utf-8", **headers: str
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Cache-Control": "no-store", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: object) -> None:
        """Leave that to nginx."""


def main() -> None:
    """Serve until systemd ends it."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    state = Path(sys.argv[2])

    def save(persons: dict[str, str]) -> None:
        fresh = state.with_name("fresh")
        fresh.write_text(json.dumps(persons), encoding="utf-8")
        fresh.replace(state)

    leases = Leases([host["name"] for host in settings["hosts"]], settings["idle"], save)
    with contextlib.suppress(FileNotFoundError, ValueError):  # nobody yet, or a power cut took what was written
        leases.restore(json.loads(state.read_text(encoding="utf-8")))
    looks = Settings(settings["check_interval"], settings["check_timeout"], Path(settings["drained"]))
    watches = {
        host["name"]: Watch(leases, host["name"], host["address"], host["port"], looks) for host in settings["hosts"]
    }
    logins = None
    if settings["login"]:
        hashes = Path(os.environ["CREDENTIALS_DIRECTORY"], "passwords").read_text(encoding="utf-8")
        logins = Logins(read_hashes(hashes))
    for watch in watches.values():
        watch.start()
    for watch in watches.values():
        watch.has_looked.wait(FIRST_LOOK_SECONDS)
    with Server(leases, watches, logins) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
