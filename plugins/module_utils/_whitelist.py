# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whitelist: what is wanted. Pure: no Ansible, no network, no disk.

Limits on names are the Hub's own (``huggingface_hub.utils.validate_repo_id``), narrowed by what plain nginx can serve:
a branch or tag name has no slash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ._errors import MirrorError

REPO_TYPES = ("model", "dataset", "space")
_KEYS = ("repo_id", "repo_type", "revision", "files", "allow_patterns", "views")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_REPO_ID_LENGTH = 96
_REVISION = re.compile(r"(?:refs/(?:pr|convert)/)?[A-Za-z0-9_][A-Za-z0-9._+-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_VIEW = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")


class WhitelistError(MirrorError):
    """The whitelist can't be used as it stands; every wrong entry is named."""


@dataclass(frozen=True)
class Wanted:
    """One entry of the whitelist: the files of one repository at one revision."""

    repo_id: str
    repo_type: str = "model"
    revision: str = "main"
    files: tuple[str, ...] | None = None
    allow_patterns: tuple[str, ...] | None = None
    views: tuple[str, ...] = ()

    def __str__(self) -> str:
        prefix = "" if self.repo_type == "model" else f"{self.repo_type} "
        return f"{prefix}{self.repo_id}@{self.revision}"

    @property
    def is_commit(self) -> bool:
        """True where the revision is a commit and not a name that can move."""
        return bool(_COMMIT.fullmatch(self.revision))

    def select(self, paths: Iterable[str]) -> list[str]:
        """Return those of a listing's paths that are wanted.

        Patterns work as those of ``huggingface_hub.snapshot_download``: ``*`` crosses slashes, a final slash means all
        below. Raises MirrorError when a file of ``files`` is not among the paths or no path matches.
        """
        available = sorted(paths)
        if self.files is not None:
            missing = sorted(set(self.files).difference(available))
            if missing:
                raise MirrorError(f"the Hub has no {', '.join(missing)} in {self}")
            return list(self.files)
        if self.allow_patterns is None:
            return available
        patterns = [f"{pattern}*" if pattern.endswith("/") else pattern for pattern in self.allow_patterns]
        found = [path for path in available if any(fnmatchcase(path, pattern) for pattern in patterns)]
        if not found:
            raise MirrorError(f"nothing in {self} matches {', '.join(self.allow_patterns)}")
        return found


def parse(entries: Any) -> list[Wanted]:
    """Read a whitelist: a list of mappings with the keys of ``Wanted``.

    Raises WhitelistError with one line for every entry that is wrong.
    """
    if not isinstance(entries, (list, tuple)):
        raise WhitelistError(f"the whitelist is {_kind(entries)}, it must be a list of entries with a repo_id each")
    if not entries:
        raise WhitelistError("the whitelist is empty: name at least one repository (nothing was touched)")
    wanted: list[Wanted] = []
    problems: list[str] = []
    for number, entry in enumerate(entries, 1):
        try:
            wanted.append(_parse_entry(entry))
        except ValueError as problem:
            problems.append(f"whitelist entry {number}{_label(entry)}: {problem}")
    problems += _conflicts(wanted)
    if problems:
        raise WhitelistError("\n".join(problems))
    return wanted


def _parse_entry(entry: Any) -> Wanted:
    if not isinstance(entry, Mapping):
        raise ValueError(f"is {_kind(entry)}, it must be a mapping with a repo_id")
    given = {key: value for key, value in entry.items() if value is not None}
    unknown = sorted(str(key) for key in given if key not in _KEYS)
    if unknown:
        raise ValueError(f"unknown key {', '.join(unknown)} (known: {', '.join(_KEYS)})")
    if "repo_id" not in given:
        raise ValueError("repo_id is missing")
    if "files" in given and "allow_patterns" in given:
        raise ValueError("files and allow_patterns exclude each other")
    files = _strings(given, "files")
    for path in files or ():
        _check_path(path)
    patterns = _strings(given, "allow_patterns")
    for pattern in patterns or ():
        _check_path(pattern.rstrip("/") or "/")
    views = _strings(given, "views") or ()
    for view in views:
        if not _VIEW.fullmatch(view):
            raise ValueError(f"view {view!r} is no folder name of letters, digits, '-', '_' and '.'")
    return Wanted(
        repo_id=_repo_id(given["repo_id"]),
        repo_type=_repo_type(given.get("repo_type", "model")),
        revision=_revision(given.get("revision", "main")),
        files=files,
        allow_patterns=patterns,
        views=views,
    )


def _repo_id(value: Any) -> str:
    parts = value.split("/") if isinstance(value, str) else []
    if (
        not 1 <= len(parts) <= 2
        or len(value) > _REPO_ID_LENGTH
        or not all(_NAME.fullmatch(part) for part in parts)
        or "--" in value
        or ".." in value
        or value.endswith(".git")
    ):
        raise ValueError(f"repo_id {value!r} is not of the form ORGANISATION/NAME")
    return str(value)


def _repo_type(value: Any) -> str:
    if value not in REPO_TYPES:
        raise ValueError(f"repo_type {value!r} is none of {', '.join(REPO_TYPES)}")
    return str(value)


def _revision(value: Any) -> str:
    if not isinstance(value, str) or not _REVISION.fullmatch(value) or ".." in value or value.endswith(".lock"):
        raise ValueError(
            f"revision {value!r} is no branch or tag without a slash, no refs/pr/N or refs/convert/NAME and no commit"
            " of 40 hex digits (numbers must be quoted in YAML)"
        )
    return value


def _strings(given: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    if key not in given:
        return None
    value = given[key]
    if not isinstance(value, (list, tuple)) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{key} must be a list of at least one string")
    twice = sorted({item for item in value if value.count(item) > 1})
    if twice:
        raise ValueError(f"{key} has {', '.join(twice)} twice")
    return tuple(value)


def _check_path(path: str) -> None:
    """Refuse a path that would leave the repository, or that our own documents need."""
    if path.startswith("/"):
        raise ValueError(f"file name {path!r} is absolute, it must be relative to the repository")
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"file name {path!r} has an empty, '.' or '..' component")
    if any(part.startswith(".mirror.") for part in parts) or not path.isprintable():
        raise ValueError(f"file name {path!r} can't be mirrored")


def is_safe_path(path: str) -> bool:
    """Say whether a path of an upstream listing may become a file of the store."""
    try:
        _check_path(path)
    except ValueError:
        return False
    return True


def _conflicts(wanted: list[Wanted]) -> list[str]:
    problems = []
    entries: set[tuple[str, str, str]] = set()
    names: dict[tuple[str, str], Wanted] = {}
    for one in wanted:
        key = (one.repo_type, one.repo_id.lower(), one.revision)
        if key in entries:
            problems.append(f"whitelist entry {one}: is there twice, join the two")
            continue
        entries.add(key)
        for view in one.views:
            for path in one.files or ():
                name = path.rpartition("/")[2]
                other = names.setdefault((view, name), one)
                if (other, path) != (one, path) or _twice(one.files or (), name):
                    problems.append(f"whitelist entry {one}: view {view} would hold two files named {name} ({other})")
    return list(dict.fromkeys(problems))


def _twice(files: tuple[str, ...], name: str) -> bool:
    return sum(path.rpartition("/")[2] == name for path in files) > 1


def _label(entry: Any) -> str:
    return f" ({entry['repo_id']})" if isinstance(entry, Mapping) and entry.get("repo_id") else ""


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
