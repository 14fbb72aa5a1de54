# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed URLs, as the Hub's CDN has them: ``Expires=UNIXTIME`` in the query, a signature over it, then 403.

Every URL that is issued is another one. The time is checked with each request, as CloudFront does it.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import time
from urllib.parse import parse_qs, urlencode

from hub.faults import Expire, Faults, FileKey

LIFETIME = 3600  # seconds


class Signatures:
    """Queries for the content origin's URLs, and the judgement over them."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._numbers = itertools.count(1)
        self._uses: dict[str, int] = {}

    def reset(self) -> None:
        """Let no URL be used up; what is written in a URL can't be taken back."""
        self._uses.clear()

    def sign(self, address: str, key: FileKey) -> str:
        """Return a query that opens ``address`` for a while."""
        number, seconds = f"K{next(self._numbers)}", float(LIFETIME)
        ordered = self._faults.find(Expire, key)
        if ordered and ordered.spend():
            seconds = LIFETIME if ordered.seconds is None else ordered.seconds
            if ordered.uses is not None:
                self._uses[number] = ordered.uses
        expires = str(math.ceil(time.time() + seconds))
        return urlencode({"Expires": expires, "Signature": _sign(address, expires, number), "Key-Pair-Id": number})

    def problem(self, address: str, query: str) -> str | None:
        """Count a use of a URL and say what is wrong with it, if anything is."""
        given = {name: values[0] for name, values in parse_qs(query).items()}
        expires, number = given.get("Expires", ""), given.get("Key-Pair-Id", "")
        if given.get("Signature") != _sign(address, expires, number):
            return "Access denied: the signature does not fit"
        if time.time() >= int(expires):
            return "Request has expired"
        if number in self._uses:
            self._uses[number] -= 1
            if self._uses[number] < 0:
                return "Access denied: the URL is used up"
        return None


def _sign(address: str, expires: str, number: str) -> str:
    return hashlib.sha256(f"{address} {expires} {number}".encode()).hexdigest()[:32]
