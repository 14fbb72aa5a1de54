# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Syncs with a hostile Hub, then with an honest one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from unit.fuzz.documents import Document
from unit.fuzz.engine_process import Engine
from unit.fuzz.honest import HonestRepo
from unit.fuzz.upstream import Upstream
from unit.fuzz.world import LATER, NEIGHBOURS, NEW, OLD, OTHERS, World


class HubWorld(World):
    """What is old, and all neighbours but one, is published at its first commit; the Hub is at the second."""

    def __init__(self, folder: Path, upstream: Upstream, engine: Engine) -> None:
        super().__init__(folder, upstream, engine)
        self.make_base([*OLD, *NEIGHBOURS[:-1]])

    def sync_hostile(self, documents: Sequence[Document]) -> list[str]:
        """Sync with a Hub that answers so, and then with an honest one; return which properties were broken."""
        repos = {(NEW if one.is_new else OLD)[number]: one for number, one in enumerate(documents)}
        self.reset([*repos, *NEIGHBOURS])
        self.upstream.tampering = {(repo.folder, one.kind): one.edits for repo, one in repos.items()}
        outside = self.outside()
        done = self.sync([*repos, *NEIGHBOURS])
        self.upstream.tampering = {}
        broken = [f"the run was refused as a whole: {text}" for text in [done["refused"]] if text]
        broken += [*self.ended(done), *self.kept_outside(outside), *self.sound(), *self.tokens_elsewhere()]
        broken += self.told(done["problems"], {*[one.entry for one in NEIGHBOURS], *OTHERS})
        broken += [f"{one.repo_id}, a neighbour: {text}" for one in NEIGHBOURS for text in self.published(one, 1, 1)]
        harmless = [repo for repo, one in repos.items() if one.is_harmless]
        broken += [
            f"{one.repo_id}, of which nothing is wrong: {t}" for one in harmless for t in self.published(one, 1, 1)
        ]
        broken += self._heal(repos, done["problems"])
        return [*broken, *self.kept_outside(outside)]

    def _heal(self, repos: Iterable[HonestRepo], problems: dict[str, Any]) -> list[str]:
        # a lie that fits together is believed until the next commit: nobody can know better
        believed = [one for one in repos if one.entry not in problems and any(self.published(one, 1, 1))]
        self.upstream.numbers.update(dict.fromkeys(believed, 2))
        done = self.sync([*repos, *NEIGHBOURS], later=LATER)
        broken = [f"afterwards: {text}" for text in [done["refused"], *self.ended(done), *self.sound()] if text]
        broken += [f"{name} does not heal: {text}" for name, (_kind, text, _cause) in done["problems"].items()]
        for one in [*repos, *NEIGHBOURS]:
            number = 2 if one in believed else 1
            broken += [f"{one.entry} does not heal: {text}" for text in self.published(one, number, number)]
        return broken
