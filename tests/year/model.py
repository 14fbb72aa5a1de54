# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mirror should be, by the rules as the documentation tells them, with none of the engine's own code.

It knows what the upstream has, what the whitelist says and what people decided, and does the same things to values in
memory that the engine does to a disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import File, Repo

from year.upstream import YearUpstream

_LONGEST_PAUSE = 2 * 86400
_REMEMBERED = 100
Files = Mapping[str, File]


@dataclass(frozen=True)
class Entry:
    """An entry of the whitelist."""

    repo: Repo
    keep: int = 2
    is_manual: bool = False
    allow_rewind: bool = False

    def to_json(self) -> dict[str, object]:
        """Return it as a whitelist has it."""
        return {
            "repo_id": self.repo.repo_id,
            "repo_type": self.repo.repo_type,
            "keep": self.keep,
            "publish": "manual" if self.is_manual else "auto",
            "allow_rewind": self.allow_rewind,
        }


@dataclass
class Known:
    """A repository. ``history`` has what its ref named, the oldest first, and whether a person went back to that."""

    ref: str | None = None
    history: list[tuple[str, bool]] = field(default_factory=list)
    sealed: dict[str, Files] = field(default_factory=dict)
    retired: dict[str, float] = field(default_factory=dict)
    pending: str | None = None
    pins: set[str] = field(default_factory=set)
    is_frozen: bool = False

    def copy(self) -> Known:
        return Known(
            self.ref,
            list(self.history),
            dict(self.sealed),
            dict(self.retired),
            self.pending,
            set(self.pins),
            self.is_frozen,
        )

    def name(self, commit: str, is_rollback: bool = False) -> None:
        """Let the ref name a commit."""
        self.history = [*self.history, (commit, is_rollback)][-_REMEMBERED:]
        self.ref = commit
        if self.pending == commit:
            self.pending = None

    @property
    def rejected(self) -> set[str]:
        """Return what a person went back from and nobody published again."""
        found: set[str] = set()
        before = ""
        for commit, is_rollback in self.history:
            found.discard(commit)
            if is_rollback:
                found.add(before)
            before = commit
            if not commit:
                found.clear()
        return found

    @property
    def earlier(self) -> list[str]:
        """Return what a person can go back to, the last first."""
        named = dict.fromkeys(commit for commit, _went_back in reversed(self.history))
        return [one for one in named if one in self.sealed and one != self.ref and one not in self.rejected]

    def roots(self, keep: int | None) -> set[str]:
        """Return the commits that something names; without ``keep`` all that were ever published."""
        newest_first = list(dict.fromkeys(commit for commit, _went_back in reversed(self.history) if commit))
        published = newest_first[:keep] if self.ref else []
        return {one for one in (self.ref, self.pending, *self.pins, *published) if one in self.sealed}

    def retention(self, keep: int | None, age: float, grace: float) -> tuple[set[str], set[str], set[str]]:
        """Return what is to be retired, what is to be spared, what is to go."""
        roots = self.roots(keep)
        loose = self.sealed.keys() - roots
        due = {one for one in loose if one in self.retired and self.retired[one] + grace <= age}
        return loose - self.retired.keys(), roots & self.retired.keys(), due


class Model:
    """A store. ``waiting`` are contents that came for commits which could not be completed."""

    def __init__(self, grace: float) -> None:
        self.grace = grace
        self.repos: dict[Repo, Known] = {}
        self.keep: dict[Repo, int] = {}
        self.waiting: dict[str, int] = {}
        self.published = self.collected = 0
        self._past: dict[Repo, list[tuple[str, bool]]] = {}
        self._age = 0.0
        self._last: float | None = None

    def look(self) -> dict[Repo, Known]:
        """Return all repositories as they are now."""
        return {repo: known.copy() for repo, known in self.repos.items()}

    # ---- a run

    def run(
        self, whitelist: Iterable[Entry], upstream: YearUpstream, now: float, max_delete: str | None, real_now: float
    ) -> set[str]:
        """Do what a run that is not killed does, and return the names under which something fails."""
        entries = {entry.repo: entry for entry in whitelist}
        self.keep = {repo: entry.keep for repo, entry in entries.items()}
        age = self._age_at(now)
        problems: set[str] = set()
        going = self._surplus(entries, max_delete, problems)
        foreseen = self.look()
        # what has no name goes when the kernel's time of its last change is a grace ago
        left = dict(self.waiting) if now - self.grace <= real_now else {}
        for entry in entries.values():
            known = self.repos.get(entry.repo) or Known(history=list(self._past.get(entry.repo, [])))
            target = _target(entry, known, upstream)
            if target is None:
                problems.add(f"{entry.repo}@main")
                continue
            _follow(entry, foreseen.setdefault(entry.repo, known.copy()), target, upstream)
            if target not in known.sealed and upstream.corrupt(entry.repo, target):
                problems.add(f"{entry.repo}@main")
                left |= _sizes([upstream.declared(entry.repo, target)])
                continue
            self.repos[entry.repo] = known
            self.published += _follow(entry, known, target, upstream)
        for repo in going:
            history = self.repos.pop(repo).history
            self._past[repo] = [*history, ("", False)] if history and history[-1][0] else history
        for repo, known in self.repos.items():
            self._retain(known, foreseen[repo], self.keep.get(repo), age)
        named = self.contents()
        self.waiting = {etag: size for etag, size in left.items() if etag not in named}
        self._age, self._last = age, now
        return problems

    def _age_at(self, now: float) -> float:
        passed = 0.0 if self._last is None else now - self._last
        return self._age + min(max(passed, 0.0), _LONGEST_PAUSE)

    def _surplus(self, entries: Mapping[Repo, Entry], max_delete: str | None, problems: set[str]) -> list[Repo]:
        if max_delete is None:
            return []
        going = [repo for repo in self.repos if repo not in entries]
        if max_delete.endswith("%"):
            share = int(max_delete[:-1])
            sizes = {repo: sum(_sizes(known.sealed.values()).values()) for repo, known in self.repos.items()}
            lost = sum(sizes[repo] for repo in going)
            fits = len(going) * 100 <= share * len(sizes) and lost * 100 <= share * sum(sizes.values())
        else:
            fits = len(going) <= int(max_delete)
        if not fits:
            problems.add("max_delete")
        return going if fits else []

    def _retain(self, known: Known, foreseen: Known, keep: int | None, age: float) -> None:
        """Only what the plan says is done, and of that only what is still right."""
        planned, actual = foreseen.retention(keep, age, self.grace), known.retention(keep, age, self.grace)
        retire, spare, collect = (one & other for one, other in zip(planned, actual))
        known.retired.update(dict.fromkeys(retire, age))
        for commit in spare | collect:
            del known.retired[commit]
        for commit in collect:
            del known.sealed[commit]
        self.collected += len(collect)

    # ---- what there is

    def contents(self, only_roots: bool = False) -> dict[str, int]:
        """Return etag -> bytes of what is sealed, or of what something names."""
        return _sizes(
            files
            for repo, known in self.repos.items()
            for commit, files in known.sealed.items()
            if not only_roots or commit in known.roots(self.keep.get(repo))
        )


def _target(entry: Entry, known: Known, upstream: YearUpstream) -> str | None:
    """Return the commit that a run goes for, or None where it can't or must not have one."""
    if known.is_frozen:
        return known.ref
    there = upstream.repos[entry.repo]
    if there.gone or there.gated:
        return None
    target = there.refs["main"]
    if target in known.rejected:
        return known.ref
    if known.ref and target != known.ref:
        went_back = target in {commit for commit, _went_back in known.history}
        emptied = _substance(known.sealed[known.ref]) and not _substance(there.commits[target])
        if (went_back and not entry.allow_rewind) or emptied:
            return None
    return target


def _follow(entry: Entry, known: Known, target: str, upstream: YearUpstream) -> bool:
    """Seal and publish a commit, or let it wait for a person. Says whether it was published."""
    if target not in known.sealed:
        known.sealed[target] = upstream.declared(entry.repo, target)
    if target == known.ref:
        return False
    if entry.is_manual:
        known.pending = target
        return False
    known.name(target)
    return True


def _substance(paths: Iterable[str]) -> set[str]:
    return set(paths) - {"README.md", ".gitattributes"}


def _sizes(listings: Iterable[Files]) -> dict[str, int]:
    return {file.etag: file.size for files in listings for file in files.values()}
