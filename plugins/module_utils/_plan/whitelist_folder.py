# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whitelist of several files, each of which somebody else may keep. Pure.

A file that is wrong, or gone, counts as what it said last; and what a file has nobody else's file takes from it. So
nobody's mistake takes away what somebody mirrors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .wanted import Wanted
from .whitelist import Taken, WhitelistError, parse
from .whitelist_files import Entries

#: Entries of a file, and their bytes, an alias counted for what it stands for; then of all files.
MOST_ENTRIES, MOST_ENTRY_BYTES = 5_000, 2 << 20
MOST_IN_ALL = 4


@dataclass(frozen=True)
class Whitelist:
    """What is wanted.

    ``files`` has what each file says, or said last where ``problems`` says why that counts; both by the file's name.
    ``said`` has what files say here, also those that are ``older`` than what another node told.
    """

    wanted: tuple[Wanted, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[Wanted, ...]] = field(default_factory=dict)
    said: Mapping[str, tuple[Wanted, ...]] = field(default_factory=dict)
    older: tuple[str, ...] = ()


Read = Mapping[str, "Entries | WhitelistError"]
Last = Mapping[str, Sequence[Wanted]]


def join_files(
    read: Read,
    last: Last,
    gone: Mapping[str, str],
    is_older: Callable[[str, tuple[Wanted, ...]], bool] = lambda _name, _said: False,
) -> Whitelist:
    """Join what files say to one whitelist. Equal entries of two files are one.

    ``read`` is what each file says now, or why it can't be read; ``last`` what each said before. ``gone`` says of files
    that are not there where they were; one of ``last`` that it does not name is on another node, and nobody's problem.
    ``is_older`` says whether what a file says is older than what it said last, on another node.
    """
    said, problems = _parsed(read, last)
    older = tuple(name for name, wanted in said.items() if name in last and is_older(name, wanted))
    now = {name: tuple(last[name]) if name in older else wanted for name, wanted in said.items()}
    placed = _Placed(now, last)
    while placed.wrong:
        problems |= placed.wrong
        now = {name: wanted for name, wanted in now.items() if name not in placed.wrong}
        placed = _Placed(now, last)
    problems |= {name: text for name, text in placed.lost.items() if name not in problems}
    files = dict(now)
    here = {_key(one): one for entries in now.values() for one in entries}
    for name, entries in last.items():
        if name in now:
            continue
        # of what is gone nothing is missed that other files have as it was
        is_missed = any(not _is_same(one, here.get(_key(one))) for one in entries)
        if name in read or is_missed:
            files[name] = tuple(entries)
        if name in gone and name not in read and is_missed:
            problems[name] = (
                f"{gone[name]} is missing. Its entries stay wanted. Restore it; or, to drop its entries, create an"
                " empty file of that name"
            )
    return Whitelist(tuple(placed.wanted), dict(sorted(problems.items())), files, said, older)


def _parsed(read: Read, last: Last) -> tuple[dict[str, tuple[Wanted, ...]], dict[str, str]]:
    """Return what each file says that is right by itself, and what is wrong with the others."""
    said: dict[str, tuple[Wanted, ...]] = {}
    problems: dict[str, str] = {}
    entries = size = 0
    for name in sorted(read):
        try:
            said[name] = _parse(read[name])
            entries, size = entries + len(said[name]), size + size_of(said[name])
            if not is_within(entries, size):
                del said[name]
                raise WhitelistError(f"{name}: all files together have too many or too long entries")
        except WhitelistError as problem:
            problems[name] = _told(name, problem, last)
    return said, problems


def _parse(entries: Entries | WhitelistError) -> tuple[Wanted, ...]:
    if isinstance(entries, WhitelistError):
        raise entries
    if len(entries) > MOST_ENTRIES:
        raise WhitelistError(f"{entries.sources[0]}: the file has {len(entries)} entries, more than {MOST_ENTRIES}")
    wanted = tuple(parse(entries, entries.sources)) if entries else ()
    if size_of(wanted) > MOST_ENTRY_BYTES:
        raise WhitelistError(f"{entries.sources[0]}: the file's entries have more than {MOST_ENTRY_BYTES >> 20} MiB")
    return wanted


def size_of(wanted: Sequence[Wanted]) -> int:
    """Return about how many bytes entries have where they are written out."""
    several = ((one.files, one.allow_patterns, one.ignore_patterns, one.formats_allow, one.views) for one in wanted)
    names = (name for lists in several for each in lists for name in each or ())
    return sum(len(name.encode()) + 4 for name in names) + 200 * len(wanted)


def is_within(entries: int, size: int, times: int = 1) -> bool:
    """Say whether so many entries of so many bytes are no more than all files may have, or some ``times`` that."""
    return entries <= times * MOST_IN_ALL * MOST_ENTRIES and size <= times * MOST_IN_ALL * MOST_ENTRY_BYTES


class _Placed:
    """Entries that stand side by side.

    ``wrong`` says why those of a file can't, ``lost`` the same of what stands in for files that are wrong or gone.
    """

    def __init__(self, now: Last, last: Last) -> None:
        self.wanted: list[Wanted] = []
        self.wrong: dict[str, str] = {}
        self.lost: dict[str, str] = {}
        self._taken, self._owners = Taken(), dict[Wanted, str]()
        for name, one in _in_order(now, last):
            problem = self._place(name, one)
            if problem and name in now:
                self.wrong.setdefault(name, _told(name, WhitelistError(f"{name} ({one}): {problem}"), last))
            elif problem:
                self.lost.setdefault(name, f"{name} is invalid or missing, and its entry {one} is ignored: {problem}")

    def _place(self, name: str, one: Wanted) -> str:
        other = self._taken.has(one)
        if _is_same(one, other):
            return ""
        found = self._taken.problems(one)
        if other:
            return f"{self._owners[other]} has it with other files or settings: merge the two"
        if not found:
            self._taken.add(one)
            self._owners[one] = name
            self.wanted.append(one)
        return "; ".join(found)


def _in_order(now: Last, last: Last) -> Iterator[tuple[str, Wanted]]:
    """Yield each file's entries: those that are as they were, those that are otherwise now, new ones; by file name."""
    for is_kept, is_equal in ((True, True), (True, False), (False, False)):
        for name in sorted({*now, *last}):
            before = {_key(one): one for one in last.get(name, ())}
            for one in now.get(name, last.get(name, ())):
                old = before.get(_key(one))
                if (old is not None, _is_same(one, old)) == (is_kept, is_equal):
                    yield name, one


def _key(one: Wanted) -> tuple[str, str, str]:
    return one.repo_type, one.repo_id.lower(), one.revision


def _is_same(one: Wanted, other: Wanted | None) -> bool:
    """Say whether two entries mean the same; labels are for people."""
    return other is not None and dataclasses.replace(one, labels=()) == dataclasses.replace(other, labels=())


def _told(name: str, problem: WhitelistError, last: Last) -> str:
    """Return what is told of a file that is wrong: of many problems the first, and what counts instead."""
    stays = f"The previous entries of {name} stay wanted" if last.get(name) else f"{name} is ignored until it is fixed"
    return f"{problem.brief()}. {stays}"
