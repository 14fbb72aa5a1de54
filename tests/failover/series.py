# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takeovers, one after the other, and what each cost the clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from failover.downloads import EIGHT, Downloads, large_file, slow
from failover.faults import FAULTS, Fault
from failover.polls import Poll, Poller, longest_gap
from failover.publishing import Publishing
from testhosts import FLOATING, active, are_well, hub_switched_off, until

#: The host that polls is not the one that downloads.
POLLING = "client12"
PUBLISHING = "host killed in the middle of a sync"
#: Syncs that a node misses.
MISSED = 20


@dataclass
class Takeover:
    """What happened: times are in seconds, polls as a client saw them."""

    name: str
    fault: Fault
    moved: bool
    #: The longest time without an answer, and when that began.
    gap: float
    at: float
    #: How many downloads there were, and how many were under way when it happened.
    downloads: int
    under_way: int
    failed: list[str]
    wrong: list[str]
    #: Whether what was seen meanwhile was right.
    is_right: bool
    #: How many nodes have the address afterwards.
    holders: int
    #: From the end of the fault.
    well_after: float
    polls: Sequence[Poll]

    def problems(self) -> list[str]:
        """Say what must not be."""
        found = [f"failed: {one}" for one in self.failed if not self._is_known(one)]
        found += [f"wrong bytes: {one}" for one in self.wrong]
        if self.under_way != self.downloads:
            found.append(
                f"only {self.under_way} of {self.downloads} downloads were under way: it shows less than it should"
            )
        if not self.is_right:
            found.append("the other node served something else than the old or the new commit")
        if self.holders != 1:
            found.append(f"{self.holders} nodes have the address")
        if self.fault.moves not in (None, self.moved):
            found.append("the address moved" if self.moved else "the address did not move")
        return [f"{self.name}: {one}" for one in found]

    def _is_known(self, failure: str) -> bool:
        return any(failure.startswith(client) and error in failure for client, error in self.fault.ends)


def take_over(
    name: str, fault: Fault, clients: Sequence[str] = EIGHT, look: Callable[[], bool] = lambda: True
) -> Takeover:
    """Take the active node away while clients download, and wait until both are well again.

    ``look`` is called when the clients are done, before the node comes back.
    """
    until(are_well, 120)
    (first,) = active()
    file = large_file()
    with slow(), Downloads(clients, file) as downloads, Poller(POLLING, file.url_path, file.sha256) as poller:
        until(downloads.have_begun)
        under_way, begun = downloads.under_way(), time.monotonic()
        try:
            fault.begin(first)
            if fault.lasts:
                until(lambda: time.monotonic() > begun + (fault.lasts or 0))
            else:
                results = downloads.results()
            moved = any(name != first for name in active())
            is_right = look()
        finally:
            fault.end(first)
        ended = time.monotonic()
        if fault.lasts:
            results = downloads.results()
        until(are_well, 120)
        well_after = time.monotonic() - ended
        polls = poller.stop()
    gap, at = longest_gap(polls, begun)
    return Takeover(
        name,
        fault,
        moved,
        gap,
        at,
        len(clients),
        under_way,
        failed=[f"{one.client}: {one.said}" for one in results if not one.sha256],
        wrong=[f"{one.client}: {one.sha256}" for one in results if one.sha256 not in ("", file.sha256)],
        is_right=is_right,
        holders=len(active()),
        well_after=well_after,
        polls=polls,
    )


class Series:
    """All faults, each so many times."""

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        #: Seconds that a node took to have what it had missed.
        self.caught_up = 0.0

    def run(self) -> Iterator[Takeover]:
        """Let them happen; the pair follows each other."""
        yield from self._publishing()
        with hub_switched_off():
            for _round in range(self._rounds):
                for name, fault in FAULTS.items():
                    yield take_over(name, fault)

    def _publishing(self) -> Iterator[Takeover]:
        publishing = Publishing()
        try:
            for _round in range(self._rounds):
                yield take_over(PUBLISHING, publishing.killed(), look=lambda: publishing.is_whole(FLOATING))
                publishing.publish()
                until(publishing.are_equal)
            self.caught_up = publishing.away(MISSED)
        finally:
            publishing.retire()
