# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is here of a ref already, beside which an answer of one of several upstreams may be an older one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Callable

from .._base.clock import Clock, stamp
from .._base.names import Commit
from .._plan.facts import Listing

#: Seconds by which a date may be ahead of this host's clock; one further ahead is none.
_AHEAD = 86400


@dataclass(frozen=True)
class Latest:
    """The newest commit of a ref that is here, be it published or waiting for a person.

    ``read`` returns what was told of it, ``earlier`` are commits that were published under the ref.
    """

    commit: Commit
    earlier: Collection[Commit]
    read: Callable[[], Listing | None]
    clock: Clock

    def teller(self, endpoints: Sequence[str]) -> int:
        """Return the place of who told it in a list of upstreams; where nobody knows, it was the first."""
        return _place(self.read(), endpoints)

    def is_newer(self, found: Listing, place: int, endpoints: Sequence[str]) -> bool:
        """Say whether what the upstream at a place of the list names now is older than this.

        It is where it was published before. Else by dates: two that the same upstream told, or where one after it in
        the list names what is older; no date that one after it told holds back an upstream.
        """
        if found.commit == self.commit:
            return False
        if found.commit in self.earlier:
            return True
        known = self.read()
        is_own = known is not None and endpoints[place] == known.teller == found.teller
        if not (is_own or place > _place(known, endpoints)):
            return False
        dates = [self._date(found), self._date(known)]
        return all(dates) and dates[0] < dates[1]

    def _date(self, listing: Listing | None) -> str:
        date = str(listing.info.get("lastModified") or "") if listing else ""
        return date if date < stamp(self.clock.now() + _AHEAD) else ""


def _place(listing: Listing | None, endpoints: Sequence[str]) -> int:
    return endpoints.index(listing.teller) if listing and listing.teller in endpoints else 0
