# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a recipe is written down before it is built: content by value, by path or by seed, and commits as changes."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Noise:
    """Bytes that look random and are the same on every machine; cheap to make at any size."""

    seed: str
    size: int

    def blocks(self) -> Iterator[bytes]:
        """Yield the content piece by piece."""
        source, left = random.Random(self.seed), self.size
        while left:
            block = source.randbytes(min(BLOCK, left))
            left -= len(block)
            yield block

    def __bytes__(self) -> bytes:
        return b"".join(self.blocks())


#: A file's content: the bytes, a file to copy, or a seed.
Source = bytes | Path | Noise
#: What a commit does to its parent's files; None deletes.
Changes = dict[str, Source | None]


@dataclass
class Draft:
    """A repository to build. ``main`` and ``refs`` name commits by index; main is the last unless said otherwise."""

    repo_id: str
    commits: list[tuple[str, Changes]]
    repo_type: str = "model"
    main: int = -1
    refs: dict[str, int] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    pipeline_tag: str | None = None
    library_name: str | None = None
    sdk: str | None = None


def safetensors(seed: str, size: int) -> bytes:
    """Return a well-formed safetensors file with one F32 vector of ``size`` numbers."""
    data = bytes(Noise(seed, 4 * size))
    header = json.dumps({"weight": {"dtype": "F32", "shape": [size], "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


def card(title: str, text: str, **front_matter: str) -> bytes:
    """Return a README.md with the card's front matter."""
    front = "".join(f"{key}: {value}\n" for key, value in front_matter.items())
    return f"---\n{front}---\n# {title}\n\n{text}\n".encode()
