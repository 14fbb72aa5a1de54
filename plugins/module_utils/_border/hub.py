# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Hub says of a repository, as values that were checked: its info document, and its tree."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._base.limits import CARD_TAGS, CARD_TEXT, LISTING_ENTRIES
from .._base.names import PATH_BYTES, Commit, Etag, NameProblem, RepoPath, is_plain, shown
from .._plan.facts import File
from .json import AnswerProblem, date_of, mapping

#: Fields of an info document that describe a repository and don't change with every visitor.
_TEXTS = ("author", "pipeline_tag", "library_name", "sdk")
_SWITCHES = ("private", "disabled")
_DATES = ("createdAt", "lastModified")


@dataclass(frozen=True)
class Info:
    """What an info document says: ``repo_id`` is how the repository calls itself, None where it does not tell."""

    commit: Commit
    repo_id: str | None
    card: Mapping[str, Any]


def info_of(value: Any) -> Info:
    """Return what an info document says. Raises NameProblem where it names no commit."""
    document = mapping(value, "it")
    name = document.get("id") or document.get("modelId")
    return Info(Commit(document.get("sha")), name if isinstance(name, str) else None, card_of(document))


def card_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is passed on of a repository's description. What makes no sense is left out: it is for people only.

    But for ``gated`` and ``private``, which decide who may see it: what can't be understood there closes it.
    """
    card: dict[str, Any] = {}
    for name in _TEXTS:
        if _is_text(document.get(name)):
            card[name] = document[name]
    for name in _SWITCHES:
        if document.get(name) is not None:
            card[name] = document[name] is not False
    if document.get("gated") is not None:
        gated = document["gated"]
        card["gated"] = gated if gated in (False, "auto", "manual") else "manual"
    for name in _DATES:
        date = date_of(document.get(name))
        if date:
            card[name] = date
    if "createdAt" in card:
        card.setdefault("lastModified", card["createdAt"])
    if isinstance(document.get("tags"), list):
        card["tags"] = [tag for tag in document["tags"] if _is_text(tag)][:CARD_TAGS]
    return card


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= CARD_TEXT and is_plain(value)


@dataclass
class Tree:
    """The files and folders of a commit, from the pages of a listing. ``refused``: file -> why it can't be had."""

    files: dict[RepoPath, File] = field(default_factory=dict)
    folders: dict[RepoPath, Etag] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def add(self, page: Any) -> None:
        """Take in a page. Raises AnswerProblem where it is none; a file that can't be right is refused by name."""
        if not isinstance(page, list):
            raise AnswerProblem(f"it lists {shown(page)} and no files")
        for value in page:
            entry = mapping(value, "an entry of it")
            path = entry.get("path")
            if not isinstance(path, str):
                raise AnswerProblem(f"it lists a file with the name {shown(path)}")
            if len(self.files) + len(self.folders) + len(self.refused) >= LISTING_ENTRIES:
                raise AnswerProblem(f"it lists more than {LISTING_ENTRIES} files and folders")
            self._add(path, entry)

    def _add(self, path: str, entry: Mapping[str, Any]) -> None:
        if entry.get("type") == "directory":
            # nobody fetches a folder: what can't be right of it is left out
            with contextlib.suppress(NameProblem):
                self.folders[RepoPath(path)] = Etag(entry.get("oid"))
            return
        try:
            name = RepoPath(path)
        except NameProblem as problem:
            self.refused[path[:PATH_BYTES]] = str(problem)
            return
        try:
            file = _file(entry)
        except NameProblem as problem:
            self.refused[name] = f"{shown(path)}: {problem}"
            return
        if self.files.setdefault(name, file) != file:
            self.refused[name] = f"{shown(path)} is listed twice, with different contents"

    def close(self) -> None:
        """Refuse what is listed as a file and as a folder, and take what is refused from the rest."""
        for path in self.files:
            for parent in _parents(path):
                if parent in self.files:
                    self.refused[path] = self.refused[parent] = f"{shown(parent)} is listed as a file and as a folder"
        for name in self.refused:
            self.files.pop(name, None)  # type: ignore[call-overload]


def _parents(path: str) -> Iterable[str]:
    end = path.rfind("/")
    while end > 0:
        yield path[:end]
        end = path.rfind("/", 0, end)


def _file(entry: Mapping[str, Any]) -> File:
    if entry.get("type") != "file":
        raise AnswerProblem(f"it is of the type {shown(entry.get('type'))}")
    lfs = entry.get("lfs")
    if lfs is None:
        return File.of(entry.get("size"), entry.get("oid"))
    described = mapping(lfs, "lfs")
    if described.get("size", entry.get("size")) != entry.get("size"):
        raise AnswerProblem(f"it has {shown(entry.get('size'))} bytes, and {shown(described['size'])} in LFS")
    sha256, size = Etag(described.get("oid")), entry.get("size")
    # not all upstreams tell how long the pointer is, and clients want to know
    pointer = described.get("pointerSize")
    return File.of(size, entry.get("oid"), sha256, len(_POINTER % (sha256, size)) if pointer is None else pointer)


#: What Git has in place of a file in LFS.
_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %s\n"
