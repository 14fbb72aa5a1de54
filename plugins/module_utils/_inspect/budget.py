# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What judging one content may cost: a hostile one is held, and never takes the machine."""

from __future__ import annotations

from .._base.clock import Clock
from .refused import Limit

#: Archives and packed contents within each other.
DEPTH = 4
#: Files in all archives of one content.
MEMBERS = 200_000
#: Bytes that are read and unpacked for one content, and how many more for each byte that it has. Deflate packs 1000:1.
READ, READ_RATIO = 256 << 20, 100
#: Bytes of archives within a content that are in memory at a time, since they have to be read from their end.
SPOOLED = 64 << 20
#: Seconds for one content, and the bytes of it for which there is one more.
SECONDS, SECOND_BYTES = 60, 10_000_000


class Budget:
    """What is left of the limits for one content of ``size`` bytes."""

    def __init__(self, size: int, clock: Clock) -> None:
        self._clock = clock
        self._end = clock.monotonic() + SECONDS + size / SECOND_BYTES
        self._read = READ + READ_RATIO * size
        self._members = MEMBERS
        self._spooled = SPOOLED
        self._steps = 0

    def read(self, count: int) -> None:
        """Note that bytes were read. Raises Limit."""
        self._read -= count
        if self._read < 0:
            raise Limit(f"unpacks to more than {READ >> 20} MiB and {READ_RATIO} times its size")
        self.check_time()

    def step(self) -> None:
        """Note some work that reads little, which is done often."""
        self._steps += 1
        if not self._steps % 1024:
            self.check_time()

    def check_time(self) -> None:
        """Raise Limit when the time is over, StoppedError when the run is to end."""
        self._clock.check()
        if self._clock.monotonic() > self._end:
            raise Limit("could not be read to its end within the time that its size deserves")

    def member(self) -> None:
        """Note another file in an archive. Raises Limit."""
        self._members -= 1
        if self._members < 0:
            raise Limit(f"has more than {MEMBERS} files in it")

    def spool(self, count: int) -> None:
        """Take memory, or give it back. Raises Limit."""
        self._spooled -= count
        if self._spooled < 0:
            raise Limit(f"has archives of more than {SPOOLED >> 20} MiB in it, which can't be looked into there")
