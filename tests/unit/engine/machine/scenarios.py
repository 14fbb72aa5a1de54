# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are cut at every call: what is there before, what happens upstream, and the run itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo, RepoFacts
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.refs import (
    Change,
    freeze,
    pin,
    promote,
    rollback,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.ref_change import Decide
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
    """``before`` makes the store, ``change`` the upstream; then ``whitelist`` is run in ``state``.

    ``person`` changes something of FIRST before that. ``leaves`` says that links are left which are listed no more.
    """

    before: Callable[[Mirror], None]
    change: Callable[[Upstream], object]
    whitelist: Whitelist
    state: str = "present"
    person: Decide | None = None
    leaves: bool = False


def entry(repo: Repo, **options: object) -> dict[str, object]:
    return {"repo_id": repo.repo_id, "repo_type": repo.repo_type, **options}


PULL_REQUEST = entry(FIRST, revision="refs/pr/1", files=["README.md"])
BOTH = [entry(FIRST, views=["flat"]), entry(SECOND)]
LATEST = [entry(FIRST, views=["flat"], keep=1), entry(SECOND, keep=1)]
NARROW = [entry(FIRST, files=["model.bin", "README.md"], views=["flat"]), entry(SECOND)]
BY_HAND = [entry(FIRST, publish="manual", views=["flat"]), entry(SECOND)]


def nothing(_anything: object) -> None:
    return


def publish_both(mirror: Mirror) -> None:
    mirror.run(BOTH)


def publish_some(mirror: Mirror) -> None:
    mirror.run([entry(FIRST, files=["model.bin"], views=["flat"])])


def publish_in_one_view(mirror: Mirror) -> None:
    mirror.run([entry(FIRST, views=["flat", "own"]), entry(SECOND, views=["flat"])])


def publish_twice(mirror: Mirror) -> None:
    """Several commits, a ref below refs/, and a commit by its id."""
    mirror.run(BOTH)
    move(mirror.upstream)
    pinned = next(iter(mirror.upstream.repos[SECOND].commits))
    mirror.run([*BOTH, entry(FIRST, revision="refs/pr/1"), entry(SECOND, revision=pinned)])


def publish_and_move(mirror: Mirror) -> None:
    mirror.run(LATEST)
    move(mirror.upstream)
    mirror.run(LATEST)


def retire(mirror: Mirror) -> None:
    """A commit was replaced, and its grace is over; it has contents of its own, and others that stay."""
    publish_and_move(mirror)
    wait(mirror, LATEST)


def retire_several(mirror: Mirror) -> None:
    """Several commits, of two repositories: a content goes with the last of them."""
    mirror.run(LATEST)
    move(mirror.upstream)
    mirror.run(LATEST)
    mirror.upstream.commit(FIRST, {"model.bin": b"newer weights"})
    mirror.upstream.commit(SECOND, {"data/rows.txt": b"rows"})
    mirror.run(LATEST)
    wait(mirror, LATEST)


def narrow(mirror: Mirror) -> None:
    mirror.run(BOTH)
    mirror.run(NARROW, "exact")
    wait(mirror, NARROW, "exact")


def pend(mirror: Mirror) -> None:
    mirror.run(BOTH)
    move(mirror.upstream)
    mirror.run(BY_HAND)


def wait(mirror: Mirror, whitelist: Whitelist, state: str = "present") -> None:
    """Let the grace pass: no pause between two runs counts for more than two days."""
    mirror.clock.seconds += 40 * 3600
    mirror.run(whitelist, state)
    mirror.clock.seconds += 40 * 3600


def publish_pull_request(mirror: Mirror) -> None:
    mirror.run([PULL_REQUEST])


def first_commit(facts: RepoFacts) -> str:
    """Return the commit that main named first."""
    return facts.history["main"][0]


def go_back(facts: RepoFacts) -> Change:
    return rollback(FIRST, facts, "main", first_commit(facts))


def promote_pending(facts: RepoFacts) -> Change:
    (pending,) = facts.snapshots.keys() - {first_commit(facts)}
    return promote(FIRST, facts, "main", pending)


def pin_first(facts: RepoFacts) -> Change:
    return pin(FIRST, facts, first_commit(facts))


def freeze_main(facts: RepoFacts) -> Change:
    return freeze(FIRST, facts, "main")


def move_pull_request(upstream: Upstream) -> None:
    upstream.commit(FIRST, {"README.md": b"a better model"}, "refs/pr/1")


def move(upstream: Upstream) -> None:
    """A file changes, one goes, one is renamed, one comes that the other repository has."""
    files = {**FILES, "model.bin": b"new weights", "deep/rows.txt": OTHER["data/rows.txt"]}
    files["renamed/weights.bin"] = files.pop("deep/er/weights.bin")
    del files["empty.txt"]
    upstream.commit(FIRST, files)


def gate(upstream: Upstream) -> None:
    """A commit that only some may see, in a repository that everybody could."""
    move(upstream)
    upstream.repos[FIRST].card = {"gated": "auto"}


def start() -> Upstream:
    upstream = Upstream()
    upstream.commit(FIRST, FILES, "refs/pr/1")
    upstream.commit(FIRST, FILES)
    upstream.commit(SECOND, OTHER)
    return upstream


SCENARIOS = {
    "first publish": Scenario(nothing, nothing, [*BOTH, entry(FIRST, revision="refs/pr/1")]),
    "moved ref": Scenario(publish_both, move, LATEST),
    "moved ref, by hand": Scenario(publish_both, move, BY_HAND),
    "moved pull request": Scenario(publish_pull_request, move_pull_request, [PULL_REQUEST]),
    "widening": Scenario(publish_some, nothing, [entry(FIRST)]),
    "views": Scenario(publish_both, nothing, [entry(FIRST, views=["flat", "other"]), entry(SECOND, views=["flat"])]),
    "removal of all but one ref": Scenario(publish_twice, nothing, [entry(FIRST, revision="refs/pr/1")], "exact"),
    "removal of a repository": Scenario(publish_both, nothing, [entry(SECOND)], "absent"),
    "removal of a ref": Scenario(publish_twice, nothing, [entry(FIRST, revision="refs/pr/1")], "absent"),
    "collection": Scenario(retire_several, nothing, LATEST),
    "narrowing": Scenario(publish_both, nothing, NARROW, "exact", leaves=True),
    "trimming": Scenario(narrow, nothing, NARROW, "exact"),
    "a person promotes": Scenario(pend, nothing, BY_HAND, person=promote_pending),
    "a person rolls back": Scenario(retire, nothing, LATEST, person=go_back),
    "a person pins what was to go": Scenario(retire, nothing, LATEST, person=pin_first),
    "a person freezes": Scenario(publish_both, move, BOTH, person=freeze_main),
    "gated": Scenario(publish_in_one_view, gate, [entry(FIRST), entry(SECOND)]),
    "nothing to do": Scenario(publish_both, nothing, BOTH),
}
