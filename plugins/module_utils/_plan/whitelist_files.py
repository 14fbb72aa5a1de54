# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whitelists on disk: one YAML file, or a folder of them. What an entry may say is ``whitelist``'s concern.

A file holds a list of entries, or ``models_to_sync:`` and the list under it; so it is an Ansible variable file as well.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .._base.names import NameProblem, kind_of, listed, shown
from .._base.owner import others_can_change
from .._base.yaml import MOST_BYTES, load
from .whitelist import WhitelistError

_KEY = "models_to_sync"
SUFFIXES = (".yml", ".yaml")
#: Files of a folder, and their bytes together.
MOST_FILES, MOST_FOLDER_BYTES = 1000, 8 << 20
_LONGEST_NAME = 255
_KEY_LIKE = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,40}")


class Entries(list[Any]):
    """The entries as they were written, for ``whitelist.parse``.

    ``sources`` is as long as the list and says where each one stands: ``FILE line N``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []


def read_entries(file: Path) -> Entries:
    """Read a whitelist of one file.

    Raises WhitelistError with one line for every problem. A file without an entry is a problem: it is more likely to
    have gone wrong than to be meant.
    """
    entries = _read(file)
    if not entries:
        raise WhitelistError(f"{file} has no entry: add a repository")
    return entries


def read_folder(folder: Path) -> dict[str, Entries | WhitelistError]:
    """Read all ``*.yml`` and ``*.yaml`` right in a folder, dot-files left out: what each file says, or why it can't be.

    Raises WhitelistError where the folder itself can't be read.
    """
    found: dict[str, Entries | WhitelistError] = {}
    left = MOST_FOLDER_BYTES
    for file in _files(folder):
        try:
            file_name(file.name)
            size = file.stat().st_size
            left -= size
            if left < 0:
                raise WhitelistError(f"{file}: the files of {folder} have more than {MOST_FOLDER_BYTES >> 20} MiB")
            if not file.is_file():  # a pipe would keep everybody waiting
                raise WhitelistError(f"{file} is not a regular file")
            found[file.name] = _read(file)
        except NameProblem as problem:
            found[shown(file.name)] = WhitelistError(f"{shown(file.name)} in {folder}: {problem}")
        except OSError as problem:
            found[file.name] = WhitelistError(f"{file} can't be read: {problem.strerror}")
        except WhitelistError as problem:
            found[file.name] = problem
    return found


def file_name(name: Any) -> str:
    """Return the name of a file of a whitelist. Raises NameProblem where there can't be one."""
    if not isinstance(name, str) or not name.isprintable() or "/" in name or not name.endswith(SUFFIXES):
        raise NameProblem(f"{shown(name)} is not a printable file name *.yml or *.yaml")
    if name.startswith(".") or len(name.encode()) > _LONGEST_NAME:
        raise NameProblem(f"{shown(name)} begins with a dot, or has more than {_LONGEST_NAME} bytes")
    return name


def _files(path: Path) -> list[Path]:
    try:
        everybody = others_can_change(path)
        if everybody:
            raise WhitelistError(f"{path} is not trusted: {everybody}")
        # a link to nowhere stays in: reading it fails and says so
        names = [file for file in path.iterdir() if file.name.endswith(SUFFIXES) and not _is_folder(file)]
    except OSError as problem:
        raise WhitelistError(f"{path} can't be read: {problem.strerror}") from None
    files = sorted(file for file in names if not file.name.startswith("."))
    if len(files) > MOST_FILES:
        raise WhitelistError(f"{path} has {len(files)} files, more than {MOST_FILES}: merge some")
    return files


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # it leads where this user may not go
        return False


def _read(file: Path) -> Entries:
    try:
        everybody = others_can_change(file)
        if everybody:
            raise WhitelistError(f"{file} is not trusted: {everybody}")
        with file.open("rb") as source:
            text = source.read(MOST_BYTES + 1)
    except OSError as problem:
        raise WhitelistError(f"{file} can't be read: {problem.strerror}") from None
    root, content = load(file, text, WhitelistError)
    if isinstance(content, dict):
        if list(content) != [_KEY]:
            # what is no key of anybody's whitelist is not quoted: it may be another file, by a link
            keys = listed([key for key in content if _KEY_LIKE.fullmatch(str(key))]) or "none"
            raise WhitelistError(f"{file} must be a list of entries, or have the single key {_KEY}; its keys: {keys}")
        root, content = root.value[-1][1], content[_KEY]
    entries = Entries()
    if content is None:
        return entries
    if not isinstance(content, list):
        raise WhitelistError(f"{file} must be a list of entries, or {_KEY} with one; it is {kind_of(content)}")
    entries.extend(content)
    entries.sources = [f"{file} line {node.start_mark.line + 1}" for node in root.value]
    return entries
