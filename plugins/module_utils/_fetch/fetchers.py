# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contents from whoever has them: the peers, then the upstreams in order. A hash decides, so that all are as good.

What one began the next one goes on with. Who sent wrong bytes is known by a hash that all of them made, from the first
byte to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from .._base.clock import StoppedError
from .._base.errors import MirrorError
from .._plan.plan import Fetch
from .body import BrokenError, ClosedError, FetchError, WrongError
from .fetch import DiskFullError, Fetcher, HashMismatchError
from .health import AWAY, WRONG, Health, Lack
from .http import Haste, LimitedError, TransportError, UnreachableError, is_unreachable


class Fetchers:
    """The fetchers of a run, for all of its threads: one for each of the ``upstreams`` and of the ``peers``.

    ``is_patient``: an upstream that could not be reached is asked for the next content all the same, if it is the only
    one. ``believed`` has the endpoints of several whose word counts that a repository is closed.
    """

    def __init__(
        self,
        upstreams: Sequence[Fetcher],
        health: Health,
        peers: Sequence[Fetcher] = (),
        is_patient: bool = True,
        believed: Collection[str] = (),
    ) -> None:
        self._upstreams, self._health, self._peers, self._is_patient = upstreams, health, peers, is_patient
        self._believed = believed
        self._away = set[Fetcher]()
        self._down: UnreachableError | None = None

    @property
    def _all(self) -> list[Fetcher]:
        return [*self._peers, *self._upstreams]

    @property
    def fetched(self) -> int:
        """Return the bytes that came in so far."""
        return sum(fetcher.fetched for fetcher in self._all)

    def when_reading(self, move: Callable[[], None]) -> None:
        """Say what is to be called while what is there is read."""
        for fetcher in self._all:
            fetcher.move = move

    def close(self) -> None:
        """Let the threads go, and end what is still under way."""
        for fetcher in self._all:
            fetcher.close()
            fetcher.source.close()

    @property
    def warnings(self) -> list[str]:
        """Return what a person should know although nothing failed."""
        return [warning for fetcher in self._all for warning in fetcher.source.warnings]

    def fetch(self, action: Fetch, part: Path) -> None:
        """Complete ``part`` with the bytes of a file, and verify it. Raises MirrorError where nobody has it."""
        for peer in [one for one in self._peers if one not in self._away]:
            try:
                return peer.fetch(action, part)
            except (StoppedError, DiskFullError):
                raise
            except TransportError:
                self._away.add(peer)
            except FetchError:
                pass
        if len(self._upstreams) > 1:
            return self._from_upstreams(action, part)
        if self._down:
            raise self._down
        try:
            return self._upstreams[0].fetch(action, part)
        except UnreachableError as problem:
            self._down = None if self._is_patient else problem
            raise

    def _from_upstreams(self, action: Fetch, part: Path) -> None:
        problems: dict[Fetcher, MirrorError] = {}
        for fetcher in self._health.order(self._upstreams, _name, action.repo):
            haste = Haste.MOST if self._health.is_away(_name(fetcher)) else Haste.SOME
            if self._try(fetcher, action, part, problems, haste):
                return
        # nobody else has it: now their limits are waited for
        limited = [fetcher for fetcher, problem in problems.items() if isinstance(problem, LimitedError)]
        if any(self._try(fetcher, action, part, problems, Haste.NONE) for fetcher in limited):
            return
        self._blame(action, problems, is_right=False)
        raise _joined(problems)

    def _try(
        self, fetcher: Fetcher, action: Fetch, part: Path, problems: dict[Fetcher, MirrorError], haste: Haste
    ) -> bool:
        """Say whether an upstream has the content, or note in ``problems`` why not."""
        name = _name(fetcher)
        if self._is_closed(fetcher, problems):
            return False
        try:
            fetcher.fetch(action, part, haste)
        except (StoppedError, DiskFullError):
            raise
        except LimitedError as problem:
            self._health.limited(name, problem.seconds)
            problems[fetcher] = problem
        except (TransportError, BrokenError) as problem:
            if isinstance(problem, TransportError) and is_unreachable(problem, name):
                self._health.leave(name, AWAY, f"gives no answer ({problem})", is_away=True)
            else:
                self._health.trouble(name, action.repo, str(problem))
            problems[fetcher] = problem
        except MirrorError as problem:
            self._health.answered(name)
            problems[fetcher] = problem
        else:
            problems.pop(fetcher, None)
            self._tell(action, problems)
            self._blame(action, problems, is_right=True)
            untold = fetcher.source.untold
            if untold and untold.file == action.file:
                self._health.leave(name, WRONG, f"does not return the hash of {_shown(action)} (no X-Linked-Etag)")
            else:
                self._health.fine(name)
            return True
        return False

    def _is_closed(self, fetcher: Fetcher, problems: Mapping[Fetcher, MirrorError]) -> bool:
        """Say whether one before it in the list, that is believed, has closed it: this one is no way around."""
        before = self._upstreams[: self._upstreams.index(fetcher)]
        return any(isinstance(problems.get(one), ClosedError) and _name(one) in self._believed for one in before)

    def _tell(self, action: Fetch, problems: Mapping[Fetcher, MirrorError]) -> None:
        """Note who had trouble with a content that another one gave; who is left for it is told of otherwise."""
        for one, problem in problems.items():
            if isinstance(problem, (TransportError, BrokenError)) and not self._health.is_away(_name(one)):
                self._health.lacks(_name(one), f"{_shown(action)} ({problem})", Lack.FILE)

    def _blame(self, action: Fetch, problems: Mapping[Fetcher, MirrorError], is_right: bool) -> None:
        """Leave who sent what is not listed; where two send the same and nobody what is listed, leave the lister."""
        wrong = {_name(one): problem for one, problem in problems.items() if isinstance(problem, WrongError)}
        # two of one host are one witness
        told = [one for one, _host in {(problem.told, urlsplit(name).hostname) for name, problem in wrong.items()}]
        lister = self._health.listed.get(action.commit)
        if not is_right and any(one and told.count(one) > 1 for one in told):
            if lister:
                self._health.leave(lister, WRONG, f"lists {_shown(action)} with a hash that no upstream sends")
            return
        for name, problem in wrong.items():
            self._health.leave(name, WRONG, f"sends other contents than listed ({problem})")


def _name(fetcher: Fetcher) -> str:
    return fetcher.source.name


def _shown(action: Fetch) -> str:
    return f"{action.path} of {action.repo}@{action.commit[:12]}"


def _joined(problems: Mapping[Fetcher, MirrorError]) -> MirrorError:
    """Return what all of them had to say, each by its name; a content that came wrong is to be remembered as such."""
    text = "; ".join(f"{_name(one)}: {problem}" for one, problem in problems.items())
    cause = "; ".join(f"{_name(one)}: {problem.cause}" for one, problem in problems.items())
    is_wrong = any(isinstance(problem, HashMismatchError) for problem in problems.values())
    return (HashMismatchError if is_wrong else FetchError)(text, cause)
