# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the peer told of a commit is believed until this node asks the Hub itself."""

from __future__ import annotations

import hashlib
import json
import os
import shutil

from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.names import RepoPath
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.fsck import fsck
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.compare import differences
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.purge import Purge
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.catalogue import read_catalogue, write_catalogue
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from unit.engine.two_nodes import BOTH, ONNX, SWAPPER, Pair, commits


def lie(pair: Pair, name: str, repo: Repo, path: str) -> None:
    """Let a node give another content of a file than the Hub has, at the Hub's own commit."""
    store, commit = pair.nodes[name].store, commits(pair, name, repo)["main"]
    evil = b"nothing that the Hub has"
    etag = hashlib.sha256(evil).hexdigest()
    (store / "pool" / etag).write_bytes(evil)
    (store / "pool" / etag).chmod(0o444)
    mirror = store / "hub" / repo.folder / ".mirror"
    told = json.loads((mirror / "upstream" / f"{commit}.json").read_text())
    told["files"][path] = [len(evil), told["files"][path][1], etag, None]
    (mirror / "upstream" / f"{commit}.json").write_text(json.dumps(told))
    document = mirror / "rev" / commit / "info.blobs.json"
    facts = json.loads(document.read_text())
    for sibling in facts["siblings"]:
        if sibling["rfilename"] == path:
            sibling.update(size=len(evil), lfs={"sha256": etag, "size": len(evil), "pointerSize": 1})
    document.write_text(json.dumps(facts))
    write_catalogue(Store(store))


def test_what_a_peer_told_of_a_commit_is_compared_with_the_hub(pair: Pair) -> None:
    pair.sync("a")
    (snapshot,) = pair.store("a").repository(SWAPPER).facts().snapshots.values()
    right = snapshot[RepoPath(ONNX)]
    lie(pair, "a", SWAPPER, ONNX)
    pair.follow("b")
    outcome = pair.engine("b").run(parse(BOTH))
    (problem,) = outcome.problems.items()
    assert problem[0] == f"{SWAPPER.repo_id}@main" and "a commit never changes" in str(problem[1])
    # as it says
    commit = commits(pair, "b", SWAPPER)["main"]
    for node in pair.nodes.values():
        mirror = node.store / "hub" / SWAPPER.folder / ".mirror"
        shutil.rmtree(mirror / "rev" / commit)
        (mirror / "upstream" / f"{commit}.json").unlink()
    for name, node in pair.nodes.items():
        pair.sync(name)
        assert os.readlink(node.store / "hub" / SWAPPER.folder / "snapshots" / commit / ONNX).endswith(right)
    assert not [one for one in fsck(pair.store("b")) if one.damage]
    pair.follow("b")
    assert not list(differences(read_catalogue(pair.store("a")), read_catalogue(pair.store("b"))))


def test_what_a_peer_told_is_compared_once(pair: Pair) -> None:
    pair.sync("a")
    pair.follow("b")
    asked = []
    for _run in range(2):
        pair.hub.control("reset", {})
        outcome = pair.engine("b").run(parse(BOTH))
        assert not outcome.changed and not outcome.problems
        asked.append(pair.hub.control("requests")["counts"])
    assert "tree" in asked[0] and "tree" not in asked[1]
    pair.assert_equal()


def test_what_cant_be_compared_stays_and_is_said(pair: Pair) -> None:
    """A commit that stays, whatever the Hub does, and that the Hub has no more."""
    pair.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 0})
    pair.sync("a")
    commit = commits(pair, "a", SWAPPER)["main"]
    pair.follow("b")
    pair.hub.control("delete_repo", {"repo_id": SWAPPER.repo_id})
    outcome = pair.engine("b").run(parse([{"repo_id": SWAPPER.repo_id, "revision": commit}]))
    assert not outcome.problems
    assert any("can't be compared with the Hub" in warning for warning in outcome.plan.warnings)


def test_what_was_sealed_again_without_the_hub_is_still_to_be_compared(pair: Pair) -> None:
    pair.sync("a")
    lie(pair, "a", SWAPPER, ONNX)
    pair.follow("b")
    (snapshot,) = pair.store("b").repository(SWAPPER).facts().snapshots.values()
    other = next(etag for path, etag in snapshot.items() if path != ONNX)
    assert Purge(pair.store("b"), "b", "taken down").content(other)
    (problem,) = pair.engine("b").run(parse([{"repo_id": SWAPPER.repo_id, "files": [ONNX]}])).problems.values()
    assert "a commit never changes" in str(problem)
