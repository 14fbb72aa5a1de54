# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Hub in memory, whose repositories change and misbehave, and a clock that stands still until it is turned."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.body import Body, FetchError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import Haste
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.hub import gated
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import File, Listing, Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.plan import Fetch

_BLOCK = 24


class StandingClock(Clock):
    """Time as a test sets it; nobody waits. It begins now: the kernel's own times are compared with it."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = float(int(time.time()))

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self.check()


@dataclass
class UpstreamRepo:
    """A repository: path -> bytes by commit, and what its refs name."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gone: bool = False
    gated: bool = False
    card: dict[str, Any] = field(default_factory=lambda: {"tags": ["stand-in"]})


class Upstream:
    """Answers like ``Hub``. Contents in ``flipped`` arrive with a wrong byte, those in ``broken`` do not arrive."""

    def __init__(self) -> None:
        self.repos: dict[Repo, UpstreamRepo] = {}
        self.flipped: set[bytes] = set()
        self.broken: set[bytes] = set()

    # ---- what happens there

    def commit(self, repo: Repo, files: Mapping[str, bytes], ref: str = "main") -> str:
        """Let a ref name a commit with these files."""
        known = self.repos.setdefault(repo, UpstreamRepo())
        commit = hashlib.sha1(f"{repo} {ref} {len(known.commits)}".encode()).hexdigest()
        known.commits[commit] = dict(files)
        known.refs[ref] = commit
        return commit

    def files(self, repo: Repo, ref: str = "main") -> dict[str, bytes]:
        known = self.repos[repo]
        return dict(known.commits[known.refs[ref]]) if ref in known.refs else {}

    # ---- what the engine asks

    def head(self, repo: Repo, revision: str, path: str, token: str | None = None) -> str | None:
        return self._commit(repo, revision)

    def info(self, repo: Repo, revision: str, token: str | None = None) -> tuple[str, dict[str, Any]]:
        return self._commit(repo, revision), self.repos[repo].card

    def listing(self, repo: Repo, commit: str, card: dict[str, Any], token: str | None = None) -> Listing:
        files = self.repos[repo].commits[self._commit(repo, commit)]
        return Listing(commit, {path: described(path, content) for path, content in files.items()}, {}, card)

    def _commit(self, repo: Repo, revision: str) -> str:
        known = self.repos.get(repo)
        if known is None or known.gone:
            raise MirrorError(f"the Hub has no {repo}")
        if known.gated:
            raise gated(repo)
        commit = revision if revision in known.commits else known.refs.get(revision)
        if commit is None:
            raise MirrorError(f"{repo} has no revision {revision}")
        return commit


def described(path: str, content: bytes) -> File:
    """Return what the Hub says of a file: those named ``.bin`` are in LFS."""
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    if not path.endswith(".bin"):
        return File(len(content), oid)
    sha256 = hashlib.sha256(content).hexdigest()
    return File(len(content), hashlib.sha1(sha256.encode()).hexdigest(), sha256, 130)


class MemorySource:
    """Gives the bytes, like ``Source``."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.received = 0
        self.warnings: list[str] = []

    def body(self, action: Fetch, plain: bool = False, haste: Haste = Haste.NONE) -> Body:
        return _MemoryBody(self, action)

    def close(self) -> None:
        """Nothing is under way here."""


class _MemoryBody(Body):
    has_ranges = False

    def __init__(self, source: MemorySource, action: Fetch) -> None:
        self._source, self._action = source, action

    def stream(self, start: int) -> Generator[bytes, None, None]:
        upstream, action = self._source.upstream, self._action
        content = upstream.repos[action.repo].commits[action.commit][action.path]
        if content in upstream.broken:
            raise FetchError(f"{action.path} of {action.repo} can't be fetched")
        if content in upstream.flipped:
            content = bytes([content[0] ^ 1]) + content[1:]
        for at in range(start, len(content), _BLOCK):
            block = content[at : at + _BLOCK]
            self._source.received += len(block)
            yield block

    def segment(self, start: int, end: int, block: memoryview, unwanted: Callable[[], bool]) -> None:
        raise AssertionError("nobody asks for ranges where there are none")
