# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Hub in memory for a year: it counts what it is asked, and forgets commits that nobody can ask for any more."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping
from typing import Any

from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.body import Body
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import Haste
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import File, Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.plan import Fetch
from unit.engine.machine.upstream import MemorySource, Upstream, UpstreamRepo, described

#: Commits of a repository that it can go back to.
_KEPT = 6


class YearUpstream(Upstream):
    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        self._made = 0

    def commit(self, repo: Repo, files: Mapping[str, bytes], ref: str = "main") -> str:
        known = self.repos.setdefault(repo, UpstreamRepo())
        self._made += 1
        commit = hashlib.sha1(f"{repo} {self._made}".encode()).hexdigest()
        known.commits[commit] = dict(files)
        known.refs[ref] = commit
        while len(known.commits) > _KEPT:
            del known.commits[next(iter(known.commits))]
        return commit

    def declared(self, repo: Repo, commit: str) -> dict[str, File]:
        """Return what the Hub says of a commit's files."""
        return {path: described(path, content) for path, content in self.repos[repo].commits[commit].items()}

    def corrupt(self, repo: Repo, commit: str) -> bool:
        """Say whether a file of a commit arrives wrong."""
        return not self.flipped.isdisjoint(self.repos[repo].commits[commit].values())

    def _commit(self, repo: Repo, revision: str) -> str:
        self.requests += 1
        return super()._commit(repo, revision)


class YearSource(MemorySource):
    """Gives each file at once."""

    def body(self, action: Fetch, plain: bool = False, haste: Haste = Haste.NONE) -> Body:
        self.upstream.requests += 1  # type: ignore[attr-defined]
        return _Whole(self, action)


class _Whole(Body):
    has_ranges = False

    def __init__(self, source: MemorySource, action: Fetch) -> None:
        self._source, self._action = source, action

    def stream(self, start: int) -> Generator[bytes, None, None]:
        upstream, action = self._source.upstream, self._action
        content = upstream.repos[action.repo].commits[action.commit][action.path]
        if content in upstream.flipped:
            content = bytes([content[0] ^ 1]) + content[1:]
        self._source.received += len(content) - start
        if content[start:]:
            yield content[start:]

    def segment(self, start: int, end: int, block: memoryview, unwanted: Any) -> None:
        raise AssertionError("nobody asks for ranges where there are none")
