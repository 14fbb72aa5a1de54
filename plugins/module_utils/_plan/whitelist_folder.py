# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whitelist of several files, each of which somebody else may keep. Pure.

A file that is wrong, or gone, counts as what it said last: nobody's mistake takes away what somebody mirrors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .wanted import Wanted
from .whitelist import Taken, WhitelistError, parse
from .whitelist_files import Entries

#: Problems of one file that are told.
_TOLD = 3


@dataclass(frozen=True)
class Whitelist:
    """What is wanted.

    ``files`` has what each file says, or said last where ``problems`` says why that counts; both by the file's name.
    """

    wanted: tuple[Wanted, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[Wanted, ...]] = field(default_factory=dict)


def join_files(
    read: Mapping[str, Entries | WhitelistError], last: Mapping[str, Sequence[Wanted]], gone: Mapping[str, str]
) -> Whitelist:
    """Join what files say to one whitelist. Equal entries of two files are one.

    ``read`` is what each file says now, or why it can't be read; ``last`` what each said before. ``gone`` says of files
    that are not there where they were; one of ``last`` that it does not name is on another node, and nobody's problem.
    """
    taken = Taken()
    wanted: list[Wanted] = []
    problems: dict[str, str] = {}
    files: dict[str, tuple[Wanted, ...]] = {}
    for name in sorted(read):
        try:
            files[name] = _parse(read[name])
            wanted += _beside(files[name], taken, read[name])
        except WhitelistError as problem:
            files.pop(name, None)
            problems[name] = f"{_short(problem)}. What {name} named before stays"
    for name in sorted(last.keys() - files.keys()):
        left = [one for one in last[name] if not taken.has(one) and not taken.problems(one)]
        if not left and name not in read:
            continue  # others name all of it
        for one in left:
            taken.add(one)
        wanted += left
        files[name] = tuple(last[name])
        if name in gone and name not in read:
            problems[name] = (
                f"{gone[name]} is gone. What it named stays: put it back, or where that may go, make an empty file of"
                " that name"
            )
    return Whitelist(tuple(wanted), problems, files)


def _parse(entries: Entries | WhitelistError) -> tuple[Wanted, ...]:
    if isinstance(entries, WhitelistError):
        raise entries
    return tuple(parse(entries, entries.sources)) if entries else ()


def _beside(file: tuple[Wanted, ...], taken: Taken, entries: Entries | WhitelistError) -> list[Wanted]:
    """Let a file's entries stand beside those of others, all or none; return those that are new."""
    sources = entries.sources if isinstance(entries, Entries) else []
    found: list[str] = []
    new = [one for one in file if not _is_same(one, taken.has(one))]
    for source, one in zip(sources, file):
        if one not in new:
            continue
        other = taken.has(one)
        problems = [f"another file has {other} with other files or settings: join the two"] if other else []
        found += [f"{source} ({one}): {problem}" for problem in [*problems, *taken.problems(one)]]
    if found:
        raise WhitelistError("\n".join(found))
    for one in new:
        taken.add(one)
    return new


def _is_same(one: Wanted, other: Wanted | None) -> bool:
    """Say whether two entries mean the same; labels are for people."""
    return other is not None and dataclasses.replace(one, labels=()) == dataclasses.replace(other, labels=())


def _short(problem: WhitelistError) -> str:
    lines = str(problem).splitlines()
    more = f"; and {len(lines) - _TOLD} more" if len(lines) > _TOLD else ""
    return "; ".join(lines[:_TOLD]) + more
