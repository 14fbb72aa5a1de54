# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator decides about the engine, and between which limits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._base.address import endpoint_problem, proxy_problem
from .._base.errors import MirrorError
from .._base.inside import network
from .._base.names import shown
from .._base.setting import check, setting, settings_of
from .._plan.lockfile import LockFile
from .upstream import LEAST_BANDWIDTH, MOST_BANDWIDTH, upstreams_problem

#: Each is asked every few seconds by each other one.
MOST_PEERS = 9
_SHARE = re.compile("100%|[0-9]{1,2}%|[0-9]{1,9}")


def _peers(value: Any) -> str | None:
    if not isinstance(value, (list, tuple)) or len(value) > MOST_PEERS:
        return f"must be a list of URLs such as http://10.0.0.12, {MOST_PEERS} at most"
    hint = "a peer knows this node by its address (mirror_nginx_peers), no token is needed"
    problems = (endpoint_problem(one, hint) for one in value)
    return next((f"has a URL that {problem}" for problem in problems if problem), None)


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


@dataclass(frozen=True)
class Settings:
    """What an operator decides. ``tokens`` are by name, under ``None`` the one for entries that name none."""

    store: Path = setting(
        "The folder of the store, on one file system that supports hard links.",
        "When run as C(root), all work is done as the user who owns the folder.",
        type="path",
        is_required=True,
        metavar="DIR",
    )
    endpoint: str | Sequence[str | Mapping[str, Any]] = setting(
        "URL of the Hub or of another endpoint that speaks its protocol, or a list of these in order of preference.",
        "A URL must not contain a user, password or token.",
        "Each list item is a URL or a mapping with C(url). Commits and hashes come from the first upstream that answers"
        " and does not have C(listings) V(false). File contents come from any upstream, and are verified.",
        "C(token) is the name of one of the tokens. It is sent to that upstream only. Tokens that entries name, and the"
        " token for entries that name none, are sent only to the first upstream that provides listings.",
        "C(proxy) is the proxy of that upstream, without a password, or empty for a direct connection. The default is"
        " O(proxy). C(bandwidth) limits that upstream, in bytes per second, in addition to the overall limit.",
        "An upstream that is down, rate-limited or wrong is tried last for a while, and a warning says so.",
        default="https://huggingface.co",
        type="raw",
        check=upstreams_problem,
        metavar="URL",
    )
    proxy: str | None = setting(
        "URL of an HTTP proxy for all requests to the Hub; put a URL with a password in a file, not on a command line.",
        "For example V(http://proxy.example.com:3128). If it is empty, the environment variables C(http_proxy),"
        " C(https_proxy), C(all_proxy) and C(no_proxy) apply; otherwise they are ignored. Peers are reached directly.",
        check=proxy_problem,
        is_secret=True,
        metavar="URL",
    )
    allow_networks: Sequence[str] = setting(
        "Private networks to which a public O(endpoint) may redirect for a file, for example V(10.1.0.0/16).",
        "Any other redirect to the host itself, to a link-local address or to a private network is refused, unless"
        " the upstream is in a private network itself or a proxy makes the connection.",
        default=(),
        type="list",
        check=_networks,
    )
    tokens: Mapping[str | None, str] = field(default_factory=dict, repr=False)
    workers: int = setting(
        "How many files are downloaded at the same time.",
        default=8,
        type="int",
        unit="files that are fetched at the same time",
        least=1,
        most=64,
        metavar="N",
    )
    bandwidth: int = setting(
        "Limit of the total download rate, in bytes per second.",
        default=0,
        type="int",
        unit="bytes a second",
        least=LEAST_BANDWIDTH,
        most=MOST_BANDWIDTH,
        zero="no limit",
        metavar="N",
    )
    reserve: int = setting(
        "The percentage of the disk that is kept free.",
        default=3,
        type="int",
        unit="percent",
        most=99,
        metavar="N",
    )
    grace: int = setting(
        "For how many hours a retired commit, which nothing references any more, is still served by its id.",
        "An interrupted download can be resumed for as long. After that a run removes both, with the contents that"
        " nothing else references.",
        default=72,
        type="int",
        unit="hours",
        most=87_600,
        metavar="HOURS",
    )
    max_delete: str = setting(
        "How much C(exact) may remove in one run: a number of repositories such as V(3), or a share such as V(10%) of"
        " the repositories and of their bytes.",
        "If more would be removed, the run fails and removes nothing.",
        default="10%",
        check=_share,
        metavar="LIMIT",
    )
    xet: bool = setting(
        "Use hf_xet to download files that the Hub stores in Xet.",
        "They are verified and resumed like other files. If Xet fails, the rest is downloaded over HTTP.",
        default=False,
        type="bool",
    )
    peers: Sequence[str] = setting(
        "URLs of the other nodes, with the address of each node and not the floating address.",
        "A commit is published when the peers have sealed it, too, so that all nodes serve it from the start. The run"
        " does not wait for a peer that is down, and a warning says so.",
        "With TLS, use C(https://) URLs whose host names are in the peers' certificates, from a CA that the system"
        " trusts. List this node in C(mirror_nginx_peers) of the peers.",
        default=(),
        type="list",
        check=_peers,
        metavar="URL",
        option="peer",
    )
    peer_wait: int = setting(
        "How many seconds all O(peers) together have to seal a commit before it is published here.",
        default=300,
        type="int",
        unit="seconds",
        most=1800,  # well below the time in which a run must make progress
    )
    time_limit: int = setting(
        "After how many seconds a run is stopped.",
        "A run that makes no progress for an hour is stopped, too. The next run continues from there.",
        default=7 * 86400,
        type="int",
        unit="seconds",
        least=60,
        most=366 * 86400,
    )
    memory_limit: int = setting(
        "At how many MiB of memory a run is stopped.",
        default=4096,
        type="int",
        unit="MiB",
        least=1024,  # 8 workers were seen with 280 MB, 64 with 700 MB, stacks of their threads and all
        most=1 << 20,
    )
    scrub_rate: int = setting(
        "How many bytes per second a scrub reads.",
        default=0,
        type="int",
        unit="bytes a second",
        least=1,
        most=10**12,
        zero="no limit",
        metavar="N",
        option="rate",
    )
    scrub_seconds: int | None = setting(
        "After how many seconds a scrub ends; V(0) reads nothing and only repairs contents known to be rotten.",
        "The next scrub continues from there. Without a limit, a scrub reads to the end of the round.",
        type="int",
        unit="seconds",
        most=30 * 86400,
        metavar="SECONDS",
        option="for",
        is_in_file=False,
    )
    actor: str = setting("The name that the ledger records for the run.", default="hf-mirror", is_in_file=False)
    lock: LockFile | None = None

    def check(self) -> None:
        """Raise MirrorError where something is not within its limits, or has no value that needs one."""
        for name, one in SETTINGS.items():
            if one.default is not None and vars(self)[name] is None:
                raise MirrorError(f"{name} is null, it must have a value")
        check(SETTINGS, {name: value for name, value in vars(self).items() if name != "store"})

    @property
    def grace_seconds(self) -> float:
        """Return the grace as the engine counts."""
        return self.grace * 3600.0


#: The engine's settings, by name.
SETTINGS = settings_of(Settings)
