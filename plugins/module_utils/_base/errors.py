# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine raises when it can say in a sentence what is wrong and what to do."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from enum import Enum

from .address import masked

#: Characters of what an error that nobody foresaw says, and of where it comes from.
_TEXT, _TRACE = 300, 8000


class MirrorError(Exception):
    """A problem that a person can act on; its text is shown as it is, without the passwords of addresses.

    What nobody would see of a name, such as a soft hyphen, is written as Python writes it.
    ``cause`` is equal for all problems that have one reason (the Hub is down, the disk is full), however many entries
    they hit. ``trace`` is where an error that nobody foresaw comes from.
    """

    trace = ""

    def __init__(self, text: str, cause: str | None = None) -> None:
        super().__init__(_visible(masked(text)))
        self.cause = _visible(masked(cause or text))


def _visible(text: str) -> str:
    """Return a text in which each character can be seen; its lines stay."""
    if text.isprintable():
        return text
    seen = (one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode() for one in text)
    return "".join(seen)


class HeldError(MirrorError):
    """The upstream changed in a way that is not followed by itself; what is published stays served."""


class Besides(Enum):
    """The names under which something fails that is no entry of the whitelist."""

    VIEWS = "views"
    REMOVAL = "removal"
    MAX_DELETE = "max_delete"
    RETENTION = "retention"
    CATALOGUE = "catalogue"
    LEDGER = "ledger"
    #: A file of a whitelist that is wrong or gone, with its name: ``whitelist team.yml``.
    WHITELIST = "whitelist"
    #: The run itself, which died or was ended by a limit.
    RUN = "run"

    @classmethod
    def has(cls, name: str) -> bool:
        """Say whether a name is one of these."""
        return name in cls._value2member_map_ or name.startswith(f"{cls.WHITELIST.value} ")


def join(problems: Iterable[MirrorError]) -> MirrorError:
    """Return one problem for several, each reason once."""
    found = list(problems)
    causes = list(dict.fromkeys(problem.cause for problem in found))
    text = "; ".join(dict.fromkeys(map(str, found))) if len(causes) > 1 else str(found[0])
    joined = MirrorError(text, cause="; ".join(causes))
    joined.trace = next((problem.trace for problem in found if problem.trace), "")
    return joined


def as_problem(error: Exception) -> MirrorError:
    """Return what to say of any error, be it ours, the system's, or one that nobody foresaw.

    Raises MemoryError: that is nobody's failure but the run's.
    """
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, MirrorError):
        return error
    return MirrorError(str(error)) if isinstance(error, OSError) else unexpected(error)


def unexpected(error: Exception) -> MirrorError:
    """Return what to say of an error that nobody foresaw: something odd from outside, or a mistake of ours."""
    name, text = type(error).__name__, " ".join(str(error).split())
    short = text if len(text) <= _TEXT else f"{text[:_TEXT]}..."
    problem = MirrorError(f"unexpected {name}: {short}" if text else f"unexpected {name}", cause=f"unexpected {name}")
    problem.trace = masked("".join(traceback.format_exception(type(error), error, error.__traceback__)))[-_TRACE:]
    return problem


def by_cause(problems: Mapping[str, MirrorError]) -> dict[str, list[str]]:
    """Return cause -> the names that it hit, in order."""
    causes: dict[str, list[str]] = {}
    for name, problem in problems.items():
        causes.setdefault(problem.cause, []).append(name)
    return causes


def sentence(problems: Mapping[str, MirrorError], total: int) -> str:
    """Return one message for a run that failed in part: one clause for each cause, not for each name.

    ``total`` counts the entries; what fails besides them is named, and not counted.
    """
    clauses = "; ".join(f"{_names(names)}: {cause}" for cause, names in by_cause(problems).items())
    failed = sum(not Besides.has(name) for name in problems)
    return f"{failed} of {total} entries failed: {clauses}" if failed else clauses


def _names(names: Iterable[str], shown: int = 3) -> str:
    known = list(names)
    more = f" and {len(known) - shown} more" if len(known) > shown else ""
    return ", ".join(known[:shown]) + more
