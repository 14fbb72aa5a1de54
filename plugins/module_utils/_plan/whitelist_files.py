# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whitelists on disk: one YAML file, or a folder of them. What an entry may say is ``whitelist``'s concern.

A file holds a list of entries, or ``models_to_sync:`` and the list under it; so it is an Ansible variable file as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._base.names import kind_of, listed
from .._base.owner import others_can_change
from .._base.yaml import MOST_BYTES, joined, load
from .whitelist import WhitelistError

_KEY = "models_to_sync"
_SUFFIXES = (".yml", ".yaml")


class Entries(list[Any]):
    """The entries as they were written, for ``_whitelist.parse``.

    ``sources`` is as long as the list and says where each one stands: ``FILE line N``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []


def read_entries(path: Path) -> Entries:
    """Read a whitelist: a YAML file, or all ``*.yml`` and ``*.yaml`` right in a folder, by name, dot-files left out.

    Raises WhitelistError with one line for every problem, each naming the file. A file without an entry is a problem:
    it is more likely to have gone wrong than to be meant.
    """
    entries = Entries()
    problems: list[str] = []
    for file in _files(path):
        try:
            for line, entry in _read(file):
                entries.append(entry)
                entries.sources.append(f"{file} line {line}")
        except WhitelistError as problem:
            problems.append(str(problem))
    if problems:
        raise WhitelistError(joined(problems))
    return entries


def _files(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        everybody = others_can_change(path)
        if everybody:
            raise WhitelistError(f"{path} is no whitelist to go by: {everybody}")
        # a link to nowhere stays in: reading it fails and says so
        names = [file for file in path.iterdir() if file.suffix in _SUFFIXES and not file.is_dir()]
    except OSError as problem:
        raise WhitelistError(f"{path} can't be read: {problem.strerror}") from None
    files = sorted(file for file in names if not file.name.startswith("."))
    if not files:
        raise WhitelistError(f"{path} has no file named *.yml or *.yaml")
    return files


def _read(file: Path) -> list[tuple[int, Any]]:
    """Return line and content of each entry of a file."""
    try:
        everybody = others_can_change(file)
        if everybody:
            raise WhitelistError(f"{file} is no whitelist to go by: {everybody}")
        with file.open("rb") as source:
            text = source.read(MOST_BYTES + 1)
    except OSError as problem:
        raise WhitelistError(f"{file} can't be read: {problem.strerror}") from None
    root, content = load(file, text, WhitelistError)
    if isinstance(content, dict):
        if list(content) != [_KEY]:
            keys = listed(content) or "none"
            raise WhitelistError(f"{file} must be a list of entries, or have the single key {_KEY}; its keys: {keys}")
        root, content = root.value[-1][1], content[_KEY]
    if content is None or content == []:
        raise WhitelistError(f"{file} holds no entry: name a repository there, or remove the file")
    if not isinstance(content, list):
        raise WhitelistError(f"{file} must be a list of entries, or {_KEY} with one; it is {kind_of(content)}")
    return [(node.start_mark.line + 1, entry) for node, entry in zip(root.value, content)]
