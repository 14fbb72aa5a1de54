# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listings from several upstreams: what the first says that answers, is up to date, and is believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from .._base.clock import StoppedError
from .._base.errors import HeldError, MirrorError
from .._base.names import shown
from .._plan.facts import Listing
from .health import AWAY, BEHIND, Health
from .http import LimitedError, TransportError
from .hub import Hub

Ask = Callable[[Hub], Listing]


class BehindError(MirrorError):
    """Those who answer are behind what was published, and those who may not be give no answer."""


class Upstreams:
    """The ``hubs`` that are believed about commits and hashes, in the order in which they are asked."""

    def __init__(self, hubs: Sequence[Hub], health: Health) -> None:
        self._hubs, self._health = hubs, health

    def ask(self, what: str, ask: Ask, is_behind: Callable[[Listing], bool] = lambda _listing: False) -> Listing:
        """Return what one of them answers about ``what``.

        One that ``is_behind`` is believed only where all are: then there is nothing newer. Raises BehindError where the
        others gave no answer, MirrorError where nobody did.
        """
        if len(self._hubs) == 1:
            return ask(self._hubs[0])
        return _Question(self._hubs, self._health, what, ask, is_behind).answer()


class _Question:
    """One question to several of them. ``is_behind`` judges answers."""

    def __init__(
        self, hubs: Sequence[Hub], health: Health, what: str, ask: Ask, is_behind: Callable[[Listing], bool]
    ) -> None:
        self._hubs, self._health, self._what = hubs, health, what
        self._ask, self._is_behind = ask, is_behind
        self._problems: dict[str, MirrorError] = {}
        self._behind: dict[str, Listing] = {}

    def answer(self) -> Listing:
        """Ask one after the other."""
        order = self._health.order(self._hubs, lambda hub: hub.endpoint)
        for hub in order:
            found = self._try(hub, hub.hasty())
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
        endpoint = hub.endpoint
        try:
            found = self._ask(asked)
        except StoppedError:
            raise
        except HeldError as problem:
            # tokens are for the first one: to the others much is closed
            if hub is self._hubs[0]:
                raise
            self._problems[endpoint] = problem
        except LimitedError as problem:
            self._health.limited(endpoint, problem.seconds)
            self._problems[endpoint] = problem
        except TransportError as problem:
            self._health.leave(endpoint, AWAY, f"gives no answer ({problem})", is_away=True)
            self._problems[endpoint] = problem
        except MirrorError as problem:
            self._problems[endpoint] = problem
        else:
            self._problems.pop(endpoint, None)
            if not self._is_behind(found):
                return found
            self._behind[endpoint] = found
        return None

    def _taken(self, hub: Hub, found: Listing) -> Listing:
        self._health.listed[found.commit] = hub.endpoint
        self._health.fine(hub.endpoint)
        self._leave_behind()
        for endpoint, problem in self._problems.items():
            if not isinstance(problem, (LimitedError, TransportError)):
                self._health.lacks(endpoint, f"{self._what} ({problem})")
        return found

    def _none(self) -> Listing:
        if len(self._behind) == len(self._hubs):
            return self._behind[self._hubs[0].endpoint]
        told = [f"{endpoint}: {problem}" for endpoint, problem in self._problems.items()]
        causes = [f"{endpoint}: {problem.cause}" for endpoint, problem in self._problems.items()]
        if self._behind:
            self._leave_behind()
            raise BehindError("; ".join([*told, f"{', '.join(self._behind)}: behind what is published"]))
        raise MirrorError("; ".join(told), cause="; ".join(causes))

    def _leave_behind(self) -> None:
        for endpoint, found in self._behind.items():
            old = f"{self._what}: {shown(found.commit[:12])} is older than what is published here"
            self._health.leave(endpoint, BEHIND, f"is behind ({old})")
