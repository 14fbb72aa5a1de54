# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has which host. One person at a time has one, for a FaceFusion process keeps one state for all who use it.

A person is a login, whatever cookies come with it; where nobody logs in a person is a cookie. A host is a person's
until that person leaves it, or has been idle while somebody else needs one. The cookie is ``TOKEN.HOST``, so that
another gateway, which knows nobody yet, gives people the host that they were on.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

COOKIE = re.compile(r"(?P<token>[A-Za-z0-9_-]{22})\.(?P<host>[A-Za-z0-9._-]*)")
#: A GPU at work may keep its process from answering for a while.
SLOW_ANSWERS = 3
UP, SLOW, GONE = "up", "slow", "gone"


@dataclass
class Host:
    """A FaceFusion process, and whose it is."""

    name: str
    answer: str = GONE
    slow: int = 0
    people_until: float | None = None  # drained: those who are there have until then
    person: str = ""
    seen: float = 0.0


class Leases:
    """``save`` is called with what ``persons`` gives whenever a host changes hands."""

    def __init__(
        self,
        names: Iterable[str],
        idle: float,
        save: Callable[[dict[str, str]], None] = lambda persons: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._hosts = {name: Host(name) for name in names}
        self._idle, self._save, self._clock = idle, save, clock
        self._newcomers: dict[tuple[str, str], str] = {}  # tokens of those who have not shown theirs yet
        self._lock = threading.Lock()

    def restore(self, persons: dict[str, str]) -> None:
        """Take over what ``save`` was given, as if everybody had just been seen."""
        for name in set(persons) & set(self._hosts):
            self._hosts[name].person, self._hosts[name].seen = persons[name], self._clock()

    def assign(self, cookie: str, user: str, address: str, *, may_begin: bool = True) -> tuple[str, str]:
        """Return the host of whoever asks, and the cookie to give back. The host is empty when none can be had.

        Where it may not begin, only who has a host already gets one.
        """
        with self._lock:
            token, wish = self._token(cookie, user, address)
            person, now = _person(user, token), self._clock()
            own = next((host for host in self._hosts.values() if host.person == person), None)
            host = own if own and self._may_stay(own) else None
            if not host and may_begin:
                host = self._take(person, wish, own)
            if not host:
                return "", ""
            host.seen = now
            return host.name, f"{token}.{host.name}"

    def host_of(self, cookie: str, user: str) -> str:
        """Return the host that somebody has already."""
        known = COOKIE.fullmatch(cookie)
        person = _person(user, known["token"] if known else "")
        with self._lock:
            return next((host.name for host in self._hosts.values() if host.person == person), "")

    def leave(self, cookie: str, user: str) -> None:
        """Free the host of whoever asks."""
        name = self.host_of(cookie, user)
        with self._lock:
            if name:
                self._hosts[name].person = ""
                self._save(self._persons())

    def report(self, name: str, answer: str, is_used: bool, people_until: float | None) -> None:
        """Take in what a look at a host told."""
        host = self._hosts[name]
        with self._lock:
            host.slow = host.slow + 1 if answer == SLOW else 0
            if answer != SLOW or host.slow >= SLOW_ANSWERS:
                host.answer = answer
            host.people_until = people_until
            if is_used and host.person:
                host.seen = self._clock()

    def states(self) -> dict[str, dict[str, bool]]:
        """Return of each host whether it is up, drained, and taken so that nobody else can have it."""
        with self._lock:
            now = self._clock()
            return {
                host.name: {
                    "up": host.answer == UP,
                    "drained": host.people_until is not None,
                    "taken": bool(host.person) and self._has_time(host) and now - host.seen <= self._idle,
                }
                for host in self._hosts.values()
            }

    def _token(self, cookie: str, user: str, address: str) -> tuple[str, str]:
        """Return the token of whoever asks, and the host that the cookie names.

        Who has no cookie yet, or never takes one, is told from others by login and address.
        """
        known = COOKIE.fullmatch(cookie)
        if known:
            if self._newcomers.get((user, address)) == known["token"]:
                del self._newcomers[user, address]
            return known["token"], known["host"]
        persons = set(self._persons().values())
        self._newcomers = {who: token for who, token in self._newcomers.items() if _person(who[0], token) in persons}
        return self._newcomers.setdefault((user, address), secrets.token_urlsafe(16)), ""

    def _take(self, person: str, wish: str, own: Host | None) -> Host | None:
        now = self._clock()
        offered = [host for host in self._hosts.values() if host.answer == UP and host.people_until is None]
        free = sorted((host for host in offered if not host.person), key=lambda host: (host.name != wish, host.seen))
        idle = [host for host in offered if host.person and now - host.seen > self._idle]
        found = next(iter(free + sorted(idle, key=lambda host: host.seen)), None)
        if found:
            if own:
                own.person = ""
            found.person = person
            self._save(self._persons())
        return found

    def _may_stay(self, host: Host) -> bool:
        return host.answer == UP and self._has_time(host)

    def _has_time(self, host: Host) -> bool:
        return host.people_until is None or self._clock() < host.people_until

    def _persons(self) -> dict[str, str]:
        return {host.name: host.person for host in self._hosts.values() if host.person}


def _person(user: str, token: str) -> str:
    return hashlib.sha256((user or token).encode()).hexdigest()
