# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror on a disk that may fail, of an upstream in memory: the whole engine but HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible_collections.modelops.hf_mirror.plugins.module_utils._engine import Engine, Outcome, Settings
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fsck import fsck
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan import Plan
from ansible_collections.modelops.hf_mirror.plugins.module_utils._report import diff, result
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store import Store
from ansible_collections.modelops.hf_mirror.plugins.module_utils._wanted import Wanted
from ansible_collections.modelops.hf_mirror.plugins.module_utils._whitelist import parse

from . import invariants
from .disk import Disk
from .faulty_fs import CrashingFs
from .upstream import MemorySource, StandingClock, Upstream

Whitelist = list[dict[str, Any]]


class MemoryEngine(Engine):
    """The engine with an upstream in memory. It looks at the store right after recovery."""

    def __init__(self, mirror: Mirror, fs: CrashingFs, max_delete: str, reserve: int) -> None:
        settings = Settings(mirror.root, workers=1, max_delete=max_delete, reserve=reserve, actor="test")
        super().__init__(settings, mirror.clock, fs)
        self._upstream = mirror.upstream
        self._in_run = False

    def run(self, wanted: list[Wanted], state: str = "present", wait: bool = False) -> Outcome:
        self._in_run = True
        return super().run(wanted, state, wait)

    def _plan(self, wanted: list[Wanted], state: str, hub: Any) -> Plan:
        if self._in_run:
            invariants.at_rest(self.store.root)
        return super()._plan(wanted, state, hub)

    def _hub(self) -> Any:
        return self._upstream

    def _source(self, hub: Any) -> Any:
        return MemorySource(hub)


class Mirror:
    """A store at ``root``."""

    def __init__(self, root: Path, upstream: Upstream, clock: StandingClock) -> None:
        self.root, self.upstream, self.clock = root, upstream, clock
        self.disk = Disk(root)

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

    def plan(self, whitelist: Whitelist, state: str = "present", max_delete: str = "100%") -> Outcome:
        """Check mode: nothing may be written."""
        fs = CrashingFs(self.disk)
        outcome = MemoryEngine(self, fs, max_delete, 3).plan(parse(whitelist), state)
        assert fs.calls == 0, "check mode changed the disk"
        return outcome

    def damage(self) -> list[str]:
        """Return what fsck finds."""
        store = Store(self.root, clock=self.clock)
        return [f"{one.path} {one.what}" for one in fsck(store) if one.damage]


def told(outcome: Outcome) -> tuple[Any, Any]:
    """Return what a person or program is told of a plan."""
    return result(outcome.plan, outcome.plan.problems), diff(outcome.plan)


def served(root: Path) -> dict[str, object]:
    """Return all of a store but its ledger and locks, equal for equal stores."""
    found: dict[str, object] = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(folder, name)
            inside = str(path.relative_to(root))
            if inside.split("/")[0] in ("ledger", "locks"):
                continue
            if path.is_symlink():
                found[inside] = f"-> {os.readlink(path)}"
            else:
                found[inside] = "folder" if path.is_dir() else path.read_bytes()
    return found
