# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store of many links: how long it takes to show it, to check it, and to collect a part of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from random import Random

from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import File, Listing, Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.plan import Publish
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store import store as _store
from unit.engine.machine.upstream import described

from bench.contenders import BIN
from bench.measure import Measured, run, series
from year.disk import YearFs

REPOS, COMMITS, FILES, CHANGED = 1000, 5, 20, 4


@dataclass(frozen=True)
class Store:
    """What was found. ``links`` and ``inodes`` are what the store has, ``gone`` what the collection took of each."""

    repos: int
    links: int
    inodes: int
    gone: tuple[int, int]
    runs: dict[str, list[Measured]]


class ManyLinks:
    """A store below ``scratch``, made without a Hub and without waiting for the disk."""

    def __init__(self, scratch: Path) -> None:
        self._root, self._whitelist, self._log = scratch / "links", scratch / "whitelist.yml", scratch / "log"

    def measure(self, rounds: int) -> Store:
        """Make the store, measure, and remove it. What collects can be done once."""
        self._make()
        links, inodes = self._count()
        runs = series(rounds, {"status": lambda: self._run("status"), "fsck": lambda: self._run("fsck")})
        runs["gc, that retires"] = [self._run("gc", "--grace", "0")]
        runs["gc, that collects"] = [self._run("gc", "--grace", "0")]
        left = self._count()
        shutil.rmtree(self._root)
        return Store(REPOS, links, inodes, (links - left[0], inodes - left[1]), runs)

    def _make(self) -> None:
        self._root.mkdir()
        store, random = _store.Store(self._root, YearFs()), Random(1)
        store.prepare()
        repos = [Repo("model", f"bench/links-{number:04}") for number in range(REPOS)]
        for repo in repos:
            self._fill(store, repo, random)
        latest = [{"repo_id": repo.repo_id, "keep": COMMITS - 1} for repo in repos]
        self._whitelist.write_text(json.dumps({"models_to_sync": latest}))
        subprocess.run(["sync"], check=True)

    def _fill(self, store: _store.Store, repo: Repo, random: Random) -> None:
        repository = store.repository(repo)
        files: dict[str, File] = {}
        before = None
        for serial in range(1, COMMITS + 1):
            for number in random.sample(range(FILES), CHANGED) if before else range(FILES):
                path, content = f"part-{number // 5}/file-{number:02}.bin", random.randbytes(64)
                files[path] = described(path, content)
                blob = store.pool.path(files[path].etag)
                blob.write_bytes(content)
                store.pool.freeze(blob)
            commit = f"{random.getrandbits(160):040x}"
            repository.seal(Listing(commit, dict(files)), tuple(files))
            repository.publish(Publish(repo, "main", before, commit, serial), "bench")
            before = commit

    def _run(self, *command: str) -> Measured:
        options = ["--store", str(self._root), "--config", str(self._whitelist)]
        return run([str(BIN / "hf-mirror"), *options, *command, "--json"], {}, self._log)

    def _count(self) -> tuple[int, int]:
        """Return how many symbolic links and how many inodes there are."""
        links, inodes = 0, set()
        for folder, folders, files in os.walk(self._root):
            for name in [*folders, *files]:
                path = os.path.join(folder, name)
                inodes.add(os.lstat(path).st_ino)
                links += os.path.islink(path)
        return links, len(inodes)
