# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people decide about a mirror, and what must stay whatever is decided and done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan import refs as _refs
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo, RepoFacts
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.plan import Publish
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.ref_change import BehindError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from unit.engine.machine import invariants, retained
from unit.engine.machine.faulty_fs import Crash, faulty
from unit.engine.machine.mirror import Mirror, Whitelist, visible
from unit.engine.machine.stories import DECISIONS, FAULTS
from unit.engine.machine.upstream import StandingClock

Ref = tuple[str, str]


class People(RuleBasedStateMachine):
    root: Path
    clock: StandingClock
    mirror: Mirror
    cut: Callable[[int, str], None]
    settle: Callable[[], None]

    def __init__(self) -> None:
        super().__init__()
        self.at_rest = True
        #: What the last run that ended left, and the marks that were seen since.
        self.baseline = retained.Look()
        self.keep: dict[Ref, int] = {}
        self.is_exact = False
        self.rejected: dict[Ref, set[str]] = {}
        self.frozen: set[Ref] = set()
        #: Refs of which a person does not know whether a decision was carried out.
        self.unsure: set[Ref] = set()

    # ---- what people do

    @rule(decisions=st.lists(DECISIONS, min_size=1, max_size=4), fault=st.none() | FAULTS)
    def people_decide(self, decisions: list[tuple[Any, ...]], fault: tuple[Any, ...] | None) -> None:
        for decision in decisions[:-1]:
            self.decide(*decision)
        self.decide(*decisions[-1], fault=fault)

    def decide(self, what: str, repo: Repo, ref: str, place: int | None, fault: tuple[Any, ...] | None = None) -> None:
        key = (repo.folder, ref)
        before = self.baseline.refs.get(key) if self.at_rest else None
        shown = visible(self.root)
        try:
            change = self.mirror.change(repo, decision(what, repo, ref, place), faulty(self.mirror.disk, fault))
        except (Crash, MirrorError, OSError) as problem:
            if isinstance(problem, BehindError):  # it is done, but for a view or the like
                self.unsure.add(key)
                self.settle() if self.at_rest else self.observe()
            elif fault:
                self.unsure.add(key)
                self.at_rest = False
                self.observe()
                if fault[0] == "cut":
                    self.cut(*fault[2:])
                    self.observe()
            elif self.at_rest:
                assert visible(self.root) == shown
            return
        if isinstance(change, Publish):
            assert invariants.refs(self.root / "hub" / repo.folder)[ref] == change.new
            left = self.rejected.setdefault(key, set())
            left.discard(change.new)
            if change.is_rollback and change.old:
                left.add(change.old)
            self.baseline.refs[key] = change.new
        elif what in ("freeze", "unfreeze"):
            (self.frozen.add if what == "freeze" else self.frozen.discard)(key)
        assert before is None or isinstance(change, Publish) or self.baseline.refs[key] == before
        if self.at_rest:
            self.settle()
        else:
            self.observe()

    # ---- what must stay

    def uses(self, entries: Whitelist, state: str) -> None:
        """Take note of the whitelist that a run goes by; one that takes away goes by none."""
        self.keep = {}
        self.is_exact = self.is_exact or state == "exact"
        for one in parse(entries) if state != "absent" else ():
            key = (Repo(one.repo_type, one.repo_id).folder, one.revision)
            self.keep[key] = max(one.keep, self.keep.get(key, 0))

    def observe(self, listed: invariants.Identities | None = None) -> retained.Look:
        """See that nothing went that had to stay, and no ref moved that people decided about."""
        now = retained.look(self.root, self.keep, listed or invariants.at_any_time(self.root))
        before = self.baseline
        age = retained.age(self.root, self.clock.seconds)
        retained.check(before, now, age, self.mirror.grace * 3600, self.is_exact)
        for key, commit in now.refs.items():
            if before.refs.get(key, commit) != commit and key not in self.unsure:
                assert key not in self.frozen, f"{key} is frozen and moved"
                assert commit not in self.rejected.get(key, ()), f"{key} names what a person went back from"
        for key in before.refs.keys() - now.refs.keys():
            self.rejected.pop(key, None)
            self.frozen.discard(key)
        before.refs = now.refs
        # what comes may go with the power, what went need not come back
        before.sealed &= now.sealed
        before.links &= now.links
        before.listed = {link: etag for link, etag in before.listed.items() if link in now.listed}
        before.retired.update(now.retired)
        before.narrowed.update(now.narrowed)
        return now

    def begin_anew(self, now: retained.Look) -> None:
        """Go by what is there now: a run has ended, all is durable."""
        self.baseline = now
        self.is_exact = False
        for repo, ref in self.unsure:
            self.rejected[repo, ref] = retained.rejected(self.root, repo, ref)
            self.frozen.discard((repo, ref))
            if ref in retained.frozen(self.root, repo):
                self.frozen.add((repo, ref))
        self.unsure.clear()


def decision(what: str, repo: Repo, ref: str, place: int | None) -> Callable[[RepoFacts], _refs.Change]:
    """Return a person's decision about one of the commits that are here."""

    def decide(facts: RepoFacts) -> _refs.Change:
        sealed = sorted(facts.snapshots)
        commit = sealed[place % len(sealed)] if place is not None and sealed else None
        if what == "promote":
            return _refs.promote(repo, facts, ref, commit)
        if what == "rollback":
            return _refs.rollback(repo, facts, ref, commit)
        if what in ("pin", "unpin"):
            return _refs.pin(repo, facts, commit or ref, what == "pin")
        return _refs.freeze(repo, facts, ref, what == "freeze")

    return decide
