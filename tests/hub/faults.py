# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Hub can do wrong, on command: which faults are in force, for which files, and how often still.

``bodies`` does what is ordered to the bytes of a file, ``signatures`` to the URLs of content, the origins to whole
answers. ``reset`` forgets everything.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, Literal, TypeVar

from hub.waits import log_normal

#: (repo_type, repo_id, path)
FileKey = tuple[str, str, str]


class ConnectionCut(Exception):
    """Raised in the middle of an answer: the server then closes the connection although more bytes were promised."""


@dataclass(frozen=True)
class Target:
    """What a fault is ordered for: one file, all files of a repository, or everything (None: any)."""

    repo_type: str | None = None
    repo_id: str | None = None
    path: str | None = None

    def covers(self, key: FileKey) -> bool:
        """Tell whether a file is meant."""
        ordered = (self.repo_type, self.repo_id, self.path)
        return all(want in (None, have) for want, have in zip(ordered, key, strict=True))


@dataclass
class Fault:
    """Something to do wrong ``times`` more times; None: for ever."""

    #: Whether it spoils the bytes of a file, so that nobody else may send them.
    of_body: ClassVar[bool] = True
    target: Target
    times: int | None

    def spend(self) -> bool:
        """Take one of the times, if one is left."""
        if self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True

    @property
    def slot(self) -> object:
        """What a new order of the same kind replaces."""
        return type(self), self.target


@dataclass
class Flip(Fault):
    """One bit in the middle of the file is wrong, the size right."""


@dataclass
class Cut(Fault):
    """The connection closes after so many bytes of a body."""

    after: int


@dataclass
class Stall(Fault):
    """After so many bytes of a body nothing more comes, and the connection stays open."""

    after: int


@dataclass
class Drip(Fault):
    """After so many bytes of a body there is one byte each ``interval`` seconds."""

    after: int
    interval: float


@dataclass
class Bandwidth(Fault):
    """No connection brings more than so many bytes a second."""

    bytes_per_second: int


@dataclass
class Unsteady(Fault):
    """Bodies come after waits of random length, and a share of them not whole: half of those are cut, half refused.

    ``mean`` and ``p99`` are those of the waits, in seconds. The same seed makes the same, in the order of the requests.
    """

    mean: float
    p99: float
    failures: float
    seed: int

    def __post_init__(self) -> None:
        if not 0 <= self.failures <= 1:
            raise ValueError(f"failures is a share, from 0 to 1, not {self.failures}")
        self._log_normal, self._random = log_normal(self.mean, self.p99), Random(self.seed)

    def draw(self) -> tuple[float, Literal["whole", "cut", "refused"]]:
        """Return how long the next body is to wait, and what is to become of it."""
        seconds, chance = self._random.lognormvariate(*self._log_normal), self._random.random()
        if chance >= self.failures:
            return seconds, "whole"
        return seconds, "cut" if chance < self.failures / 2 else "refused"


@dataclass
class Length(Fault):
    """Content-Length, and the body with it, is so many bytes longer (or, negative, shorter) than the content."""

    by: int


@dataclass
class Range(Fault):
    """A request with Range is misunderstood: ``ignore``, ``ignore-with-range`` or ``shift``."""

    MODES: ClassVar[tuple[str, ...]] = ("ignore", "ignore-with-range", "shift")
    mode: str


@dataclass
class Untold(Fault):
    """The redirect to the bytes of a file in LFS tells neither their hash nor their size."""

    of_body = False


@dataclass
class Mislist(Fault):
    """Listings say another hash of a file than its bytes have."""

    of_body = False


@dataclass
class Expire(Fault):
    """Content URLs issued from now on end after so many seconds, or after so many uses."""

    of_body = False
    seconds: float | None
    uses: int | None


@dataclass
class Status(Fault):
    """Requests of some kinds (all: none named) are answered with a status and nothing useful."""

    of_body = False
    kinds: frozenset[str]
    status: int
    message: str
    headers: dict[str, str]

    @property
    def slot(self) -> object:
        return type(self), self.target, self.kinds

    def meets(self, kinds: tuple[str, str]) -> bool:
        """Tell whether a request of this kind (without and with its method) is meant."""
        return not self.kinds or not self.kinds.isdisjoint(kinds)


AnyFault = TypeVar("AnyFault", bound=Fault)


@dataclass
class Faults:
    """The faults now in force. ``latency`` is what each origin waits, in seconds, before it looks at a request."""

    _ordered: list[Fault] = field(default_factory=list)
    latency: dict[str, float] = field(default_factory=dict)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    def order(self, fault: Fault) -> None:
        """Put a fault in force, in place of one of the same kind for the same files."""
        self._ordered = [fault, *(other for other in self._ordered if other.slot != fault.slot)]

    def reset(self) -> None:
        """Be honest again; whoever waits in the middle of a body is let go."""
        self._ordered.clear()
        self.latency.clear()
        self._over.set()
        self._over = asyncio.Event()

    def find(self, kind: type[AnyFault], key: FileKey) -> AnyFault | None:
        """Return the fault of a kind that a file has now, the latest order first."""
        return next((fault for fault in self._for(key) if isinstance(fault, kind)), None)

    def spoil_bodies(self, key: FileKey) -> bool:
        """Tell whether any fault may touch the bytes of a file."""
        return any(fault.of_body for fault in self._for(key))

    def status(self, key: FileKey, kinds: tuple[str, str]) -> Status | None:
        """Return, and count, the status that a request is to be answered with instead."""
        for fault in self._for(key):
            if isinstance(fault, Status) and fault.meets(kinds) and fault.spend():
                return fault
        return None

    async def delay(self, origin: str) -> None:
        """Wait as long as an origin is far away."""
        if seconds := self.latency.get(origin):
            await self.pause(seconds)

    async def pause(self, seconds: float | None) -> None:
        """Wait (None: for ever). A reset meanwhile ends the request: it is none of those that come after."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)
            raise ConnectionCut

    def _for(self, key: FileKey) -> list[Fault]:
        return [fault for fault in self._ordered if fault.times != 0 and fault.target.covers(key)]
