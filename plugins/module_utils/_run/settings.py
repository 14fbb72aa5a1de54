# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator decides, and between which limits: for the modules, the command and its configuration alike."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from .._base.address import endpoint_problem, proxy_problem
from .._base.errors import MirrorError
from .._base.inside import network
from .._base.names import shown
from .._plan.lockfile import LockFile


@dataclass(frozen=True)
class Settings:
    """What an operator decides.

    ``allow_networks`` are those inside to which a public endpoint may send. ``bandwidth`` is in bytes a second, 0 for
    no limit; ``reserve`` in percent; ``grace`` in hours. ``peer`` is the URL of the other node of a pair, ``peer_wait``
    the seconds that it has to seal a commit before that is published. A run is ended after ``time_limit`` seconds, and
    when it has ``memory_limit`` MiB of memory.
    """

    store: Path
    endpoint: str = "https://huggingface.co"
    proxy: str | None = field(default=None, repr=False)
    allow_networks: Sequence[str] = ()
    tokens: Mapping[str | None, str] = field(default_factory=dict, repr=False)
    workers: int = 8
    bandwidth: int = 0
    reserve: int = 3
    grace: int = 72
    max_delete: str = "10%"
    actor: str = "hf-mirror"
    lock: LockFile | None = None
    xet: bool = False
    peer: str | None = None
    peer_wait: int = 300
    time_limit: int = 7 * 86400
    memory_limit: int = 4096

    def check(self) -> None:
        """Raise MirrorError where something is not within its limits."""
        problems = problems_of(vars(self))
        if problems:
            raise MirrorError("; ".join(problems))


@dataclass(frozen=True)
class Number:
    """A whole number of ``what``; with ``or_none`` 0 stands for no limit."""

    what: str
    least: int
    most: int
    or_none: bool = False

    def __call__(self, value: Any) -> str | None:
        """Return what is wrong with a value, or None."""
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if is_number and (self.least <= value <= self.most or (self.or_none and value == 0)):
            return None
        none = ", or 0 for no limit" if self.or_none else ""
        return f"is {shown(value)}, it must be a number of {self.what}, {self.least} to {self.most}{none}"


def _endpoint(value: Any) -> str | None:
    where = "token or tokens (mirror_sync_token, mirror_sync_tokens), the command by its tokens_file"
    return endpoint_problem(value, f"give an access token as {where}")


def _peer(value: Any) -> str | None:
    return endpoint_problem(value, "the peer knows this node by its address (mirror_nginx_peers), no token is needed")


def _networks(value: Any) -> str | None:
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        return "must be a list of networks such as 10.1.0.0/16"
    try:
        for one in value:
            network(one)
    except MirrorError as problem:
        return str(problem)
    return None


def _share(value: Any) -> str | None:
    fine = isinstance(value, (int, str)) and not isinstance(value, bool) and _SHARE.fullmatch(str(value))
    return None if fine else f"is {shown(value)}, it must be a number of repositories or a share like 10%"


_SHARE = re.compile("100%|[0-9]{1,2}%|[0-9]{1,9}")

CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "endpoint": _endpoint,
    "proxy": proxy_problem,
    "allow_networks": _networks,
    "peer": _peer,
    "workers": Number("files that are fetched at the same time", 1, 64),
    # with less, what is fetched would be taken for stalled
    "bandwidth": Number("bytes a second", 10_000, 10**12, or_none=True),
    "reserve": Number("percent", 0, 99),
    "grace": Number("hours", 0, 87_600),
    "max_delete": _share,
    # well below the time in which a run must make progress
    "peer_wait": Number("seconds", 0, 1800),
    "time_limit": Number("seconds", 60, 366 * 86400),
    # 8 workers were seen with 280 MB, 64 with 700 MB, stacks of their threads and all
    "memory_limit": Number("MiB", 1024, 1 << 20),
    "scrub_rate": Number("bytes a second", 1, 10**12, or_none=True),
    "scrub_seconds": Number("seconds", 0, 30 * 86400),
    "threshold": Number("failures in a row", 1, 1000),
}


def problems_of(values: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with several values, those left out that are None or have no limits."""
    told = {name: problem_of(name, value) for name, value in values.items() if name in CHECKS and value is not None}
    return [f"{name} {problem}" for name, problem in told.items() if problem]


def problem_of(name: str, value: Any) -> str | None:
    """Return what is wrong with what an operator gives, or None. A secret is not shown."""
    return CHECKS[name](value)
