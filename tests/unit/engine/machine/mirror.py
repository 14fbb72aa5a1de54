# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror on a disk that may fail, of an upstream in memory: the whole engine but HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import memory
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.fsck import fsck
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.scrub import Report
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.plan import Plan
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.refs import Change
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.report import diff, result
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.wanted import Wanted
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine, Outcome
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.ref_change import Decide, make_change
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.catalogue import CATALOGUE, DIGEST
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.summary import SUMMARY
from unit.engine.machine import invariants
from unit.engine.machine.disk import Disk, Tree
from unit.engine.machine.faulty_fs import CrashingFs
from unit.engine.machine.upstream import MemorySource, StandingClock, Upstream

Whitelist = list[dict[str, Any]]


class MemoryEngine(Engine):
    """The engine with an upstream in memory. It looks at the store right after recovery."""

    def __init__(self, mirror: Mirror, fs: CrashingFs, max_delete: str, reserve: int, **more: Any) -> None:
        more.update(workers=1, max_delete=max_delete, reserve=reserve, grace=mirror.grace, actor="test")
        settings = Settings(mirror.root, **more)
        super().__init__(settings, mirror.clock, fs)
        self._mirror, self._disk = mirror, fs
        self._in_run = False

    def run(self, wanted: list[Wanted], state: str = "present", wait: bool = False) -> Outcome:
        self._in_run = True
        return super().run(wanted, state, wait)

    def _plan(self, whitelist: Any, state: str, upstreams: Any) -> Plan:
        # what recovery has no room for a run tells of, and goes on
        if self._in_run and not self._disk.is_full:
            self._mirror.recovered()
        return super()._plan(whitelist, state, upstreams)

    def _hubs(self) -> Any:
        return [self._mirror.upstream]

    def _source(self, hub: Any) -> Any:
        return MemorySource(hub)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Lend a folder for a store."""
    with tempfile.TemporaryDirectory(dir=memory.folder()) as folder:
        root = Path(folder) / "store"
        root.mkdir()
        yield root


class Mirror:
    """A store at ``root``; ``grace`` is in hours."""

    def __init__(self, root: Path, upstream: Upstream, clock: StandingClock, grace: int = 72) -> None:
        self.root, self.upstream, self.clock, self.grace = root, upstream, clock, grace
        self.disk = Disk(root)
        #: Called when a run has recovered the store and goes to work.
        self.recovered: Callable[[], object] = lambda: invariants.at_rest(root)

    def run(
        self,
        whitelist: Whitelist,
        state: str = "present",
        fs: CrashingFs | None = None,
        max_delete: str = "100%",
        reserve: int = 3,
    ) -> Outcome:
        """Run as a new process."""
        engine = MemoryEngine(self, fs or CrashingFs(self.disk), max_delete, reserve)
        return engine.run(parse(whitelist), state)

    def change(self, repo: Repo, decide: Decide, fs: CrashingFs | None = None) -> Change:
        """Let a person change something, as a new process."""
        return make_change(Store(self.root, fs or CrashingFs(self.disk), self.clock), repo, decide, "a person")

    def scrub(self, fs: CrashingFs | None = None, rate: int = 0, seconds: int | None = None, **options: Any) -> Report:
        """Scrub as a new process."""
        fs = fs or CrashingFs(self.disk)
        return MemoryEngine(self, fs, "100%", 3, scrub_rate=rate, scrub_seconds=seconds).scrub([], **options)

    def boot(self, tree: Tree) -> None:
        """Start the machine again with this on its disk."""
        self.disk.boot(tree)

    def plan(self, whitelist: Whitelist, state: str = "present", max_delete: str = "100%") -> Outcome:
        """Check mode: nothing may be written."""
        fs = CrashingFs(self.disk)
        outcome = MemoryEngine(self, fs, max_delete, 3).plan(parse(whitelist), state)
        assert fs.calls == 0, "check mode changed the disk"
        return outcome

    def damage(self, left_over: bool = False) -> list[str]:
        """Return what fsck finds, with what nothing uses on demand."""
        store = Store(self.root, clock=self.clock)
        return [f"{one.path} {one.what}" for one in fsck(store) if one.damage or left_over]


_DECISION = re.compile(rb'"decision":\{[^}]*\},|"node":"[0-9a-f]*",')


def told(outcome: Outcome) -> tuple[Any, Any]:
    """Return what a person or program is told of a plan."""
    return result(outcome.plan, outcome.plan.problems), diff(outcome.plan)


def visible(root: Path) -> tuple[object, ...]:
    """Return what a reader is sure to see: refs, listings, views."""
    views = {path: what for path, what in served(root).items() if path.startswith("views/") and isinstance(what, str)}
    refs = {folder.name: invariants.refs(folder) for folder in invariants.repositories(root)}
    return refs, invariants.at_any_time(root), {path: what for path, what in views.items() if what != "folder"}


def served(root: Path) -> dict[str, object]:
    """Return all of a store but its ledger, locks and drafts, equal for equal stores: also which names are one file."""
    found: dict[str, object] = {}
    first: dict[int, str] = {}
    for folder, folders, files in os.walk(root):
        if folder == str(root):
            folders[:] = set(folders) - {"ledger", "locks"}
        folders.sort()
        for name in sorted([*folders, *files]):
            path = f"{folder}/{name}"
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                found[path] = f"-> {os.readlink(path)}"
            elif stat.S_ISDIR(status.st_mode):
                found[path] = "folder"
            else:
                frozen = status.st_mtime if status.st_nlink > 1 else None
                same = first.setdefault(status.st_ino, path)
                # when somebody decided, and on which node, is all that two such stores differ in
                content = Path(path).read_bytes()
                if name == CATALOGUE:
                    content = _DECISION.sub(b"", content)
                elif name == DIGEST:
                    whole = hashlib.sha256((root / CATALOGUE).read_bytes()).hexdigest()
                    content = b"fits" if json.loads(content) == whole else b"is older"
                elif name == SUMMARY:  # what it was made of are inodes
                    content = content.partition(b"\n")[2]
                found[path] = (content, oct(status.st_mode), frozen, same)
    found.pop(f"{root}/staging/draft", None)  # whoever writes one removes the last one before
    return {path.removeprefix(f"{root}/"): what for path, what in found.items()}
