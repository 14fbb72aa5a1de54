# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk with a cache of its own that a power cut empties: ``python -m powercut.disk FILE SHARE SEED``.

It is a network block device whose server is this process, in the guest itself, so that the cut ends both. What is
written waits in memory until the kernel asks for a flush, but for a random ``SHARE`` of its blocks, which get to the
file at once, before others that were written earlier.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
import threading
from pathlib import Path
from random import Random

DEVICE = "/dev/nbd0"
#: There while the device is served.
SERVED = Path("/sys/block/nbd0/pid")
_MODULE = f"/usr/lib/uml/modules/{os.uname().release}/kernel/drivers/block/nbd.ko"
_FINIT_MODULE = 313  # on x86-64
_SET_SOCK, _SET_BLKSIZE, _DO_IT, _SET_SIZE_BLOCKS, _SET_FLAGS = 0xAB00, 0xAB01, 0xAB03, 0xAB07, 0xAB0A
_HAS_FLAGS, _SEND_FLUSH, _SEND_FUA = 1, 4, 8
READ, WRITE, DISCONNECT, FLUSH = range(4)
FUA = 1 << 16
REQUEST, REPLY = struct.Struct(">IIQQI"), struct.Struct(">IIQ")
_REPLY_MAGIC = 0x67446698
BLOCK = 4096


def main() -> None:
    """Serve the device until the power goes."""
    file, share, seed = sys.argv[1:]
    with open(_MODULE, "rb") as module:
        ctypes.CDLL(None).syscall(_FINIT_MODULE, module.fileno(), b"", 0)
    kernel, server = socket.socketpair()
    backing = os.open(file, os.O_RDWR)
    device = os.open(DEVICE, os.O_RDWR)
    fcntl.ioctl(device, _SET_BLKSIZE, BLOCK)
    fcntl.ioctl(device, _SET_SIZE_BLOCKS, os.fstat(backing).st_size // BLOCK)
    fcntl.ioctl(device, _SET_FLAGS, _HAS_FLAGS | _SEND_FLUSH | _SEND_FUA)
    fcntl.ioctl(device, _SET_SOCK, kernel.fileno())
    threading.Thread(target=fcntl.ioctl, args=(device, _DO_IT, 0), daemon=True).start()
    Cached(backing, float(share), Random(seed)).serve(server)


class Cached:
    """A file behind a cache of blocks."""

    def __init__(self, backing: int, share: float, random: Random) -> None:
        self._backing, self._share, self._random = backing, share, random
        self._cache: dict[int, bytes] = {}

    def serve(self, kernel: socket.socket) -> None:
        with kernel.makefile("rb") as requests:
            while True:
                _magic, what, cookie, start, length = REQUEST.unpack(requests.read(REQUEST.size))
                answer = b""
                if what & 0xFFFF == READ:
                    answer = b"".join(self._read(at) for at in range(start, start + length, BLOCK))
                elif what & 0xFFFF == WRITE:
                    content = requests.read(length)
                    for at in range(0, length, BLOCK):
                        self._write(start + at, content[at : at + BLOCK], bool(what & FUA))
                elif what & 0xFFFF == FLUSH:
                    self._flush()
                else:
                    return
                kernel.sendall(REPLY.pack(_REPLY_MAGIC, 0, cookie) + answer)

    def _read(self, at: int) -> bytes:
        return self._cache.get(at) or os.pread(self._backing, BLOCK, at)

    def _write(self, at: int, block: bytes, must: bool) -> None:
        if must or self._random.random() < self._share:
            self._cache.pop(at, None)
            os.pwrite(self._backing, block, at)
        else:
            self._cache[at] = block

    def _flush(self) -> None:
        for at, block in self._cache.items():
            os.pwrite(self._backing, block, at)
        self._cache.clear()


if __name__ == "__main__":
    main()
