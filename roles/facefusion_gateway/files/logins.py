# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may come in: name and password of basic authentication, and how often an address may be wrong.

A name that nobody has costs the same hash as one that somebody has, so that the time of an answer tells nothing. What
was right once is not hashed again. Whoever was right goes on though others at the same address guess.
"""

from __future__ import annotations

import base64
import binascii
import ctypes
import hashlib
import hmac
import ipaddress
import math
import sys
import threading
import time
from collections.abc import Callable, Mapping

#: So many wrong ones at once, and one more after so many seconds.
BURST, SECONDS = 10, 6
#: Bytes of a password, as the role's preflight has it: of 500 the hash takes ten times as long, and others wait for it.
LONGEST = 128
#: More than those of one minute are not kept.
_ENOUGH = 1000


class WrongError(Exception):
    """There is no login, or no right one."""


class LimitedError(Exception):
    """The address was wrong too often. ``seconds`` later it may try again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"try again in {seconds} seconds")
        self.seconds = seconds


def crypt(password: bytes, setting: bytes) -> bytes:
    """Hash a password as a hash that is there was made: Debian's libcrypt, one call at a time."""
    function = ctypes.CDLL("libcrypt.so.1").crypt
    function.restype = ctypes.c_char_p
    return function(password, setting) or b""


class Logins:
    """``hashes`` are those of the passwords, by name. Without any nobody gets in."""

    def __init__(
        self,
        hashes: Mapping[str, str],
        digest: Callable[[bytes, bytes], bytes] = crypt,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hashes = {name.encode(): value.encode() for name, value in hashes.items()}
        self._digest, self._clock = digest, clock
        # made as all others, so that it takes as long
        self._nobodys = next(iter(self._hashes.values()), b"$6$nobody")
        self._known: set[bytes] = set()
        self._forgiven: dict[str, float] = {}  # by address, when all that was wrong will be
        self._lock = threading.Lock()

    def name(self, sent: str, address: str) -> str:
        """Return who sent an ``Authorization`` header. Raises WrongError or LimitedError."""
        pair = _pair(sent)
        name, _colon, password = pair.partition(b":")
        mark = hashlib.sha256(pair).digest()
        if mark not in self._known:
            with self._lock:
                # a browser asks for many things at once
                if mark not in self._known:
                    self._try(name, password, address)
                    self._known.add(mark)
        return name.decode()

    def _try(self, name: bytes, password: bytes, address: str) -> None:
        here, now = _network(address), self._clock()
        wait = self._forgiven.get(here, now) - now - (BURST - 1) * SECONDS
        if wait > 0:
            raise LimitedError(math.ceil(wait))
        wanted = self._hashes.get(name, self._nobodys)
        is_equal = hmac.compare_digest(self._digest(password[:LONGEST], wanted), wanted)
        # libcrypt reads no further than a zero
        if is_equal and name in self._hashes and b"\0" not in password and len(password) <= LONGEST:
            return
        print(f"wrong name or password, client: {address}, user: {name.decode()[:64]!r}", file=sys.stderr, flush=True)
        if len(self._forgiven) > _ENOUGH:
            self._forgiven = {one: when for one, when in self._forgiven.items() if when > now}
        self._forgiven[here] = max(self._forgiven.get(here, now), now) + SECONDS
        raise WrongError


def read_hashes(text: str) -> dict[str, str]:
    """Read a file of ``name:hash``."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split(":", 1) for line in lines)


def _pair(sent: str) -> bytes:
    scheme, _space, value = sent.partition(" ")
    try:
        pair = base64.b64decode(value.strip(), validate=True)
        pair.partition(b":")[0].decode()
    except (binascii.Error, UnicodeError):
        raise WrongError from None
    if scheme.lower() != "basic" or b":" not in pair:
        raise WrongError
    return pair


def _network(address: str) -> str:
    """Return what one person has: an address, or with IPv6 a network."""
    found = ipaddress.ip_address(address)
    return address if found.version == 4 else str(ipaddress.ip_network((int(found), 64), strict=False))
