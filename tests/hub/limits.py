# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a caller may ask for: the two buckets of the Hub, each with a quota for a fixed window of time.

As documented they are shown and not enforced: no test should fail because many others ran before it. Once ordered
(``limit``) a quota holds, and the headers count it down to 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import monotonic

from starlette.responses import Response

#: What the Hub grants anonymous callers, per window of 300 s.
DOCUMENTED = {"api": 500, "resolvers": 3000}


def bucket_of(kind: str) -> str | None:
    """Return the bucket that a kind of request counts in."""
    if kind in ("resolve_cache", "other"):
        return None
    return "resolvers" if kind == "resolve" else "api"


@dataclass
class Quota:
    """So many requests in so many seconds; the window opens with the first of them."""

    requests: int
    seconds: int = 300
    holds: bool = False
    retry_after: bool = False
    _spent: int = 0
    _opened: float = -math.inf

    def spend(self) -> bool:
        """Count a request and tell whether it is still allowed."""
        if monotonic() - self._opened >= self.seconds:
            self._spent, self._opened = 0, monotonic()
        if self.holds and self._spent >= self.requests:
            return False
        self._spent += 1
        return True

    def show(self, bucket: str, response: Response) -> None:
        """Say what is left, as the Hub does on every answer. Who waits ``t`` seconds may go on."""
        left = max(self.requests - self._spent, 0 if self.holds else 1)
        until = max(math.ceil(self._opened + self.seconds - monotonic()), 0)
        response.headers["RateLimit"] = f'"{bucket}";r={left};t={until}'
        response.headers["RateLimit-Policy"] = f'"fixed window";"{bucket}";q={self.requests};w={self.seconds}'
        if response.status_code == 429 and self.retry_after:
            response.headers["Retry-After"] = str(until)


class Limits:
    """The quota of each bucket."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Go back to what is documented."""
        self.quotas = {bucket: Quota(requests) for bucket, requests in DOCUMENTED.items()}
