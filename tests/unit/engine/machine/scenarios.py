# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are cut at every call: what is there before, what happens upstream, and the run itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.modelops.hf_mirror.plugins.module_utils._facts import Repo
from unit.engine.machine.mirror import Mirror, Whitelist
from unit.engine.machine.upstream import Upstream

FIRST, SECOND = Repo("model", "org/first"), Repo("dataset", "org/second")
SHARED = b"the content that both repositories have" * 2
FILES = {
    "model.bin": SHARED,
    "README.md": b"a model",
    "empty.txt": b"",
    "deep/er/weights.bin": b"weights" * 10,
}
OTHER = {"data/shared.bin": SHARED, "data/rows.txt": b"rows", "data/own.bin": b"what nobody else has"}


@dataclass(frozen=True)
class Scenario:
    """``before`` makes the store, ``change`` the upstream; then ``whitelist`` is run in ``state``."""

    before: Callable[[Mirror], None]
    change: Callable[[Upstream], object]
    whitelist: Whitelist
    state: str = "present"


def entry(repo: Repo, **options: object) -> dict[str, object]:
    return {"repo_id": repo.repo_id, "repo_type": repo.repo_type, **options}


PULL_REQUEST = entry(FIRST, revision="refs/pr/1", files=["README.md"])
BOTH = [entry(FIRST, views=["flat"]), entry(SECOND)]


def nothing(_anything: object) -> None:
    return


def publish_both(mirror: Mirror) -> None:
    mirror.run(BOTH)


def publish_some(mirror: Mirror) -> None:
    mirror.run([entry(FIRST, files=["model.bin"], views=["flat"])])


def publish_twice(mirror: Mirror) -> None:
    """Several commits, a ref below refs/, and a commit by its id."""
    mirror.run(BOTH)
    move(mirror.upstream)
    pinned = next(iter(mirror.upstream.repos[SECOND].commits))
    mirror.run([*BOTH, entry(FIRST, revision="refs/pr/1"), entry(SECOND, revision=pinned)])


def publish_pull_request(mirror: Mirror) -> None:
    mirror.run([PULL_REQUEST])


def move_pull_request(upstream: Upstream) -> None:
    upstream.commit(FIRST, {"README.md": b"a better model"}, "refs/pr/1")


def move(upstream: Upstream) -> None:
    """A file changes, one goes, one is renamed, one comes that the other repository has."""
    files = {**FILES, "model.bin": b"new weights", "deep/rows.txt": OTHER["data/rows.txt"]}
    files["renamed/weights.bin"] = files.pop("deep/er/weights.bin")
    del files["empty.txt"]
    upstream.commit(FIRST, files)


def start() -> Upstream:
    upstream = Upstream()
    upstream.commit(FIRST, FILES, "refs/pr/1")
    upstream.commit(FIRST, FILES)
    upstream.commit(SECOND, OTHER)
    return upstream


SCENARIOS = {
    "first publish": Scenario(nothing, nothing, [*BOTH, entry(FIRST, revision="refs/pr/1")]),
    "moved ref": Scenario(publish_both, move, BOTH),
    "moved ref, by hand": Scenario(publish_both, move, [entry(FIRST, publish="manual", views=["flat"]), entry(SECOND)]),
    "moved pull request": Scenario(publish_pull_request, move_pull_request, [PULL_REQUEST]),
    "widening": Scenario(publish_some, nothing, [entry(FIRST)]),
    "views": Scenario(publish_both, nothing, [entry(FIRST, views=["flat", "other"]), entry(SECOND, views=["flat"])]),
    "removal of all but one ref": Scenario(publish_twice, nothing, [entry(FIRST, revision="refs/pr/1")], "exact"),
    "removal of a repository": Scenario(publish_both, nothing, [entry(SECOND)], "absent"),
    "removal of a ref": Scenario(publish_twice, nothing, [entry(FIRST, revision="refs/pr/1")], "absent"),
    "nothing to do": Scenario(publish_both, nothing, BOTH),
}
