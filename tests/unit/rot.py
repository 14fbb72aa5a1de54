# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bit rot made by hand: a content changes under all its names, and nothing else about it does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def flip(file: Path) -> None:
    """Change one byte in the middle."""

    def change(target: BinaryIO) -> None:
        middle = file.stat().st_size // 2
        target.seek(middle)
        (byte,) = target.read(1)
        target.seek(middle)
        target.write(bytes([byte ^ 1]))

    _in_place(file, change)


def cut(file: Path) -> None:
    """Lose the last byte."""
    _in_place(file, lambda target: target.truncate(file.stat().st_size - 1))


def _in_place(file: Path, change: Callable[[BinaryIO], object]) -> None:
    status = file.stat()
    file.chmod(0o644)
    with file.open("r+b") as target:
        change(target)
    file.chmod(status.st_mode & 0o7777)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def names(root: Path, file: Path) -> set[str]:
    """Return all names of a file below a folder."""
    found = {path for path in root.rglob("*") if path.is_file() and not path.is_symlink() and path.samefile(file)}
    return {str(path.relative_to(root)) for path in found}
