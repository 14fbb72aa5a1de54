# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's real ``Fs``: it syncs what the faulty ones take for synced, and notices writes that stop half-way."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base import fs as _fs
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.fs import Fs

Call = Callable[[Fs, Path], None]


def sync_open(fs: Fs, folder: Path) -> None:
    with (folder / "old").open("ab") as target:
        target.write(b"more")  # still in Python's own buffer
        fs.sync(target)


@pytest.mark.parametrize(
    ("call", "synced"),
    [
        (lambda fs, folder: fs.write(folder / "new", b"content"), ["new"]),
        (lambda fs, folder: fs.append(folder / "old", b"line\n", durable=True), ["old"]),
        (lambda fs, folder: fs.append(folder / "old", b"line\n", durable=False), []),
        (lambda fs, folder: fs.sync_dir(folder), ["."]),
        (sync_open, ["old"]),
    ],
)
def test_what_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call, synced: list[str]) -> None:
    (tmp_path / "old").write_bytes(b"old")
    seen: dict[int, int] = {}

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        seen[status.st_ino] = status.st_size

    monkeypatch.setattr(os, "fsync", fsync)
    call(Fs(), tmp_path)
    assert seen == {(tmp_path / name).stat().st_ino: (tmp_path / name).stat().st_size for name in synced}


def test_a_whole_file_system_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Fs().sync_all(tmp_path)

    class Libc:
        def syncfs(self, descriptor: int) -> int:
            assert os.path.samestat(os.fstat(descriptor), tmp_path.stat())
            return -1

    monkeypatch.setattr(_fs, "_LIBC", Libc())
    with pytest.raises(OSError, match=str(tmp_path)):
        Fs().sync_all(tmp_path)


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let the kernel write no more than so many bytes of a file: the write that gets there is a short one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_block(fs: Fs, file: Path) -> None:
    with file.open("ab", buffering=0) as target:
        fs.write_block(target, b"0123456789")


@pytest.mark.parametrize(
    "call",
    [
        lambda fs, file: fs.write(file, b"0123456789"),
        lambda fs, file: fs.append(file, b"0123456789", durable=False),
        write_block,
    ],
)
def test_a_short_write_is_an_error(tmp_path: Path, call: Call) -> None:
    with room_for(4), pytest.raises(OSError) as raised:  # noqa: PT011
        call(Fs(), tmp_path / "file")
    assert raised.value.errno in (errno.ENOSPC, errno.EFBIG)
    assert (tmp_path / "file").read_bytes() == b"0123"
