# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs: FaceFusion loads a model only together with a ``.hash`` file, the CRC32 of the model. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .._base.errors import MirrorError
from .._base.names import RepoPath, shown
from .._base.yaml import joined

#: Repositories with likenesses of real people. FaceFusion keeps their models in a folder for each: ``SCOPE/NAME.dfm``.
LIKENESSES = "facefusion/deepfacelive-models-"

_REPO = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]*/[0-9A-Za-z_][0-9A-Za-z_.-]*")
_NAME = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.+-]*")
#: Bytes of a ``.hash`` file.
HASH_SIZE = 8


@dataclass(frozen=True)
class Pair:
    """A model of a repository."""

    repo_id: str
    name: str

    @property
    def folder(self) -> str:
        """Where FaceFusion wants it below its folder of models, with a slash at the end unless that is empty."""
        return f"{self.repo_id[len(LIKENESSES) :]}/" if self.repo_id.startswith(LIKENESSES) else ""

    @property
    def model(self) -> RepoPath:
        """The name of the model's file in its repository."""
        return RepoPath(self.name + (".dfm" if self.folder else ".onnx"))

    @property
    def hash(self) -> RepoPath:
        """The name of the file with its CRC32 in its repository."""
        return RepoPath(f"{self.name}.hash")

    @property
    def paths(self) -> tuple[RepoPath, RepoPath]:
        """The names of both files, the short one first."""
        return self.hash, self.model

    def __str__(self) -> str:
        return f"{self.repo_id}/{self.name}"


def read_pairs(models: Iterable[Any]) -> list[Pair]:
    """Read the option ``models``. Raises MirrorError with one line for each thing that is wrong."""
    pairs: dict[str, Pair] = {}
    wrong: list[str] = []
    for number, entry in enumerate(models, 1):
        try:
            for pair in _read(entry):
                other = pairs.setdefault(pair.folder + pair.name, pair)
                if other != pair:
                    wrong.append(f"entry {number}: {pair} and {other} have the same file name: remove one of them")
        except MirrorError as problem:
            wrong.append(f"entry {number}: {problem}")
    if wrong:
        raise MirrorError("models is invalid:\n" + joined(wrong))
    return list(pairs.values())


def _read(entry: Any) -> list[Pair]:
    if not isinstance(entry, dict) or set(entry) != {"repo_id", "names"}:
        raise MirrorError("it must have repo_id and names, and nothing else")
    repo_id, names = entry["repo_id"], entry["names"]
    if not isinstance(repo_id, str) or not _REPO.fullmatch(repo_id):
        raise MirrorError(f"repo_id {shown(repo_id)} is not of the form ORG/NAME")
    scope = repo_id[len(LIKENESSES) :] if repo_id.startswith(LIKENESSES) else "none"
    if not _NAME.fullmatch(scope):
        raise MirrorError(f"{repo_id}: {shown(scope)} is not a folder name")
    if not isinstance(names, list) or not names:
        raise MirrorError(f"{repo_id}: names must be a list of models; there is no value for all of a repository")
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise MirrorError(f"{repo_id}: {shown(name)} is not a model name: patterns and folders are not possible")
        if name.endswith((".onnx", ".hash", ".dfm")):
            raise MirrorError(f"{repo_id}: {name} is a file name: use {name.rpartition('.')[0]}")
    return [Pair(repo_id, name) for name in names]


def agrees(content: bytes, crc32: int) -> bool:
    """Tell whether a ``.hash`` file says the CRC32 of a model as FaceFusion compares it: to the byte."""
    return content == f"{crc32:08x}".encode()
