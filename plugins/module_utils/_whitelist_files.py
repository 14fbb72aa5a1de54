# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whitelists on disk: one YAML file, or a folder of them. What an entry may say is ``_whitelist``'s concern.

A file holds a list of entries, or ``models_to_sync:`` and the list under it; so it is an Ansible variable file as well.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ._whitelist import WhitelistError

try:
    import yaml
except ImportError:
    YAML_ERROR: str | None = traceback.format_exc()
else:
    YAML_ERROR = None

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
    if YAML_ERROR:
        raise WhitelistError(f"{path} can't be read without PyYAML, which is not installed here")
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
        raise WhitelistError("\n".join(problems))
    return entries


def _files(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
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
        return _parse(file, yaml.SafeLoader(file.read_bytes()))
    except OSError as problem:
        raise WhitelistError(f"{file} can't be read: {problem.strerror}") from None
    except yaml.MarkedYAMLError as problem:
        where = f" line {problem.problem_mark.line + 1}" if problem.problem_mark else ""
        what = ", ".join(text for text in (problem.context, problem.problem) if text)
        raise WhitelistError(f"{file}{where}: not YAML: {what}") from None
    except yaml.reader.ReaderError as problem:
        raise WhitelistError(f"{file}: not YAML: {problem.reason} at position {problem.position}") from None
    except (ValueError, RecursionError) as problem:  # a date with a 13th month; brackets a thousand deep
        raise WhitelistError(f"{file}: not YAML: {problem}") from None


def _parse(file: Path, loader: yaml.SafeLoader) -> list[tuple[int, Any]]:
    root: Any = loader.get_single_node()  # knows the lines
    twice = sorted(_keys_that_are_there_twice(root))
    if twice:
        raise WhitelistError("\n".join(f"{file} line {line}: {what}" for line, what in twice))
    content: Any = None if root is None else loader.construct_document(root)
    if isinstance(content, dict):
        if list(content) != [_KEY]:
            keys = ", ".join(str(key) for key in content) or "none"
            raise WhitelistError(f"{file} must be a list of entries, or have the single key {_KEY}; its keys: {keys}")
        root, content = root.value[-1][1], content[_KEY]
    if content is None or content == []:
        raise WhitelistError(f"{file} holds no entry: name a repository there, or remove the file")
    if not isinstance(content, list):
        raise WhitelistError(f"{file} must be a list of entries, or {_KEY} with one; it is a {type(content).__name__}")
    return [(node.start_mark.line + 1, entry) for node, entry in zip(root.value, content)]


def _keys_that_are_there_twice(root: Any) -> Iterator[tuple[int, str]]:
    """Find what YAML would pass over: it takes the last of two equal keys."""
    seen: set[Any] = set()  # anchors make a graph of the tree
    ahead = [root]
    while ahead:
        node = ahead.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, yaml.SequenceNode):
            ahead += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                ahead.append(value)
                if isinstance(key, yaml.ScalarNode):
                    line = key.start_mark.line + 1
                    if key.value in lines:
                        yield line, f"{key.value} is there twice, first on line {lines[key.value]}"
                    lines.setdefault(key.value, line)
