# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML read strictly: a key that is there twice is refused, and a problem has a file and, where YAML tells, a line."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import MirrorError

try:
    import yaml
except ImportError:
    YAML_ERROR: str | None = traceback.format_exc()
else:
    YAML_ERROR = None


def load(file: Path, text: str | bytes, error: type[MirrorError], secret: bool = False) -> tuple[Any, Any]:
    """Return the nodes of a YAML text, which know their lines, and its content.

    Raises ``error``; of a secret text it shows nothing.
    """
    if YAML_ERROR:
        raise error(f"{file} can't be read without PyYAML, which is not installed here")
    try:
        loader = yaml.SafeLoader(text)
        root: Any = loader.get_single_node()
        twice = sorted(_keys_that_are_there_twice(root))
        content: Any = None if root is None or twice else loader.construct_document(root)
    except yaml.MarkedYAMLError as problem:
        where = f"{file} line {problem.problem_mark.line + 1}" if problem.problem_mark else str(file)
        what = ", ".join(part for part in (problem.context, problem.problem) if part)
        raise error(f"{where}: not YAML" + ("" if secret else f": {what}")) from None
    except yaml.reader.ReaderError as problem:
        raise error(f"{file}: not YAML: {problem.reason} at position {problem.position}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as problem:  # a 13th month; brackets a thousand deep
        raise error(f"{file}: not YAML" + ("" if secret else f": {problem}")) from None
    if twice:
        lines = (f"{file} line {line}: {'a key is there twice' if secret else what}" for line, what in twice)
        raise error("\n".join(lines))
    return root, content


def dump(content: Any) -> str:
    """Return a value as YAML. Raises MirrorError without PyYAML."""
    if YAML_ERROR:
        raise MirrorError("YAML can't be written without PyYAML, which is not installed here")
    text: str = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=float("inf"))
    return text


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
