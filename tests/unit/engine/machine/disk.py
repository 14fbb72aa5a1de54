# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of a disk behind a page cache: what a power cut may leave of the calls that changed a folder.

It knows inodes (folders, files, symbolic links) and the names that folders give them. Each call is an operation in a
log; ``fsync`` of a file marks what was done to its content and mode, ``fsync`` of a folder marks what was done to names
in it, a rename from or to it included. What is marked survives. Of the others, a cut keeps:

* ``journal``: all names and modes up to some point and none after it, as ext4 and XFS do, where any fsync also takes
  along all that was done to names before it;
* ``any`` subset, as POSIX allows;
* ``last``: the last one alone, or ``none``, which are two of these subsets.

Names are set, taken away and moved whole: a rename happened or did not, over an older name too. Content that was not
synced may be there, missing, cut anywhere, or zeros of the right length; a file whose name was synced and whose content
was not is such a file. An operation on a folder that was lost itself is lost with it.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Union

ROOT = 0


@dataclass(frozen=True)
class Name:
    """A folder gives an inode a name, or with None takes the name away."""

    folder: int
    name: str
    inode: int | None


@dataclass(frozen=True)
class Move:
    """A rename."""

    folder: int
    name: str
    to_folder: int
    to_name: str
    inode: int


@dataclass(frozen=True)
class Data:
    """Bytes written at a place of a file."""

    inode: int
    at: int
    block: bytes


@dataclass(frozen=True)
class Cut:
    """A file's new size."""

    inode: int
    size: int


@dataclass(frozen=True)
class Meta:
    """A file's mode or its modification time."""

    inode: int
    mode: int | None = None
    mtime: int | None = None


@dataclass(frozen=True)
class Sync:
    """An fsync of an inode; of ROOT's whole file system where it is None."""

    inode: int | None


Operation = Union[Name, Move, Data, Cut, Meta]


@dataclass(frozen=True)
class Content:
    """What a file is."""

    data: bytes = b""
    mode: int = 0o644
    mtime: int | None = None


@dataclass
class Tree:
    """What names lead to at one moment: folders by inode, and the inodes of files and symbolic links."""

    folders: dict[int, dict[str, int]] = field(default_factory=lambda: {ROOT: {}})
    files: dict[int, Content] = field(default_factory=dict)
    links: dict[int, str] = field(default_factory=dict)

    def copy(self) -> Tree:
        return Tree({inode: dict(names) for inode, names in self.folders.items()}, dict(self.files), dict(self.links))

    def apply(self, operation: Operation) -> None:
        if isinstance(operation, Name):
            names = self.folders[operation.folder]
            if operation.inode is None:
                names.pop(operation.name, None)
            else:
                names[operation.name] = operation.inode
        elif isinstance(operation, Move):
            if self.folders[operation.folder].get(operation.name) == operation.inode:
                del self.folders[operation.folder][operation.name]
            self.folders[operation.to_folder][operation.to_name] = operation.inode
        else:
            self.files[operation.inode] = _changed(self.files[operation.inode], operation)

    def find(self, path: str) -> int | None:
        inode = ROOT
        for part in filter(None, path.split("/")):
            found = self.folders.get(inode, {}).get(part)
            if found is None:
                return None
            inode = found
        return inode

    def walk(self) -> Iterator[tuple[str, int]]:
        """Yield path and inode of everything, folders before what is in them."""
        below = [("", ROOT)]
        while below:
            folder, inode = below.pop()
            for name, child in sorted(self.folders[inode].items()):
                yield folder + name, child
                if child in self.folders:
                    below.append((f"{folder}{name}/", child))

    def described(self) -> dict[str, object]:
        """Return path -> what is there, equal for equal trees; names of one file share the first name."""
        first: dict[int, str] = {}
        found: dict[str, object] = {}
        for path, inode in self.walk():
            if inode in self.folders:
                found[path] = "folder"
            elif inode in self.links:
                found[path] = f"-> {self.links[inode]}"
            else:
                found[path] = (first.setdefault(inode, path), self.files[inode])
        return found


def _changed(content: Content, operation: Data | Cut | Meta) -> Content:
    if isinstance(operation, Data):
        before = content.data[: operation.at].ljust(operation.at, b"\0")
        return replace(content, data=before + operation.block + content.data[operation.at + len(operation.block) :])
    if isinstance(operation, Cut):
        return replace(content, data=content.data[: operation.size].ljust(operation.size, b"\0"))
    mode = content.mode if operation.mode is None else operation.mode
    return replace(content, mode=mode, mtime=content.mtime if operation.mtime is None else operation.mtime)


class Disk:
    """The disk below ``root``: ``now`` is what programs see, ``events`` what happened since ``base`` was safe."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._start(scan(root))

    def _start(self, base: Tree) -> None:
        self.base, self.now = base, base.copy()
        self.events: list[Operation | Sync] = []
        self._numbers = itertools.count(max([*base.folders, *base.files, *base.links]) + 1)

    def new_folder(self) -> int:
        inode = next(self._numbers)
        self.base.folders[inode] = {}
        self.now.folders[inode] = {}
        return inode

    def new_file(self) -> int:
        inode = next(self._numbers)
        self.base.files[inode] = self.now.files[inode] = Content()
        return inode

    def new_link(self, target: str) -> int:
        inode = next(self._numbers)
        self.base.links[inode] = self.now.links[inode] = target
        return inode

    def do(self, operation: Operation) -> None:
        self.now.apply(operation)
        self.events.append(operation)

    def sync(self, inode: int | None) -> None:
        self.events.append(Sync(inode))

    def place(self, path: Path) -> tuple[int, str]:
        """Return the folder of a path and the name in it."""
        folder = self.inode(path.parent)
        assert folder is not None, f"nobody made {path.parent}"
        return folder, path.name

    def inode(self, path: Path) -> int | None:
        return self.now.find(str(path).removeprefix(str(self.root)))

    def after_crash(self, events: int) -> Tree:
        """Return what is there when the process died after so many events: a write that came next is half done."""
        tree = self.base.copy()
        for operation in self.events[:events]:
            if not isinstance(operation, Sync):
                tree.apply(operation)
        for operation in self.events[events : events + 1]:
            if isinstance(operation, Data):
                tree.apply(replace(operation, block=operation.block[: len(operation.block) // 2]))
        return tree

    def all_synced(self) -> Tree:
        """Return what is there when the power goes now and all is lost that may be."""
        return self.after_power_cut(len(self.events), Random(0), "none")

    def after_power_cut(self, events: int, random: Random, how: str) -> Tree:
        """Return what may be there when the power went after so many events."""
        log: list[Operation] = []
        safe: set[int] = set()
        committed = 0
        for event in self.events[:events]:
            if isinstance(event, Sync):
                safe.update(place for place, operation in enumerate(log) if _syncs(event, operation))
                committed = len(log)
            else:
                log.append(event)
        survivors = self._survivors(len(log), safe, committed, random, how)
        tree = self.base.copy()
        for place, operation in enumerate(log):
            if isinstance(operation, Data) and place not in safe and how != "none":
                _tear(tree, operation, random)
            elif place in survivors:
                tree.apply(operation)
        return tree

    def _survivors(self, count: int, safe: set[int], committed: int, random: Random, how: str) -> set[int]:
        """Return the places of the operations that are kept."""
        if how == "journal":
            return safe.union(range(random.randint(committed, count)))
        unsafe = [place for place in range(count) if place not in safe]
        if how == "any":
            kept = random.choice((0.2, 0.5, 0.9))
            return safe.union(place for place in unsafe if random.random() < kept)
        return safe.union(unsafe[-1:] if how == "last" else ())

    def boot(self, tree: Tree) -> None:
        """Go on with what is left: it is written to ``root``, and is safe now."""
        write(tree, self.root)
        self._start(tree)


def _syncs(sync: Sync, operation: Operation) -> bool:
    if sync.inode is None:
        return True
    if isinstance(operation, Name):
        return operation.folder == sync.inode
    if isinstance(operation, Move):
        return sync.inode in (operation.folder, operation.to_folder)
    return operation.inode == sync.inode


def _tear(tree: Tree, operation: Data, random: Random) -> None:
    """Let a write that was not synced reach the disk somehow."""
    block = operation.block
    left = random.choice((b"", block, block[: random.randint(0, len(block))], b"\0" * len(block)))
    if left:
        tree.apply(replace(operation, block=left))


def scan(root: Path) -> Tree:
    """Return what is below a folder."""
    tree = Tree()
    numbers = itertools.count(ROOT + 1)
    known: dict[int, int] = {}
    inodes = {str(root): ROOT}
    for folder, folders, files in os.walk(root):
        for name in sorted([*folders, *files]):
            path = Path(folder, name)
            status = path.lstat()
            if path.is_symlink():
                inode = next(numbers)
                tree.links[inode] = os.readlink(path)
            elif path.is_dir():
                inode = inodes[str(path)] = next(numbers)
                tree.folders[inode] = {}
            else:
                inode = known.setdefault(status.st_ino, 0) or next(numbers)
                known[status.st_ino] = inode
                tree.files[inode] = Content(path.read_bytes(), status.st_mode & 0o7777, int(status.st_mtime))
            tree.folders[inodes[folder]][name] = inode
    return tree


def write(tree: Tree, root: Path) -> None:
    """Make what is below a folder be this."""
    for entry in root.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    names: dict[int, Path] = {}
    for name, inode in tree.walk():
        path = root / name
        if inode in tree.folders:
            path.mkdir()
        elif inode in tree.links:
            path.symlink_to(tree.links[inode])
        elif inode in names:
            os.link(names[inode], path)
        else:
            content = tree.files[inode]
            path.write_bytes(content.data)
            path.chmod(content.mode)
            if content.mtime is not None:
                os.utime(path, (content.mtime, content.mtime))
            names[inode] = path
