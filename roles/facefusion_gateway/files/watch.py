# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a host again and again: whether FaceFusion answers, somebody is connected, it is to be drained."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import os
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from leases import GONE, SLOW, UP, Leases

#: A packet that is lost is sent again after one.
CONNECT_SECONDS = 3
ESTABLISHED = "01"
#: The last one who tells has seen what the others did.
_TELLING = threading.Lock()


class Settings(NamedTuple):
    """How often one looks, how long an answer may take, and the folder with a mark for each drained host."""

    interval: float
    timeout: float
    drained: Path


class Watch(threading.Thread):
    """Looks at one host for as long as the process lives."""

    def __init__(self, leases: Leases, name: str, address: str, port: int, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._leases, self._host, self._where, self._settings = leases, name, (address, port), settings
        self._one_look = threading.Lock()
        self._was_up: bool | None = None
        self.has_looked = threading.Event()

    def run(self) -> None:
        """Look, and look again."""
        while True:
            try:
                self.look()
            except OSError as error:  # of this machine: it has no more files, or can't read the mark
                print(f"{self._host} can't be looked at: {error}", file=sys.stderr, flush=True)
            self.has_looked.set()
            threading.Event().wait(self._settings.interval)

    def look(self) -> str:
        """Look once, and return what was found."""
        with self._one_look:
            answer = self._ask()
            # the gateway keeps no connection that nobody uses, and the one just made is closed
            is_used = is_connected(*self._where)
            self._leases.report(self._host, answer, is_used, self._people_until())
            self._tell()
            return answer

    def _tell(self) -> None:
        """Say in the log when this host came or went, and in the unit's status how all are."""
        with _TELLING:
            states = self._leases.states()
            is_up = states[self._host]["up"]
            if is_up == self._was_up:
                return
            self._was_up = is_up
            again = f"does not answer; it is asked every {self._settings.interval:g} seconds, for as long as it takes"
            print(f"{self._host} {'answers' if is_up else again}", file=sys.stderr, flush=True)
            away = [name for name, state in states.items() if not state["up"]]
            missing = f", without {', '.join(away)}" if away else ""
            tell_systemd(f"STATUS={len(states) - len(away)} of {len(states)} hosts answer{missing}")

    def _ask(self) -> str:
        try:
            connection = socket.create_connection(self._where, CONNECT_SECONDS)
        except OSError:
            return GONE
        client = http.client.HTTPConnection(*self._where)
        client.sock = connection
        # the socket's own timeout is for one read: a host that sends a byte now and then would be read from for ever
        deadline = time.monotonic() + self._settings.timeout
        end = threading.Timer(self._settings.timeout, _hang_up, [connection])
        end.start()
        with contextlib.closing(client):
            try:
                client.request("GET", "/config")
                is_good = client.getresponse().status == http.HTTPStatus.OK
                return UP if is_good and time.monotonic() < deadline else SLOW
            except (OSError, http.client.HTTPException):
                return SLOW
            finally:
                end.cancel()

    def _people_until(self) -> float | None:
        """Return until when people may stay on a drained host: so long after its mark was made as the mark says."""
        mark = self._settings.drained / self._host
        try:
            return mark.stat().st_mtime + float(mark.read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        except ValueError:
            return 0.0


def _hang_up(connection: socket.socket) -> None:
    """End a connection, so that whoever reads from it goes on."""
    with contextlib.suppress(OSError):  # it has ended
        connection.shutdown(socket.SHUT_RDWR)


def tell_systemd(what: str) -> None:
    """Send systemd a message, where it wants any."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(what.encode(), "\0" + address[1:] if address.startswith("@") else address)


def is_connected(address: str, port: int) -> bool:
    """Say whether this machine has a connection to a port of another one."""
    there = ipaddress.ip_address(address)
    with (
        contextlib.suppress(FileNotFoundError),
        open(f"/proc/self/net/tcp{'6' if there.version == 6 else ''}") as table,
    ):
        for line in table:
            remote, state = line.split()[2:4]
            if state == ESTABLISHED and remote == _written(there.packed, port):
                return True
    return False


def _written(packed: bytes, port: int) -> str:
    """Write an address as the kernel does: each four bytes as a number."""
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"
