# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passes that follow a hostile peer, then an honest one."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unit.fuzz.answers import Edit, about
from unit.fuzz.documents import Document
from unit.fuzz.engine_process import Engine
from unit.fuzz.honest import HonestRepo, etag
from unit.fuzz.upstream import Upstream
from unit.fuzz.world import LATER, NEIGHBOURS, NEW, OLD, OTHERS, TOKEN, World

#: Repositories that the peer says something odd of: by turns new here, and old.
SUSPECTS = [repo for pair in zip(NEW[:10], OLD[:10]) for repo in pair]


class PeerWorld(World):
    """The peer has the second commit of each repository; here the old ones are at their first."""

    def __init__(self, folder: Path, upstream: Upstream, engine: Engine) -> None:
        super().__init__(folder, upstream, engine)
        self.make_base([*OLD[:10], *NEIGHBOURS[:-1]])
        every = [*SUSPECTS, *NEIGHBOURS]
        self.reset(every)
        self._must(self.sync(every))
        peer = folder / "base-of-peer"
        shutil.move(self.store, peer)
        upstream.peer = peer

    def _follow(self, later: float = 0.0) -> dict[str, Any]:
        urls = self.upstream.urls
        store, endpoint, peer = str(self.store), urls["hub"], urls["peer"]
        return self.engine.do(do="follow", store=store, endpoint=endpoint, peer=peer, token=TOKEN, later=later)

    def follow_hostile(self, documents: Sequence[Document]) -> list[str]:
        """Follow a peer that answers so, and then an honest one; return which properties were broken."""
        self.reset([*SUSPECTS, *NEIGHBOURS])
        repos = dict(zip(SUSPECTS, documents))
        self._tamper(repos)
        outside = self.outside()
        done = self._follow()
        self.upstream.tampering = {}
        broken = [*self.ended(done), *self.kept_outside(outside), *self.sound(), *self.tokens_elsewhere()]
        if "" in {_where(repo, one)[0] for repo, one in repos.items()}:
            broken += self._of_all(done)
        elif done["refused"]:
            broken.append(f"the pass was refused as a whole: {done['refused']}")
        else:
            honest = [one for one in (*NEIGHBOURS, *SUSPECTS) if one not in repos]
            broken += self.told(done["problems"], {*[one.name for one in honest], *OTHERS})
            broken += [f"{one.name} is honest: {text}" for one in honest for text in self.published(one, 1, 1)]
        broken += self._heal(repos, done)
        return [*broken, *self.kept_outside(outside)]

    def _tamper(self, repos: Mapping[HonestRepo, Document]) -> None:
        whole: list[Edit] = []
        for repo, document in repos.items():
            if document.kind == "piece":
                names = {"folder": repo.folder, "commit": repo.commit(1)}
                whole += [about(edit, names) for edit in document.edits]
            else:
                self.upstream.tampering[_where(repo, document)] = document.edits
        if whole:
            self.upstream.tampering["", "catalogue.json"] = tuple(whole)

    def _of_all(self, done: dict[str, Any]) -> list[str]:
        """Who says nonsense of everything need not be followed; what is published stays, whole."""
        broken = self.worded("the peer", done["refused"]) if done["refused"] else self.told(done["problems"], ())
        found = list(broken)
        for one in NEIGHBOURS[:-1]:
            # a catalogue that makes sense may take its view away
            shows = (0, 1) if "views" in done["problems"] or done["refused"] else (0, 1, None)
            states = [list(self.published(one, now, shown)) for now in (0, 1) for shown in shows]
            if all(states):
                found.append(f"{one.name} was published, and is broken: {states}")
        return found

    def _heal(self, repos: Iterable[HonestRepo], before: dict[str, Any]) -> list[str]:
        # a history that fits together is one that somebody made: it stays until somebody makes another one
        failed = [one for one in repos if before["refused"] or one.name in before["problems"]]
        believed = [one for one in repos if one not in failed and any(self.published(one, 1, 1))]
        done = self._follow(later=LATER)
        broken = [f"afterwards: {text}" for text in [done["refused"], *self.ended(done), *self.sound()] if text]
        broken += [f"{name} does not heal: {text}" for name, (_kind, text, _cause) in done["problems"].items()]
        for one in [*SUSPECTS, *NEIGHBOURS]:
            if one not in believed:
                broken += [f"{one.name} does not heal: {text}" for text in self.published(one, 1, 1)]
        return broken


def _where(repo: HonestRepo, document: Document) -> tuple[str, str]:
    if document.kind.startswith("catalogue"):
        return "", document.kind
    if document.kind == "pool":
        return etag("config.json", repo.files(1)["config.json"]), document.kind
    return repo.folder, document.kind
