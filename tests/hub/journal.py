# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asked for what: counts by kind, and the last requests one by one.

A test reads it to prove, say, that an unchanged file was not fetched again or that no token reached the content origin.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Message, Scope, Send

KEPT = 1000
_WITH_METHOD = ("resolve", "resolve_cache", "content")
#: Every name that a request can go by: ``resolve`` as well as ``resolve_head``.
KINDS = frozenset(
    {"info", "revision", "tree", "refs", "paths_info", *_WITH_METHOD}
    | {f"{kind}_{method}" for kind in _WITH_METHOD for method in ("get", "head")}
)


@dataclass
class Entry:
    """One request; ``body_bytes`` is what was handed to the connection, or what nginx was told to send."""

    origin: str
    kind: str
    method: str
    target: str
    authorization: bool
    range: str | None
    user_agent: str | None
    status: int | None = None
    body_bytes: int = 0

    def watch(self, send: Send) -> Send:
        """Return a ``send`` that completes the entry."""

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            elif message["type"] == "http.response.body":
                self.body_bytes += len(message.get("body", b""))
            await send(message)

        return watched


@dataclass
class Journal:
    """The requests since the start or the last reset."""

    counts: Counter[str] = field(default_factory=Counter)
    last: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT))

    def reset(self) -> None:
        """Start over."""
        self.counts.clear()
        self.last.clear()

    def note(self, scope: Scope, origin: str, kind: str) -> Entry:
        """Enter a request."""
        headers = Headers(scope=scope)
        query = scope["query_string"].decode("latin-1")
        entry = Entry(
            origin=origin,
            kind=kind,
            method=scope["method"],
            target=scope["raw_path"].decode("latin-1") + (f"?{query}" if query else ""),
            authorization="authorization" in headers,
            range=headers.get("range"),
            user_agent=headers.get("user-agent"),
        )
        self.counts[kind] += 1
        self.last.append(entry)
        return entry

    def to_json(self) -> dict[str, Any]:
        """Return everything, the oldest request first."""
        return {"counts": dict(sorted(self.counts.items())), "last": [dataclasses.asdict(entry) for entry in self.last]}


def kind_with_method(kind: str, method: str) -> str:
    """Tell HEAD from GET where the difference matters."""
    return f"{kind}_{method.lower()}" if kind in _WITH_METHOD else kind
