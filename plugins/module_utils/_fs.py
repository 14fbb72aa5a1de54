# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps on the disk that survive a power cut: what has a name is whole and durable."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path


def sync_dir(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(top: Path) -> None:
    """Make the names in a folder and in all below it durable."""
    for folder, _folders, _files in os.walk(top, topdown=False):
        sync_dir(Path(folder))


def write_file(file: Path, content: bytes) -> None:
    """Write a new file durably; its name is made durable by the caller's ``sync_dir`` or ``sync_tree``."""
    with file.open("xb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())


def write_files(top: Path, files: Mapping[str, bytes]) -> None:
    """Write new files with their folders below ``top``."""
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        write_file(top / name, content)


def replace_file(file: Path, content: bytes, scratch: Path) -> None:
    """Give a file new content at one instant. ``scratch`` is a folder on the same file system."""
    draft = scratch / "draft"
    draft.unlink(missing_ok=True)
    write_file(draft, content)
    draft.replace(file)
    sync_dir(file.parent)


def replace_link(link: Path, target: str, scratch: Path) -> None:
    """Point a symbolic link elsewhere at one instant."""
    draft = scratch / "draft"
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(link)
    sync_dir(link.parent)


def empty_dir(folder: Path) -> Path:
    """Make a folder, without what an interrupted run left in it."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def link(source: Path, name: Path) -> None:
    """Give a file one more name; a name that is there already stays as it is."""
    try:
        os.link(source, name)
    except FileExistsError:
        return
