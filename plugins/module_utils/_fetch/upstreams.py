# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listings from several upstreams: what the first says that answers, is up to date, and is believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, Optional

from .._base.clock import StoppedError
from .._base.errors import HeldError, MirrorError
from .._base.names import shown
from .._plan.facts import Listing
from .._plan.wanted import Wanted
from .health import AWAY, Health, Lack
from .http import Haste, LimitedError, TransportError, is_unreachable
from .hub import Hub, MissingError
from .latest import Latest

Ask = Callable[[Hub], Listing]
#: Says what is here of a ref; it may have to be read.
Look = Callable[[], Optional[Latest]]


class KeptError(MirrorError):
    """The ``latest`` here is to stay: those who answer are behind it, or who told it has it no more."""

    def __init__(self, text: str, latest: Latest) -> None:
        super().__init__(text)
        self.commit = latest.commit


class Upstreams:
    """The ``hubs`` that are believed about commits and hashes, in the order in which they are asked."""

    def __init__(self, hubs: Sequence[Hub], health: Health) -> None:
        self._hubs, self._health = hubs, health

    def is_before(self, hub: Hub, teller: str) -> bool:
        """Say whether an upstream stands before one in the list, so that its word counts where they differ."""
        endpoints = [one.endpoint for one in self._hubs] if teller else []
        return teller in endpoints and endpoints.index(hub.endpoint) < endpoints.index(teller)

    def ask(self, wanted: Wanted, ask: Ask, look: Look = lambda: None) -> Listing:
        """Return what one of them answers about an entry.

        One that is behind what is here is believed only where all are: then there is nothing newer. Raises KeptError
        where the others gave no answer, or where who told what is here has it no more and another one something else;
        MirrorError where nobody has it, HeldError where one of them has closed it.
        """
        if len(self._hubs) == 1:
            return ask(self._hubs[0])
        return _Question(self._hubs, self._health, wanted, ask, look).answer()


class _Question:
    """One question to several of them."""

    def __init__(self, hubs: Sequence[Hub], health: Health, wanted: Wanted, ask: Ask, look: Look) -> None:
        self._hubs, self._health, self._wanted = hubs, health, wanted
        self._ask, self._look = ask, look
        self._endpoints = [hub.endpoint for hub in hubs]
        self._latest: Latest | None = None
        self._problems: dict[str, MirrorError] = {}
        self._behind: dict[str, Listing] = {}

    def answer(self) -> Listing:
        """Ask one after the other."""
        order = self._health.order(self._hubs, lambda hub: hub.endpoint, self._wanted.repo)
        for hub in order:
            haste = Haste.MOST if self._health.is_away(hub.endpoint) else Haste.SOME
            found = self._try(hub, hub.hasty(haste))
            if found:
                return self._taken(hub, found)
        # nobody else answers: now their limits are waited for
        for hub in [one for one in order if isinstance(self._problems.get(one.endpoint), LimitedError)]:
            found = self._try(hub, hub)
            if found:
                return self._taken(hub, found)
        return self._none()

    def _try(self, hub: Hub, asked: Hub) -> Listing | None:
        """Return what one of them answers, None where that is nothing to go by."""
        endpoint, place = hub.endpoint, self._endpoints.index(hub.endpoint)
        # what one has closed, those after it are no way around
        if any(isinstance(self._problems.get(one), HeldError) for one in self._endpoints[:place]):
            return None
        try:
            found = self._ask(asked)
        except StoppedError:
            raise
        except LimitedError as problem:
            self._health.limited(endpoint, problem.seconds)
            self._problems[endpoint] = problem
        except TransportError as problem:
            if is_unreachable(problem, endpoint):
                self._health.leave(endpoint, AWAY, f"gives no answer ({problem})", is_away=True)
            else:
                self._health.trouble(endpoint, self._wanted.repo, str(problem))
            self._problems[endpoint] = problem
        except MirrorError as problem:
            self._health.answered(endpoint)
            self._problems[endpoint] = problem
        else:
            self._health.fine(endpoint)
            self._problems.pop(endpoint, None)
            self._latest = self._look()
            if not (self._latest and self._latest.is_newer(found, place, self._endpoints)):
                return found
            self._behind[endpoint] = found
        return None

    def _taken(self, hub: Hub, found: Listing) -> Listing:
        self._check_gone(hub, found)
        self._health.listed[found.commit] = hub.endpoint
        self._tell_behind()
        for endpoint, problem in self._problems.items():
            if not isinstance(problem, LimitedError) and not self._health.is_away(endpoint):
                self._health.lacks(endpoint, f"{self._wanted} ({problem})", Lack.LISTING)
        return found

    def _check_gone(self, hub: Hub, found: Listing) -> None:
        """Raise KeptError where who told what is here has it no more: nobody else tells how it goes on."""
        if not self._latest or found.commit == self._latest.commit:
            return
        place = self._latest.teller(self._endpoints)
        teller = self._endpoints[place]
        problem = self._problems.get(teller)
        if isinstance(problem, MissingError) and place < self._endpoints.index(hub.endpoint):
            new = f"although {hub.endpoint} names {shown(found.commit[:12])}"
            self._health.lacks(teller, f"{self._wanted}, {new} ({problem})", Lack.GONE)
            raise KeptError(f"{teller}: {problem}", self._latest)

    def _none(self) -> Listing:
        if len(self._behind) == len(self._hubs):
            return self._behind[self._endpoints[0]]
        self._tell_behind()
        told = [f"{endpoint}: {problem}" for endpoint, problem in self._problems.items()]
        causes = [f"{endpoint}: {problem.cause}" for endpoint, problem in self._problems.items()]
        is_closed = any(isinstance(problem, HeldError) for problem in self._problems.values())
        if self._latest and self._behind and not is_closed:
            raise KeptError("; ".join([*told, f"{', '.join(self._behind)}: behind what is here"]), self._latest)
        raise (HeldError if is_closed else MirrorError)("; ".join(told), cause="; ".join(causes))

    def _tell_behind(self) -> None:
        for endpoint, found in self._behind.items():
            old = f"{self._wanted}: {shown(found.commit[:12])} is older than what is here"
            self._health.lacks(endpoint, old, Lack.BEHIND)
