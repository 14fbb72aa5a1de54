# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine raises when it can say in a sentence what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum


class MirrorError(Exception):
    """A problem that a person can act on; its text is shown as it is.

    ``cause`` is equal for all problems that have one reason (the Hub is down, the disk is full), however many entries
    they hit.
    """

    def __init__(self, text: str, cause: str | None = None) -> None:
        super().__init__(text)
        self.cause = cause or text


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

    @classmethod
    def has(cls, name: str) -> bool:
        """Say whether a name is one of these."""
        return name in cls._value2member_map_


def join(problems: Iterable[MirrorError]) -> MirrorError:
    """Return one problem for several, each reason once."""
    found = list(problems)
    causes = list(dict.fromkeys(problem.cause for problem in found))
    text = "; ".join(dict.fromkeys(map(str, found))) if len(causes) > 1 else str(found[0])
    return MirrorError(text, cause="; ".join(causes))


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
