# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk whose cache goes with the power: what is on it when nobody serves it any more."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from powercut.disk import BLOCK, DISCONNECT, FLUSH, FUA, READ, REPLY, REQUEST, WRITE, Cached

BLOCKS = 64
Ask = Callable[..., bytes]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "disk"
    file.write_bytes(bytes(BLOCK * BLOCKS))
    return file


@pytest.fixture(params=[0.0])
def ask(request: pytest.FixtureRequest, file: Path) -> Iterator[Ask]:
    """Ask the disk as the kernel does; its ``param`` is the share that no flush is needed for."""
    kernel, server = socket.socketpair()
    backing = os.open(file, os.O_RDWR)
    serving = threading.Thread(target=Cached(backing, request.param, Random(1)).serve, args=[server])
    serving.start()

    def call(what: int, at: int = 0, content: bytes = b"", length: int = 0) -> bytes:
        kernel.sendall(REQUEST.pack(0x25609513, what, 7, at * BLOCK, len(content) or length) + content)
        return kernel.recv(REPLY.size + length, socket.MSG_WAITALL)[REPLY.size :]

    yield call
    kernel.sendall(REQUEST.pack(0x25609513, DISCONNECT, 7, 0, 0))
    serving.join()
    for one in (kernel, server):
        one.close()
    os.close(backing)


def written(file: Path) -> int:
    content = file.read_bytes()
    return sum(any(content[at : at + BLOCK]) for at in range(0, len(content), BLOCK))


def test_what_no_flush_forced_out_is_lost(ask: Ask, file: Path) -> None:
    block = b"x" * BLOCK
    ask(WRITE, 3, block)
    assert ask(READ, 3, length=BLOCK) == block and not written(file)
    ask(FLUSH)
    assert written(file) == 1 and file.read_bytes()[3 * BLOCK :].startswith(block)
    ask(WRITE | FUA, 5, block)
    ask(WRITE, 6, block * 2)
    assert written(file) == 2
    assert ask(READ, 2, length=6 * BLOCK) == bytes(BLOCK) + block + bytes(BLOCK) + block * 3


@pytest.mark.parametrize("ask", [0.5], indirect=True)
def test_a_share_gets_to_the_disk_all_the_same(ask: Ask, file: Path) -> None:
    ask(WRITE, 0, b"x" * BLOCK * BLOCKS)
    assert BLOCKS / 4 < written(file) < 3 * BLOCKS / 4
    ask(FLUSH)
    assert written(file) == BLOCKS
