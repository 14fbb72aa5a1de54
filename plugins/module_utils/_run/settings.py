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
        "The store's folder, on one file system that has hard links.",
        "Run as C(root), everything goes on as the user whom the folder belongs to.",
        type="path",
        is_required=True,
        metavar="DIR",
    )
    endpoint: str | Sequence[str | Mapping[str, Any]] = setting(
        "URL of the Hub, or of anything that answers as the Hub does, or a list of such in the order of preference.",
        "Without a user, password or token in it.",
        "Each of a list is a URL or a mapping with C(url). The first that answers is believed about commits and hashes,"
        " unless it has C(listings) V(false). Bytes come from any of them, for they are verified.",
        "C(token) there is the name of one of the tokens, which then goes to that upstream alone. Tokens that entries"
        " name, and the one for those that name none, go only to the first upstream that is believed.",
        "C(proxy) there is that upstream's own, without a password, and empty for a direct connection; without the key"
        " it is O(proxy). C(bandwidth) is its own limit in bytes a second, beside that of all together.",
        "One that is away, limited or wrong is asked after the others for a while, and a warning says so.",
        default="https://huggingface.co",
        type="raw",
        check=upstreams_problem,
        metavar="URL",
    )
    proxy: str | None = setting(
        "URL of an HTTP proxy for all requests to the Hub; one with a password belongs in a file, and not on a command"
        " line.",
        "For instance V(http://proxy.example.com:3128). Where it is empty the environment's count (C(http_proxy),"
        " C(https_proxy), C(all_proxy), C(no_proxy)), else none of them. A peer is asked directly.",
        check=proxy_problem,
        is_secret=True,
        metavar="URL",
    )
    allow_networks: Sequence[str] = setting(
        "Networks inside to which a public O(endpoint) may send for a file, for instance V(10.1.0.0/16).",
        "An upstream that sends to the host itself, to its link or into a private network is refused otherwise, unless"
        " it is in one itself, or a proxy makes the connection.",
        default=(),
        type="list",
        check=_networks,
    )
    tokens: Mapping[str | None, str] = field(default_factory=dict, repr=False)
    workers: int = setting(
        "How many files are fetched at the same time.",
        default=8,
        type="int",
        unit="files that are fetched at the same time",
        least=1,
        most=64,
        metavar="N",
    )
    bandwidth: int = setting(
        "How many bytes a second may come in, all files together.",
        default=0,
        type="int",
        unit="bytes a second",
        least=LEAST_BANDWIDTH,
        most=MOST_BANDWIDTH,
        zero="no limit",
        metavar="N",
    )
    reserve: int = setting(
        "The share of the disk, in percent, that stays free.",
        default=3,
        type="int",
        unit="percent",
        most=99,
        metavar="N",
    )
    grace: int = setting(
        "For how many hours a commit that nothing names any more stays served by its id.",
        "For as long a download that was cut can be resumed. A later run then removes both, with the contents that"
        " nothing else names.",
        default=72,
        type="int",
        unit="hours",
        most=87_600,
        metavar="HOURS",
    )
    max_delete: str = setting(
        "How much C(exact) may remove in one run, a number of repositories such as V(3), or a share such as V(10%) of"
        " the repositories and of their bytes.",
        "Where more would go, the run fails and removes nothing.",
        default="10%",
        check=_share,
        metavar="LIMIT",
    )
    xet: bool = setting(
        "Fetch files that the Hub keeps in Xet from there, by hf_xet.",
        "They are verified and resumed as the others are. Where Xet gives out, the rest comes over HTTP.",
        default=False,
        type="bool",
    )
    peers: Sequence[str] = setting(
        "URLs of the other nodes, by addresses of their own and not by one that moves between them.",
        "A commit is published once they have sealed it, too, so that all serve it from the start. A peer that is away"
        " is not waited for, and a warning says so.",
        "With TLS a URL begins with C(https://), and its name is in the peer's certificate, from a CA that the system"
        " trusts. The peers' C(mirror_nginx_peers) name this node.",
        default=(),
        type="list",
        check=_peers,
        metavar="URL",
        option="peer",
    )
    peer_wait: int = setting(
        "How many seconds O(peers) have, together, to seal a commit before that is published here.",
        default=300,
        type="int",
        unit="seconds",
        most=1800,  # well below the time in which a run must make progress
    )
    time_limit: int = setting(
        "After how many seconds a run is ended.",
        "One that makes no progress for an hour is ended, too. The next one goes on from there.",
        default=7 * 86400,
        type="int",
        unit="seconds",
        least=60,
        most=366 * 86400,
    )
    memory_limit: int = setting(
        "With how many MiB of memory a run is ended.",
        default=4096,
        type="int",
        unit="MiB",
        least=1024,  # 8 workers were seen with 280 MB, 64 with 700 MB, stacks of their threads and all
        most=1 << 20,
    )
    scrub_rate: int = setting(
        "How many bytes a second a scrub reads.",
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
        "After how many seconds a scrub ends; V(0) reads nothing and only repairs what is known to be rotten.",
        "The next one goes on from there. Without it a round is read to its end.",
        type="int",
        unit="seconds",
        most=30 * 86400,
        metavar="SECONDS",
        option="for",
        is_in_file=False,
    )
    actor: str = setting("Who the ledger says it was.", default="hf-mirror", is_in_file=False)
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
