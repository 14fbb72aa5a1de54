# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs after something went wrong, each of them as far as it is a new one."""

from __future__ import annotations

from collections.abc import Callable

from unit.engine.machine.mirror import Mirror


class _KnownError(BaseException):
    """Nothing in the engine catches this."""


class Again:
    """Lets the same be done on many disks, and knows which recovered ones it was done on already.

    What a run does once the store is recovered follows from what is on the disk: its clock stands, and it has one
    worker. Recovery leads many cuts to the same disk, ledger and all, and one run from there proves it for all of them.
    """

    def __init__(self, mirror: Mirror, run: Callable[[], object]) -> None:
        self._mirror, self._run = mirror, run
        self._known: set[int] = set()

    def is_new(self) -> bool:
        """Run. False where the run was left after recovery, as an earlier one has begun there."""
        check = self._mirror.recovered

        def recovered() -> None:
            check()
            disk = hash(repr(self._mirror.disk.now.described()))
            if disk in self._known:
                raise _KnownError
            self._known.add(disk)

        self._mirror.recovered = recovered
        try:
            self._run()
        except _KnownError:
            return False
        finally:
            self._mirror.recovered = check
        return True
