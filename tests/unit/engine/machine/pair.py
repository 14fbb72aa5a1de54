# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two mirrors on disks that may fail, each of which can follow the other: the whole engine but HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.body import Body, FetchError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.fetch import Fetcher
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.fetchers import Fetchers
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.health import Health
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import Haste
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.peer import Peer, PeerError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.plan import Fetch
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.compare import differences
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.follow import Followed, Follower
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.catalogue import (
    CATALOGUE,
    Catalogue,
    read_catalogue,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from unit.engine.machine import invariants
from unit.engine.machine.faulty_fs import CrashingFs
from unit.engine.machine.mirror import Mirror
from unit.engine.machine.upstream import MemorySource


class DiskPeer(Peer):
    """The other node, read from its disk at the places that its nginx serves."""

    def __init__(self, root: Path) -> None:
        self.endpoint, self._root = "the peer", root

    def catalogue(self, seconds: float = 0) -> Catalogue:
        return Catalogue.from_json(self._document(CATALOGUE))

    def _document(self, name: str, seconds: float | None = None) -> Any:
        top, folder, rest = [*name.split("/", 2), "", ""][:3]
        file = self._root / "hub" / folder / ".mirror" / rest if top == "hub" else self._root / name
        try:
            return json.loads(file.read_bytes())
        except FileNotFoundError as problem:
            raise PeerError(f"{name} is not there") from problem


class DiskSource(MemorySource):
    """The contents of the other node."""

    def __init__(self, root: Path) -> None:
        self._pool = root / "pool"
        self.received = 0
        self.warnings: list[str] = []

    def body(self, action: Fetch, plain: bool = False, haste: Haste = Haste.NONE) -> Body:
        return _DiskBody(self._pool / action.file.etag)


class _DiskBody(Body):
    has_ranges = False

    def __init__(self, file: Path) -> None:
        self._file = file

    def stream(self, start: int) -> Generator[bytes, None, None]:
        try:
            yield self._file.read_bytes()[start:]
        except OSError as problem:
            raise FetchError(f"the peer lacks {self._file.name}") from problem

    def segment(self, start: int, end: int, block: memoryview, unwanted: Callable[[], bool]) -> None:
        raise AssertionError("nobody asks for ranges where there are none")


def follow(mirror: Mirror, peer: Mirror, fs: CrashingFs | None = None) -> Followed:
    """Let a mirror follow another one for a pass, as a new process."""
    store = Store(mirror.root, fs or CrashingFs(mirror.disk), mirror.clock)
    store.prepare()
    with store.locked():
        sources = [DiskSource(peer.root), MemorySource(mirror.upstream)]
        theirs, hubs = (Fetcher(source, store.fs, mirror.clock) for source in sources)  # type: ignore[arg-type]
        fetchers = Fetchers([hubs], Health(mirror.clock), [theirs])
        follower = Follower(store, DiskPeer(peer.root), fetchers, "test", mirror.grace * 3600.0, workers=1)
        try:
            follower.recover()
            mirror.recovered()
            return follower.follow()
        finally:
            fetchers.close()


def serials(root: Path) -> dict[tuple[str, str], int]:
    """Return (repository, ref) -> the serial of its last publish, also of repositories that were removed.

    What was announced counts once the ref names it: recovery takes the rest back.
    """
    files = {file.stem: file for file in (root / "removed").glob("*.json")}
    named: dict[str, dict[str, str]] = {}
    for repo in invariants.repositories(root):
        files[repo.name], named[repo.name] = repo / ".mirror/history.json", invariants.refs(repo)
    found = {}
    for name, file in files.items():
        for ref, entries in (json.loads(file.read_bytes()) if file.exists() else {}).items():
            happened = [one for one in entries if one["commit"] == named.get(name, {}).get(ref, "")]
            if happened:
                found[name, ref] = happened[-1]["serial"]
    return found


def assert_equal(one: Mirror, two: Mirror) -> None:
    """See that both nodes have the same for readers, and agree on all that they tell each other (13)."""
    catalogues = [read_catalogue(Store(mirror.root, clock=mirror.clock)) for mirror in (one, two)]
    found = list(differences(*catalogues))
    assert not found, found
    here, there = readable(one.root), readable(two.root)
    other = {name: (here.get(name), there.get(name)) for name in here.keys() | there.keys()}
    assert here == there, {name: values for name, values in other.items() if values[0] != values[1]}


def readable(root: Path) -> dict[str, object]:
    """Return what readers get: documents, the links that are listed with the size they lead to, views.

    What a run that was cut left, a folder without a sealed commit, a blob, a link that is not listed, goes with time.
    """
    found: dict[str, object] = {}
    for repo in invariants.repositories(root):
        commits = [entry for entry in (repo / ".mirror/rev").glob("*") if not entry.is_symlink()]
        if not commits:
            continue
        documents = (repo / ".mirror/rev").rglob("*.json")
        found.update({str(file.relative_to(root)): file.read_bytes() for file in documents})
        found[f"{repo.name} refs"] = invariants.refs(repo)
        for sealed in commits:
            for file in json.loads((sealed / "info.json").read_bytes())["siblings"]:
                link = repo / "snapshots" / sealed.name / file["rfilename"]
                found[str(link.relative_to(root))] = (os.readlink(link), link.stat().st_size)
    for view in [entry for entry in (root / "views").iterdir() if entry.is_symlink()]:
        found[view.name] = (os.readlink(view), sorted(os.listdir(view)))
    return found
