# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whitelist: what is wanted. Pure: no Ansible, no network, no disk.

What names may be is ``names``' concern: the Hub's own limits, narrowed by what plain nginx can serve.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Callable, TypeVar

from .._base.errors import MirrorError
from .._base.names import REPO_TYPES, NameProblem, Ref, RepoPath, ViewName, kind_of, listed, repo_id, shown
from .._base.yaml import joined
from .wanted import Wanted

_KEYS = tuple(field.name for field in fields(Wanted))
_PUBLISH = ("auto", "manual")
_FORMATS = ("any", "no-pickle", "safe")
#: Published commits of a ref that stay. Each is a tree of links.
MOST_KEPT = 1000
#: Lines of a message that are told as one.
_BRIEF = 2
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


_T = TypeVar("_T")


class WhitelistError(MirrorError):
    """The whitelist can't be used as it stands; every wrong entry is named, of many the first."""

    def brief(self) -> str:
        """Return it on one line that is not long: of many wrong entries the first, and how many more there are."""
        lines = str(self).splitlines()
        more = f"; and {len(lines) - _BRIEF} more" if len(lines) > _BRIEF else ""
        return f"{'; '.join(lines[:_BRIEF])}{more}"


def parse(entries: Any, sources: Sequence[str] = ()) -> list[Wanted]:
    """Read a whitelist: a list of mappings with the keys of ``Wanted``.

    ``sources`` says of each entry where it stands (``FILE line N``). Raises WhitelistError with one line for every
    entry that is wrong.
    """
    if not isinstance(entries, (list, tuple)):
        raise WhitelistError(f"the whitelist is {kind_of(entries)}, it must be a list of entries with a repo_id each")
    if not entries:
        raise WhitelistError("the whitelist is empty, nothing was changed: add at least one repository")
    wanted: list[tuple[str, Wanted]] = []
    problems: list[str] = []
    for number, entry in enumerate(entries, 1):
        place = sources[number - 1] if sources else f"whitelist entry {number}"
        try:
            wanted.append((place, _parse_entry(entry)))
        except ValueError as problem:
            problems.append(f"{place}{_label(entry)}: {problem}")
    problems += _conflicts([(f"{place}: {one}" if sources else f"whitelist entry {one}", one) for place, one in wanted])
    if problems:
        raise WhitelistError(joined(problems))
    return [one for _place, one in wanted]


def _parse_entry(entry: Any) -> Wanted:
    if not isinstance(entry, Mapping):
        raise ValueError(f"is {kind_of(entry)}, it must be a mapping with a repo_id")
    given = {key: value for key, value in entry.items() if value is not None}
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        raise ValueError(f"unknown key {listed(unknown)} (known: {', '.join(_KEYS)})")
    if "repo_id" not in given:
        raise ValueError("repo_id is missing")
    if "files" in given and ("allow_patterns" in given or "ignore_patterns" in given):
        raise ValueError("files and patterns exclude each other")
    files = tuple(map(_path, _strings(given, "files") or ())) or None
    if "formats_allow" in given and given.get("formats", _FORMATS[0]) == _FORMATS[0]:
        raise ValueError("formats_allow needs formats: no-pickle or formats: safe")
    patterns = {key: _strings(given, key) for key in ("allow_patterns", "ignore_patterns", "formats_allow")}
    for pattern in itertools.chain.from_iterable(one or () for one in patterns.values()):
        _path(pattern.rstrip("/") or "/")
    return Wanted(
        repo_id=_named("repo_id", repo_id, given["repo_id"]),
        repo_type=_one_of(given, "repo_type", REPO_TYPES),
        revision=_named("revision", Ref, given.get("revision", "main")),
        files=files,
        **patterns,
        publish=_one_of(given, "publish", _PUBLISH),
        token=_word("token", given["token"]) if "token" in given else None,
        keep=_keep(given.get("keep", Wanted.keep)),
        views=tuple(_named("view", ViewName, view) for view in _strings(given, "views") or ()),
        labels=tuple(_word("labels", label) for label in _strings(given, "labels") or ()),
        formats=_one_of(given, "formats", _FORMATS),
        allow_rewind=_flag(given, "allow_rewind"),
    )


def _named(key: str, kind: Callable[[Any], _T], value: Any) -> _T:
    """Return a name that was checked, or say of which key it is."""
    try:
        return kind(value)
    except NameProblem as problem:
        raise ValueError(f"{key} {problem}") from None


def _path(path: str) -> RepoPath:
    return _named("file name", RepoPath, path)


def _word(key: str, value: Any) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        # what was written there is not shown: it may be a secret instead of its name
        raise ValueError(f"{key} must be a name of letters, digits, '-', '_' and '.'")
    return value


def _keep(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_KEPT:
        raise ValueError(f"keep is {shown(value)}, it must be a number of commits, 1 to {MOST_KEPT}")
    return value


def _flag(given: Mapping[str, Any], key: str) -> bool:
    value = given.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key} is {shown(value)}, it must be true or false")
    return value


def _one_of(given: Mapping[str, Any], key: str, choices: tuple[str, ...]) -> str:
    value = given.get(key, choices[0])
    if value not in choices:
        raise ValueError(f"{key} {shown(value)} is none of {', '.join(choices)}")
    return str(value)


def _strings(given: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    if key not in given:
        return None
    value = given[key]
    if not isinstance(value, (list, tuple)) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{key} must be a list of at least one string")
    twice = sorted(item for item, times in Counter(value).items() if times > 1)
    if twice:
        raise ValueError(f"{key} has {listed(twice)} twice")
    return tuple(value)


class Taken:
    """What entries have: themselves, and the names of their files in views. No two may have the same."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str, str], Wanted] = {}
        self._names: dict[tuple[str, str], Wanted] = {}

    def has(self, one: Wanted) -> Wanted | None:
        """Return the entry for the same revision of the same repository."""
        return self._entries.get((one.repo_type, one.repo_id.lower(), one.revision))

    def problems(self, one: Wanted) -> list[str]:
        """Say why an entry can't be beside the others, but for one of the same revision."""
        bare = Counter(path.rpartition("/")[2] for path in one.files or ())
        found = []
        for view, name in _names(one):
            other = self._names.get((view, name), one)
            if other != one or bare[name] > 1:
                found.append(f"view {view} would hold two files named {name} ({other})")
        return list(dict.fromkeys(found))

    def add(self, one: Wanted) -> None:
        """Let an entry have what it names."""
        self._entries[one.repo_type, one.repo_id.lower(), one.revision] = one
        for key in _names(one):
            self._names.setdefault(key, one)


def _names(one: Wanted) -> Iterator[tuple[str, str]]:
    """Yield view and name of each file that an entry says will be there."""
    for view in one.views:
        for path in one.files or ():
            yield view, path.rpartition("/")[2]


def _conflicts(wanted: list[tuple[str, Wanted]]) -> list[str]:
    problems, taken = [], Taken()
    for label, one in wanted:
        if taken.has(one):
            problems.append(f"{label}: is listed twice, merge the two")
            continue
        problems += [f"{label}: {problem}" for problem in taken.problems(one)]
        taken.add(one)
    return problems


def _label(entry: Any) -> str:
    return f" ({listed([entry['repo_id']])})" if isinstance(entry, Mapping) and entry.get("repo_id") else ""
