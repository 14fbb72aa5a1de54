# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes behind real servers, of one stand-in Hub, and what readers get from each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.fsck import fsck
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.compare import differences
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.follow import Followed
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.catalogue import read_catalogue
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from node import Node

from hub.process import HubProcess
from storecheck import check_store

SWAPPER, TINY = Repo("model", "deepinsight/inswapper-128"), Repo("model", "stand-in/tiny-model")
ONNX = "inswapper_128.onnx"
BOTH = [{"repo_id": SWAPPER.repo_id, "views": ["faces"]}, {"repo_id": TINY.repo_id}]


class Pair:
    """Two nodes, ``a`` and ``b``, of one Hub, or more."""

    def __init__(self, folder: Path, hub: HubProcess, names: str = "ab") -> None:
        self.hub = hub
        self.nodes = {}
        for name in names:
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
            self.nodes[name] = Node(folder / name, folder / f"{name}-nginx")

    def engine(self, name: str, **settings: Any) -> Engine:
        peers = [node.url for other, node in self.nodes.items() if other != name]
        given = {"endpoint": self.hub.url, "actor": name, "peers": peers, "peer_wait": 0, "max_delete": "100%"}
        return Engine(Settings(self.nodes[name].store, **{**given, **settings}))

    def sync(self, name: str, whitelist: list[dict[str, Any]] | None = None, state: str = "present") -> None:
        outcome = self.engine(name).run(parse(whitelist or BOTH), state)
        assert not outcome.problems

    def follow(self, name: str, **settings: Any) -> Followed:
        done = self.engine(name, **settings).follow()
        assert not done.problems
        return done

    def store(self, name: str) -> Store:
        return Store(self.nodes[name].store)

    def assert_equal(self) -> None:
        for name in [*self.nodes][1:]:
            found = list(differences(read_catalogue(self.store("a")), read_catalogue(self.store(name))))
            assert not found, found
            assert served(self.nodes["a"].store) == served(self.nodes[name].store)
        for node in self.nodes.values():
            check_store(node.store)
            assert not [one for one in fsck(Store(node.store)) if one.damage]


def served(root: Path) -> dict[str, str | bytes]:
    """Return all that readers get: documents and links, what contents are called, views; not who published when."""
    found: dict[str, str | bytes] = {}
    for folder in (root / "hub", root / "views", root / "pool"):
        for top, folders, files in os.walk(folder):
            for name in [*files, *folders]:
                path = Path(top, name)
                key = str(path.relative_to(root))
                if key.endswith("/.mirror/v1/repository"):
                    continue
                if path.is_symlink():
                    found[key] = os.readlink(path)
                elif path.is_file() and path.suffix == ".json" and "/.mirror/rev/" in key:
                    found[key] = path.read_bytes()
                elif path.is_file() and "/.mirror/" not in key:
                    found[key] = "file"
    return found


def commits(pair: Pair, name: str, repo: Repo) -> dict[str, str]:
    return pair.store(name).repository(repo).refs()
