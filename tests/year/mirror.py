# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror that lives through the year: the engine on a scratch folder, its upstream in memory, its clock turned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.fsck import fsck
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.ref_order import RefOrder
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine, Outcome
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.ref_change import make_change
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from unit.engine.machine.upstream import StandingClock

from year.disk import YearFs
from year.upstream import YearSource, YearUpstream

#: Hours for which what is retired stays: three days, so runs at the same time of the day meet its end.
GRACE = 72


class _MemoryEngine(Engine):
    def __init__(self, settings: Settings, clock: StandingClock, fs: YearFs, upstream: YearUpstream) -> None:
        super().__init__(settings, clock, fs)
        self._upstream = upstream

    def _hubs(self) -> Any:
        return [self._upstream]

    def _source(self, hub: Any) -> Any:
        return YearSource(hub)


class YearMirror:
    def __init__(self, root: Path, upstream: YearUpstream, clock: StandingClock) -> None:
        self.root, self.upstream, self.clock = root, upstream, clock

    def run(self, whitelist: list[dict[str, Any]], max_delete: str | None, fs: YearFs) -> Outcome:
        """Run as a new process; with ``max_delete`` the store is to have the entries and nothing else."""
        settings = Settings(self.root, workers=1, max_delete=max_delete or "0", grace=GRACE, actor="timer")
        engine = _MemoryEngine(settings, self.clock, fs, self.upstream)
        return engine.run(parse(whitelist), "exact" if max_delete else "present")

    def decide(self, order: RefOrder) -> None:
        """Let a person decide."""
        make_change(Store(self.root, YearFs(), self.clock), order.repo, order, "a person")

    def findings(self) -> list[str]:
        """Return what fsck finds damaged."""
        return [f"{one.path} {one.what}" for one in fsck(Store(self.root, clock=self.clock)) if one.damage]
