# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror's life: the upstream and the whitelist change, clocks jump, people decide, runs are made and cut.

What must hold is checked after each step. The numbers are those of the invariants: 1 content, 2 closure, 3 identity,
4 one truth, 5 order, 6 roots, 7 fail closed, 8 bounded, 9 crash, 10 power loss, 11 convergence, 12 isolation, 14
limits.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import WhitelistError, parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Outcome
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from unit.engine.machine import invariants
from unit.engine.machine.disk import write
from unit.engine.machine.faulty_fs import Crash, FullFs, faulty
from unit.engine.machine.mirror import Mirror, Whitelist, scratch, served, told, visible
from unit.engine.machine.profile import MACHINE
from unit.engine.machine.rotting import Rotting
from unit.engine.machine.stories import CONTENTS, CUTS, FAULTS, REFS, REPOS, STORIES
from unit.engine.machine.upstream import StandingClock, Upstream

#: Runs after which nothing is left to be done: the first publishes and retires, the second collects.
AGAIN = range(2)


class Life(Rotting):
    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.root = self.stack.enter_context(scratch())
        self.twin_root = self.stack.enter_context(scratch())
        self.upstream, self.clock = Upstream(), StandingClock()
        self.mirror = Mirror(self.root, self.upstream, self.clock)
        self.whitelist: dict[tuple[Repo, str], dict[str, Any]] = {}
        #: What was ever listed (3), and what the last run that ended left, which is durable.
        self.known: invariants.Identities = {}
        self.settled: invariants.Identities = {}

    def teardown(self) -> None:
        self.stack.close()

    # ---- what happens

    @initialize()
    def start(self) -> None:
        for repo, more in zip(REPOS, (1, 2, 1)):
            self.upstream_changes(repo, "main", {"a.bin": CONTENTS[more], "deep/c.bin": b"", "README.md": b""})
        self.list_it(REPOS[0], "main", {"views": ["flat"], "keep": 1})
        self.list_it(REPOS[1], "main", {})
        self.list_it(REPOS[2], "main", {"allow_patterns": ["*.bin"]})
        self.begin("present")
        # what follows begins with commits that are retired, and with links that are not listed any more
        for number in (1, 2):
            for repo in REPOS[:2]:
                self.upstream_changes(repo, "main", {"b.txt": b"change" * number, "deep/c.bin": CONTENTS[number]})
            self.list_it(REPOS[2], "main", {"files": ["a.bin"]})
            self.begin("exact")
        self.clock_jumps(1.5)
        self.run(self.entries(), "present", [])

    def begin(self, state: str) -> None:
        self.uses(self.entries(), state)
        self.mirror.run(self.entries(), state)
        self.settle()

    def tell(self, story: list[tuple[Any, ...]]) -> None:
        for method, *arguments in story:
            getattr(self, method)(*arguments)

    def upstream_changes(self, repo: Repo, ref: str, edits: dict[str, bytes | None]) -> None:
        files = self.upstream.files(repo, ref) if repo in self.upstream.repos else {}
        merged = {**files, **edits}
        self.upstream.commit(repo, {path: new for path, new in merged.items() if new is not None}, ref)

    def upstream_goes_back(self, repo: Repo, place: int) -> None:
        commits = list(self.upstream.repos[repo].commits)
        self.upstream.repos[repo].refs["main"] = commits[place % len(commits)]

    def upstream_drops_all_files(self, repo: Repo, readme: bool) -> None:
        self.upstream.commit(repo, {"README.md": b"moved away"} if readme else {})

    def upstream_refuses(self, repo: Repo, gone: bool, gated: bool) -> None:
        self.upstream.repos[repo].gone, self.upstream.repos[repo].gated = gone, gated

    def upstream_sends_rubbish(self, flipped: bytes, broken: bytes) -> None:
        self.upstream.flipped, self.upstream.broken = {flipped}, {broken}

    def upstream_is_well(self) -> None:
        self.upstream.flipped, self.upstream.broken = set(), set()
        for repo in self.upstream.repos.values():
            repo.gone = repo.gated = False

    def clock_jumps(self, days: float) -> None:
        self.clock.seconds += days * 86400

    def grace_is(self, hours: int) -> None:
        self.mirror.grace = hours

    def list_it(self, repo: Repo, ref: str, options: dict[str, Any]) -> None:
        entry = {key: value for key, value in options.items() if key != "allow_patterns" or "files" not in options}
        revision = next(iter(self.upstream.repos[repo].commits)) if ref == "commit" else ref
        entry |= {"repo_id": repo.repo_id, "repo_type": repo.repo_type, "revision": revision}
        entries = {**self.whitelist, (repo, ref): entry}
        with contextlib.suppress(WhitelistError):  # two files of one name in a view
            parse(list(entries.values()))
            self.whitelist = entries

    def unlist(self, place: int) -> None:
        if len(self.whitelist) > 1:
            del self.whitelist[list(self.whitelist)[place % len(self.whitelist)]]

    # ---- what is done

    @precondition(lambda self: self.at_rest)
    @rule(story=STORIES, faults=st.lists(FAULTS, max_size=3))
    def sync(self, story: list[Any], faults: list[Any]) -> None:
        self.tell(story)
        self.run(self.entries(), "present", faults)

    @precondition(lambda self: self.at_rest)
    @rule(story=STORIES, faults=st.lists(FAULTS, max_size=2), max_delete=st.sampled_from(["0", "1", "50%", "100%"]))
    def sync_exactly(self, story: list[Any], faults: list[Any], max_delete: str) -> None:
        self.tell([("unlist", len(story)), *story])
        before = {repo.name for repo in invariants.repositories(self.root)}
        self.run(self.entries(), "exact", faults, max_delete)
        gone = len(before - {repo.name for repo in invariants.repositories(self.root)})
        limit = int(max_delete.rstrip("%"))
        assert gone * 100 <= limit * len(before) if max_delete.endswith("%") else gone <= limit  # 8

    @precondition(lambda self: self.at_rest)
    @rule(story=STORIES, faults=st.lists(FAULTS, max_size=2), exact=st.booleans())
    def sync_after_days(self, story: list[Any], faults: list[Any], exact: bool) -> None:
        self.clock_jumps(1.5)
        self.tell(story)
        self.run(self.entries(), "exact" if exact else "present", faults)

    @precondition(lambda self: self.at_rest)
    @rule(faults=st.lists(FAULTS, max_size=2), repo=st.sampled_from(REPOS), ref=st.sampled_from(REFS))
    def remove(self, faults: list[Any], repo: Repo, ref: str) -> None:
        self.run([{"repo_id": repo.repo_id, "repo_type": repo.repo_type, "revision": ref}], "absent", faults)

    @rule(story=STORIES, fault=FAULTS)
    def fail_in_a_sync(self, story: list[Any], fault: tuple[Any, ...]) -> None:
        """A run that is cut, and whatever comes after it is not the same run."""
        self.tell(story)
        self.fail(self.entries(), "present", fault, "100%")
        self.at_rest = False

    @rule(story=STORIES)
    def sync_after_that(self, story: list[Any]) -> None:
        self.tell(story)
        self.finish(self.entries(), "present", "100%")

    @precondition(lambda self: self.at_rest)
    @rule(story=STORIES, free=st.integers(0, 300), reserve=st.integers(0, 20))
    def sync_with_little_room(self, story: list[Any], free: int, reserve: int) -> None:
        self.tell(story)
        fs = FullFs(self.mirror.disk, free=(free, 1000, 1 << 20))
        self.uses(self.entries(), "present")
        self.mirror.run(self.entries(), fs=fs, reserve=reserve)
        assert fs.fetched <= max(free - 10 * reserve, 0)  # 14
        self.settle()

    @precondition(lambda self: self.at_rest)
    @rule(seed=st.integers(0, 1 << 30), how=CUTS)
    def power_goes_while_nothing_runs(self, seed: int, how: str) -> None:
        """What a run that has ended did is durable."""
        shown = visible(self.root)
        self.cut(seed, how)
        assert visible(self.root) == shown
        # what was removed is there again, until somebody recovers the store
        self.at_rest = not invariants.leftovers(self.root)

    # ---- how that is done

    def entries(self) -> Whitelist:
        return list(self.whitelist.values())

    def run(self, entries: Whitelist, state: str, faults: list[tuple[Any, ...]], max_delete: str = "100%") -> None:
        """Run until it is done, whatever happens on the way: the result is that of a run in which nothing does."""
        twin = self.twin()
        expected = attempt(twin, entries, state, max_delete)
        for fault in faults:
            self.fail(entries, state, fault, max_delete)
        before = Before(self.refs(), self.histories(), self.names("views"), self.names("pool"))
        outcome = self.finish(entries, state, max_delete, foreseen=not faults)
        for _again in AGAIN if faults else ():
            # what a cut run did the next one need not do: it collects, or has another share of what may be removed
            outcome = self.finish(entries, state, max_delete)
            attempt(twin, entries, state, max_delete)
        assert self.comparable(self.root) == self.comparable(twin.root)  # 9, 10
        if faults and isinstance(outcome, Outcome) and not outcome.problems:
            assert not self.mirror.plan(entries, state, max_delete).plan.changes  # 11
        if isinstance(outcome, MirrorError):
            assert str(outcome).replace(str(self.root), "") == str(expected).replace(str(twin.root), "")
        elif not faults:
            self.check_executed(outcome, before)
            if state == "present" and outcome.problems:
                self.check_isolation(entries, outcome)

    def twin(self) -> Mirror:
        """Return a mirror that has the same on its disk."""
        write(self.mirror.disk.now, self.twin_root)
        self.last = self.mirror.disk.now.copy()
        return Mirror(self.twin_root, self.upstream, self.clock, self.mirror.grace)

    def comparable(self, root: Path) -> dict[str, object]:
        # what is left of a content that can't be had depends on how often it was tried
        found = {path: what for path, what in served(root).items() if not path.startswith("staging/")}
        return {
            path: tuple(timeless(str(part).replace(str(root), "")) for part in what)
            if isinstance(what, tuple)
            else what
            for path, what in found.items()
        }

    def fail(self, entries: Whitelist, state: str, fault: tuple[Any, ...], max_delete: str) -> None:
        self.uses(entries, state)
        with contextlib.suppress(Crash, MirrorError, OSError):
            self.mirror.run(entries, state, faulty(self.mirror.disk, fault), max_delete)
        self.observe()
        if fault[0] == "cut":
            self.cut(*fault[2:])
            self.observe()

    def cut(self, seed: int, how: str) -> None:
        disk = self.mirror.disk
        self.mirror.boot(disk.after_power_cut(len(disk.events), Random(seed), how))
        self.known = {**self.settled}

    def finish(self, entries: Whitelist, state: str, max_delete: str, foreseen: bool = False) -> Outcome | MirrorError:
        """Run without a fault; where the store was at rest, check mode tells the same before (11)."""
        told_before = attempt_plan(self.mirror, entries, state, max_delete) if foreseen else None
        self.uses(entries, state)
        outcome = attempt(self.mirror, entries, state, max_delete)
        if foreseen and isinstance(outcome, Outcome):
            assert told(outcome) == told_before
        self.settle()
        assert not self.mirror.damage()
        if isinstance(outcome, Outcome) and not outcome.problems:
            plan = self.mirror.plan(entries, state, max_delete).plan
            plan.orphans = {}  # the kernel's time is another than the clock's: what has just lost its name looks old
            if self.mirror.grace == 0:  # what this run retired the next one collects
                plan.retention = [one for one in plan.retention if one.retire or one.spare]
            assert not plan.changes  # 11
        return outcome

    def settle(self) -> None:
        """Take note of what a run left that has ended."""
        self.at_rest = True
        invariants.ledger_is_in_order(self.root)  # 5
        listed = invariants.at_rest(self.root)  # 1, 2, 4
        self.begin_anew(self.observe(listed))
        there = {repo.name for repo in invariants.repositories(self.root)}
        self.settled = listed
        self.known = {key: etag for key, etag in self.known.items() if key[0] in there}

    def refs(self) -> dict[tuple[str, str], str]:
        return {
            (repo.name, ref): commit
            for repo in invariants.repositories(self.root)
            for ref, commit in invariants.refs(repo).items()
        }

    def histories(self) -> dict[tuple[str, str], set[str]]:
        """Return ref -> the commits that it has named."""
        found: dict[tuple[str, str], set[str]] = {}
        for record in invariants.ledger(self.root):
            if record["kind"] == "publish":
                repo = Repo(record["repo_type"], record["repo_id"])
                found.setdefault((repo.folder, record["ref"]), set()).add(record["new"])
        return found

    def names(self, folder: str) -> dict[str, str]:
        entries = (self.root / folder).glob("[!.]*")
        return {entry.name: os.readlink(entry) if entry.is_symlink() else "" for entry in entries}

    def check_executed(self, outcome: Outcome, before: Before) -> None:
        """All happened that the plan says and nothing else, but for what failed (11); no ref went back by itself."""
        expected, removal = dict(before.refs), outcome.plan.removal
        for plan in outcome.plan.repos:
            for commit in plan.commits:
                if not any(failed(outcome, str(entry)) for entry in commit.entries):
                    expected.update({(plan.repo.folder, one.ref): one.new for one in commit.publishes})
        for repo, ref in removal.refs:
            expected.pop((repo.folder, ref), None)  # what is pending, or listed by its id, is no ref
        gone = {repo.folder for repo in removal.repos}
        assert self.refs() == {key: commit for key, commit in expected.items() if key[0] not in gone}
        for key, commit in self.refs().items():
            if before.refs.get(key) not in (None, commit):
                assert commit not in before.histories[key] or self.may_rewind(key)
        fetched = self.names("pool").keys() - before.pool.keys()
        assert fetched <= outcome.plan.fetches.keys()
        if not outcome.problems:
            views = self.names("views")
            changed = {name for name in views.keys() | before.views.keys() if views.get(name) != before.views.get(name)}
            assert changed == outcome.plan.views.keys() | set(removal.views)
            removed = {etag for etag in outcome.plan.fetches if etag not in fetched}
            assert not removed or removal

    def may_rewind(self, key: tuple[str, str]) -> bool:
        return any(
            entry.get("allow_rewind") for (repo, ref), entry in self.whitelist.items() if (repo.folder, ref) == key
        )

    def check_isolation(self, entries: Whitelist, outcome: Outcome) -> None:
        """Without the repositories that fail, the others are the same (12)."""
        failing = {str(one) for one in parse(entries) if str(one) in outcome.problems}
        repos = {(one.repo_type, one.repo_id) for one in parse(entries) if str(one) in failing}
        others = [entry for entry in entries if (entry["repo_type"], entry["repo_id"]) not in repos]
        if not others:
            return
        write(self.last, self.twin_root)
        attempt(Mirror(self.twin_root, self.upstream, self.clock, self.mirror.grace), others, "present", "100%")
        folders = tuple(f"hub/{repo.folder}/" for repo in REPOS if (repo.repo_type, repo.repo_id) not in repos)
        assert contents(self.root, folders) == contents(self.twin_root, folders)

    # ---- at all times

    @invariant()
    def what_readers_see_is_whole(self) -> None:
        listed = invariants.at_any_time(self.root)  # 1, 2, 5
        for key, etag in self.known.items():
            assert listed.get(key, etag) == etag, f"{key} was {etag}"  # 3
        self.known.update(listed)


@dataclass
class Before:
    """What was there before a run: refs, what they have named, views, contents."""

    refs: dict[tuple[str, str], str]
    histories: dict[tuple[str, str], set[str]]
    views: dict[str, str]
    pool: dict[str, str]


def failed(outcome: Outcome, entry: str) -> bool:
    """Say whether an entry was not published; one that is not in its view is."""
    words = str(outcome.problems.get(entry, "view")).split("; ")
    return not all(one.startswith(("view", "the view keeps")) or "a view is public" in one for one in words)


def attempt(mirror: Mirror, entries: Whitelist, state: str, max_delete: str) -> Outcome | MirrorError:
    try:
        return mirror.run(entries, state, max_delete=max_delete)
    except MirrorError as problem:
        return problem


def attempt_plan(mirror: Mirror, entries: Whitelist, state: str, max_delete: str) -> Any:
    try:
        return told(mirror.plan(entries, state, max_delete))
    except MirrorError:
        return None


def timeless(text: str) -> str:
    """Leave out when a commit was collected: once more, where the power took back that its trash was emptied."""
    return re.sub(r'("[0-9a-f]{40}": {"time": ")[^"]*("})', r"\1\2", text)


def contents(root: Path, folders: tuple[str, ...]) -> dict[str, object]:
    """Return what is in some folders, whatever else its files are names of."""
    found = {path: what for path, what in served(root).items() if path.startswith(folders)}
    return {path: what[0] if isinstance(what, tuple) else what for path, what in found.items()}


TestLife = Life.TestCase
TestLife.settings = MACHINE
