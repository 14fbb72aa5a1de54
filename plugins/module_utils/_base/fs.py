# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk: every call of the engine that changes it, in one object that is passed in.

So a test can cut a run at each call, lose what was not synced, or fill the disk. Reading goes past it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from .errors import MirrorError

_LIBC = ctypes.CDLL(None, use_errno=True)  # Python has sync alone, which waits for every file system of the host

#: What blocks must be a multiple of, in a file and in memory, to bypass the page cache.
PAGE = 4096


class OutsideError(MirrorError):
    """Something was about to be done outside the folder that this is for: a fault of this program, or of its folder."""


class Fs:
    """Single steps. None of them leaves a name on a half-written file, except those that say so.

    With a ``root`` each of them is refused where its path does not lie below it by its letters, or leads through a
    symbolic link: whatever else went wrong, nothing outside is opened, linked, renamed or removed.
    """

    _root: str | None = None

    def __init__(self, root: Path | None = None) -> None:
        self._root = str(root) if root else None

    def _guarded(self, path: Path, is_there: bool = False) -> Path:
        """Return a path that may be used. ``is_there``: what is there is opened, and must be no link itself."""
        if self._root is None:
            return path
        text = str(path)
        below = text[len(self._root) + 1 :].split("/") if text.startswith(f"{self._root}/") else []
        if text == self._root:
            return path
        if not below or any(part in ("", ".", "..") for part in below) or "\0" in text:
            raise OutsideError(f"{text!r} is not below {self._root}: nothing was done")
        at = self._root
        for part in below if is_there else below[:-1]:
            at = f"{at}/{part}"
            try:
                if stat.S_ISLNK(os.lstat(at).st_mode):
                    raise OutsideError(f"{at} is a symbolic link, which is not followed: nothing was done to {text}")
            except FileNotFoundError:
                break
        return path

    def mkdir(self, folder: Path) -> None:
        """Make a folder and those above it."""
        self._guarded(folder).mkdir(parents=True, exist_ok=True)

    def open(self, file: Path) -> BinaryIO:
        """Open a file to read it, unbuffered."""
        return open(self._guarded(file, is_there=True), "rb", buffering=0, opener=no_wait)

    def open_part(self, file: Path) -> BinaryIO:
        """Open a file to read it and to add to it, unbuffered; make it where it is not there."""
        return open(self._guarded(file, is_there=True), "ab+", buffering=0, opener=no_link)

    def write(self, file: Path, content: bytes, durable: bool = True) -> None:
        """Write a new file, and with ``durable`` make its content so; half of it may stay after a crash."""
        with self._guarded(file).open("xb") as target:
            target.write(content)
            target.flush()
            if durable:
                os.fsync(target.fileno())

    def note(self, file: Path, content: str) -> None:
        """Give a file new content that may be lost: nothing goes by it."""
        draft = file.with_suffix(".draft")
        with open(self._guarded(draft, is_there=True), "w", encoding="utf-8", opener=no_link) as target:
            target.write(content)
        draft.replace(self._guarded(file))

    def append(self, file: Path, content: bytes, durable: bool) -> None:
        """Add to a file in a single write. Half of it may stay where the disk is full."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self._guarded(file), flags, 0o644)
        try:
            if os.write(descriptor, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def bypass_cache(self, target: BinaryIO) -> None:
        """Let the pages that are written from here on go to the disk at once, where the file system can do that.

        A large file would push out of the page cache what nginx sends, to be written again later, and for more CPU
        time than all else of a fetch takes. From the first block on that is not whole pages, all is as it was.
        """
        with contextlib.suppress(OSError):
            _set_direct(target, True)

    def write_block(self, target: BinaryIO, block: bytes | bytearray | memoryview) -> None:
        """Write at the end of an open file, all of it: an unbuffered write may take a part only."""
        left = memoryview(block)
        if len(left) % PAGE:
            _set_direct(target, False)
        while left:
            try:
                left = left[target.write(left) :]
            except OSError as problem:
                # this file system wants more than pages in pages
                if problem.errno != errno.EINVAL or not _set_direct(target, False):
                    raise

    def truncate(self, target: BinaryIO, size: int) -> None:
        """Cut an open file, and stand at its end."""
        target.truncate(size)
        target.seek(size)

    def sync(self, target: BinaryIO) -> None:
        """Make the content of an open file durable."""
        target.flush()
        os.fsync(target.fileno())

    def sync_dir(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        descriptor = os.open(self._guarded(folder, is_there=True), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_all(self, folder: Path) -> None:
        """Make all durable that is on the file system of a folder."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if _LIBC.syncfs(descriptor):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
        finally:
            os.close(descriptor)

    def link(self, source: Path, name: Path) -> None:
        """Give a file one more name. Raises FileExistsError where the name is taken."""
        if self._root is not None and not stat.S_ISREG(self._guarded(source).lstat().st_mode):
            raise OutsideError(f"{source} is no file: {name} was not linked to it")
        os.link(source, self._guarded(name))

    def symlink(self, target: str, link: Path) -> None:
        """Make a symbolic link."""
        self._guarded(link).symlink_to(target)

    def rename(self, source: Path, name: Path) -> None:
        """Give a file or folder another name, at one instant; an older file of that name is gone."""
        self._guarded(source).replace(self._guarded(name))

    def unlink(self, name: Path) -> None:
        """Take a name away; nothing happens where it is gone already."""
        self._guarded(name).unlink(missing_ok=True)

    def rmtree(self, folder: Path) -> None:
        """Remove a folder with all that is in it; not at one instant."""
        if self._guarded(folder).is_symlink() or folder.is_file():  # nobody of ours put it there
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)

    def freeze(self, file: Path, mode: int, mtime: int) -> None:
        """Set a file's final mode and modification time."""
        self._guarded(file, is_there=True).chmod(mode)
        os.utime(file, (mtime, mtime))

    def forbid(self, source: BinaryIO) -> None:
        """Let nobody read an open file any more, whatever names it has; durable then."""
        os.fchmod(source.fileno(), 0)
        os.fsync(source.fileno())

    def free(self, folder: Path) -> tuple[int, int, int]:
        """Return the free bytes, all bytes and the free inodes of a file system, as its users may use them."""
        status = os.statvfs(folder)
        # a file system without a fixed number of inodes (btrfs) reports none at all
        inodes = status.f_favail if status.f_files else 1 << 40
        return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize, inodes


def _set_direct(target: BinaryIO, direct: bool) -> bool:
    """Switch an open file's O_DIRECT on or off and return whether that changed anything."""
    flags = fcntl.fcntl(target, fcntl.F_GETFL)
    wanted = flags | os.O_DIRECT if direct else flags & ~os.O_DIRECT
    if wanted != flags:
        fcntl.fcntl(target, fcntl.F_SETFL, wanted)
    return wanted != flags


def no_wait(name: str, flags: int) -> int:
    """Open a file for ``open``, but wait for nobody: a FIFO that has its name would have the reader wait for ever."""
    return os.open(name, flags | os.O_NONBLOCK, 0o666)


def no_link(name: str, flags: int) -> int:
    """Do as ``no_wait``, but through no symbolic link: it may be planted for root, who writes here."""
    return no_wait(name, flags | os.O_NOFOLLOW)


def read_file(file: Path) -> bytes:
    """Return what is in a file. Raises OSError, and ValueError where something else has its name."""
    with open(file, "rb", opener=no_wait) as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise ValueError("it is no file, but a FIFO or a device")
        return source.read()


def has_content(file: Path, content: bytes) -> bool:
    """Say whether a file is there, with just this in it."""
    try:
        return read_file(file) == content
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False


def files_below(folder: Path) -> Iterator[str]:
    """Yield the relative names of all files and links in a folder and in those below it."""
    for top, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(top, name))]
        prefix = top[len(str(folder)) + 1 :]
        for name in [*files, *links]:
            yield f"{prefix}/{name}" if prefix else name


def sync_tree(fs: Fs, top: Path) -> None:
    """Make the names in a folder and in all below it durable."""
    for folder, _folders, _files in os.walk(top, topdown=False):
        fs.sync_dir(Path(folder))


def write_files(fs: Fs, top: Path, files: Mapping[str, bytes]) -> None:
    """Write new files with their folders below ``top``."""
    for folder in sorted({(top / name).parent for name in files}):
        fs.mkdir(folder)
    for name, content in files.items():
        fs.write(top / name, content)


def replace_file(fs: Fs, file: Path, content: bytes, scratch: Path) -> None:
    """Give a file new content at one instant. ``scratch`` is a folder on the same file system."""
    draft = scratch / "draft"
    fs.unlink(draft)
    fs.write(draft, content)
    fs.rename(draft, file)
    fs.sync_dir(file.parent)


def replace_derived(fs: Fs, file: Path, content: bytes) -> None:
    """Give a file new content at one instant. A power cut may lose or tear it: whoever reads it must see that."""
    draft = file.with_suffix(".draft")
    fs.unlink(draft)
    fs.write(draft, content, durable=False)
    fs.rename(draft, file)


def replace_link(fs: Fs, link: Path, target: str, scratch: Path) -> None:
    """Point a symbolic link elsewhere at one instant."""
    draft = scratch / "draft"
    fs.unlink(draft)
    fs.symlink(target, draft)
    fs.rename(draft, link)
    fs.sync_dir(link.parent)


def empty_dir(fs: Fs, folder: Path) -> Path:
    """Make a folder, without what an interrupted run left in it. The name of one that is there stays durable."""
    if folder.is_symlink() or folder.is_file():
        fs.unlink(folder)
    fs.mkdir(folder)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            fs.rmtree(entry)
        else:
            fs.unlink(entry)
    return folder
