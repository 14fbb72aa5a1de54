# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML read strictly: a key that is there twice is refused, and a problem has a file and, where YAML tells, a line.

What it may grow to is limited before anything is made of it: with aliases nine lines are billions of items, and merging
or showing them never ends.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .errors import MirrorError
from .names import listed

#: Bytes of a text. An entry of a whitelist with its files has some hundred.
MOST_BYTES = 2 << 20
#: Items of a text, an alias counted for all that it stands for.
MOST_NODES = 1_000_000
#: How deep they are nested.
DEEPEST = 32
#: Characters of one item. A number of a million digits takes Python minutes.
LONGEST_SCALAR = 10_000
#: Characters of what PyYAML says; it quotes the text.
_QUOTED = 300

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
    if len(text) > MOST_BYTES:
        raise error(f"{file} has more than {MOST_BYTES >> 20} MiB, the limit: split it into several files")
    try:
        loader = yaml.SafeLoader(text)
        root: Any = loader.get_single_node()
        grown = _outgrown(root)
        if grown:
            raise error(f"{file} line {grown[0]}: {grown[1]}")
        twice = sorted(_keys_that_are_there_twice(root))
        content: Any = None if root is None or twice else loader.construct_document(root)
    except yaml.MarkedYAMLError as problem:
        where = f"{file} line {problem.problem_mark.line + 1}" if problem.problem_mark else str(file)
        what = ", ".join(part for part in (problem.context, problem.problem) if part)
        raise error(f"{where}: not YAML" + ("" if secret else f": {what[:_QUOTED]}")) from None
    except yaml.reader.ReaderError as problem:
        raise error(f"{file}: not YAML: {problem.reason} at position {problem.position}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as problem:  # a 13th month; brackets a thousand deep
        raise error(f"{file}: not YAML" + ("" if secret else f": {str(problem)[:_QUOTED]}")) from None
    if twice:
        lines = [f"{file} line {line}: {'a key is there twice' if secret else what}" for line, what in twice]
        raise error(joined(lines))
    return root, content


def dump(content: Any) -> str:
    """Return a value as YAML. Raises MirrorError without PyYAML."""
    if YAML_ERROR:
        raise MirrorError("YAML can't be written without PyYAML, which is not installed here")
    text: str = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=float("inf"))
    return text


def joined(lines: Sequence[str]) -> str:
    """Return what is wrong as one text, a line each, the first hundred of them."""
    more = [f"and {len(lines) - _LINES} more"] if len(lines) > _LINES else []
    return "\n".join([*lines[:_LINES], *more])


_LINES = 100


def _outgrown(root: Any) -> tuple[int, str] | None:
    """Return line and reason where a text is more than it may be. What an alias stands for is looked at once."""
    measured: dict[int, tuple[int, int]] = {}  # size and height of nodes, by identity; none while one is under way
    ahead = [] if root is None else [(root, False)]
    while ahead:
        node, parts_are_measured = ahead.pop()
        line, parts = node.start_mark.line + 1, _parts(node)
        if parts_are_measured:
            sizes, heights = zip((1, 0), *(measured[id(part)] for part in parts))
            measured[id(node)] = size, height = sum(sizes), 1 + max(heights)
            if size > MOST_NODES:
                return line, f"has more than {MOST_NODES} items, with aliases expanded"
            if height > DEEPEST:
                return line, f"is nested more than {DEEPEST} deep"
        elif measured.get(id(node)) == _UNDER_WAY:
            return line, "contains itself, through an alias"
        elif id(node) not in measured:
            if isinstance(node, yaml.ScalarNode) and len(node.value) > LONGEST_SCALAR:
                return line, f"is longer than {LONGEST_SCALAR} characters"
            measured[id(node)] = _UNDER_WAY
            ahead += [(node, True), *((part, False) for part in parts)]
    return None


_UNDER_WAY = (0, 0)


def _parts(node: Any) -> list[Any]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


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
                        yield line, f"{listed([key.value])} is there twice, first on line {lines[key.value]}"
                    lines.setdefault(key.value, line)
