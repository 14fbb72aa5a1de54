# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair's life: either node syncs, follows, is decided about and cut, together or apart from the other one.

13 of the invariants: both agree once they see each other, and no ref goes to a lower serial.
"""

from __future__ import annotations

import contextlib
import itertools
import uuid
from random import Random
from typing import Any
from unittest.mock import patch

from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.purge import Purge
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from unit.engine.machine import invariants
from unit.engine.machine.faulty_fs import Crash, CrashingFs, faulty
from unit.engine.machine.mirror import Mirror, scratch
from unit.engine.machine.pair import assert_equal, follow, serials
from unit.engine.machine.people import decision
from unit.engine.machine.profile import MACHINE
from unit.engine.machine.stories import CONTENTS, DECISIONS, EDITS, FAULTS, REPOS
from unit.engine.machine.upstream import StandingClock, Upstream

NODES = st.sampled_from(["a", "b"])


class Pair(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        # by which nodes agree on what they decided at once: the same ones each time
        ids = itertools.count(1)
        self.stack.enter_context(patch.object(uuid, "uuid4", lambda: uuid.UUID(int=next(ids))))
        self.upstream, self.clock = Upstream(), StandingClock()
        self.mirrors = {}
        for name in ("a", "b"):
            self.mirrors[name] = Mirror(self.stack.enter_context(scratch()), self.upstream, self.clock, grace=24)
        self.whitelist = [
            {"repo_id": REPOS[0].repo_id, "views": ["flat"], "keep": 1},
            {"repo_id": REPOS[1].repo_id, "publish": "manual", "keep": 2},
            {"repo_id": REPOS[2].repo_id, "repo_type": "dataset", "allow_patterns": ["*.bin", "*.md"]},
        ]
        self.serials: dict[str, dict[tuple[str, str], int]] = {"a": {}, "b": {}}
        #: Nodes on which something was cut short, and not all that readers see is durable yet.
        self.unsettled: set[str] = set()

    def teardown(self) -> None:
        self.stack.close()

    @initialize()
    def start(self) -> None:
        for repo in REPOS:
            self.upstream_changes(repo, {"a.bin": CONTENTS[1], "deep/c.bin": b"", "README.md": b""})
        self.sync("a", None)
        self.follow("b", None)

    @rule(repo=st.sampled_from(REPOS), edits=EDITS)
    def upstream_changes(self, repo: Repo, edits: dict[str, bytes | None]) -> None:
        files = self.upstream.files(repo) if repo in self.upstream.repos else {}
        merged = {"README.md": b"about", **files, **edits, "a.bin": edits.get("a.bin") or CONTENTS[2]}
        merged["deep/er/b.txt"] = None  # two files of one name are no view, as both nodes say
        self.upstream.commit(repo, {path: new for path, new in merged.items() if new is not None})

    @rule(days=st.sampled_from([-1, 0.05, 0.6, 1.5, 400]))
    def clock_jumps(self, days: float) -> None:
        self.clock.seconds += days * 86400

    @rule(node=NODES, fault=st.none() | FAULTS)
    def sync(self, node: str, fault: tuple[Any, ...] | None) -> None:
        self.attempt(node, fault, lambda mirror, fs: mirror.run(self.whitelist, fs=fs))

    @rule(node=NODES, gone=st.integers(0, 2))
    def sync_less(self, node: str, gone: int) -> None:
        less = [entry for place, entry in enumerate(self.whitelist) if place != gone]
        self.attempt(node, None, lambda mirror, fs: mirror.run(less, "exact", fs))

    @rule(node=NODES, fault=st.none() | FAULTS)
    def follow(self, node: str, fault: tuple[Any, ...] | None) -> None:
        peer = self.mirrors["b" if node == "a" else "a"]
        self.attempt(node, fault, lambda mirror, fs: follow(mirror, peer, fs))

    @rule(node=NODES, decided=DECISIONS, fault=st.none() | FAULTS)
    def decide(self, node: str, decided: tuple[Any, ...], fault: tuple[Any, ...] | None) -> None:
        what, repo, _ref, place = decided
        self.clock.seconds += 1  # people decide one after the other
        self.attempt(node, fault, lambda mirror, fs: mirror.change(repo, decision(what, repo, "main", place), fs))

    @rule(node=NODES, place=st.integers(0, 5), lift=st.booleans(), fault=st.none() | FAULTS)
    def purge(self, node: str, place: int, lift: bool, fault: tuple[Any, ...] | None) -> None:
        self.clock.seconds += 1

        def take_down(mirror: Mirror, fs: CrashingFs) -> None:
            names = sorted(blob.name for blob in (mirror.root / "pool").iterdir())
            if names:
                Purge(Store(mirror.root, fs, self.clock), "a person", "", lift).content(names[place % len(names)])

        self.attempt(node, fault, take_down)

    @rule(node=NODES, seed=st.integers(0, 1 << 30))
    def power_goes(self, node: str, seed: int) -> None:
        disk = self.mirrors[node].disk
        self.mirrors[node].boot(disk.after_power_cut(len(disk.events), Random(seed), "any"))
        if node in self.unsettled:
            self.serials[node] = {}

    @rule(first=NODES)
    def they_see_each_other(self, first: str) -> None:
        second = "b" if first == "a" else "a"
        other = {first: second, second: first}
        for node in (first, second):
            done = follow(self.mirrors[node], self.mirrors[other[node]])
            # one that was cut tells what it had before until it has followed itself
            assert not done.problems or other[node] in self.unsettled
        for node in (first, second):
            assert not follow(self.mirrors[node], self.mirrors[other[node]]).problems
        self.unsettled.clear()
        assert_equal(self.mirrors["a"], self.mirrors["b"])
        for mirror in self.mirrors.values():
            assert not mirror.damage()
            invariants.at_rest(mirror.root)

    def attempt(self, node: str, fault: tuple[Any, ...] | None, act: Any) -> None:
        mirror = self.mirrors[node]
        if fault:
            self.unsettled.add(node)
        with contextlib.suppress(Crash, MirrorError, OSError):
            act(mirror, faulty(mirror.disk, fault))
        if fault and fault[0] == "cut":
            mirror.boot(mirror.disk.after_power_cut(len(mirror.disk.events), Random(fault[2]), fault[3]))
            self.serials[node] = {}  # what was not durable may be lost

    @invariant()
    def what_readers_see_is_whole(self) -> None:
        for name, mirror in self.mirrors.items():
            if (mirror.root / "hub").is_dir():
                invariants.at_any_time(mirror.root)
            now = serials(mirror.root)
            for key, serial in self.serials[name].items():
                assert now.get(key, serial) >= serial, f"{key} went to a lower serial"
            self.serials[name] = now


TestPair = Pair.TestCase
TestPair.settings = MACHINE
