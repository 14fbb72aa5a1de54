# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON from outside, read within limits, or from a disk; and the few shapes that everything in it has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .._base.fs import read_file
from .._base.limits import ANSWER_VALUES
from .._base.names import NameProblem, shown


class AnswerProblem(NameProblem):
    """What was answered makes no sense as a whole, or is too much. Its text follows on who answered."""


def read_json(text: bytes) -> Any:
    """Return what a text of JSON says. Raises AnswerProblem."""
    # each value but the first follows one of these; in texts they count, too, which does no harm
    if sum(map(text.count, (b",", b"[", b"{", b":"))) > ANSWER_VALUES:
        raise AnswerProblem(f"it has more than {ANSWER_VALUES} values")
    return _value(text)


def read_document(file: Path) -> Any:
    """Return what a file of JSON says that a program of ours wrote. Raises OSError, ValueError."""
    return _value(read_file(file))


def _value(text: bytes) -> Any:
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError:
        raise AnswerProblem("it is nested too deeply") from None
    except ValueError as problem:
        raise AnswerProblem(f"it is no JSON: {problem}") from None


def _integer(text: str) -> int | float:
    """Read a number; one of a million digits takes Python hours, and is nothing that we are told."""
    return int(text) if len(text) < 30 else float("inf")


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return a value that has to be a mapping. Raises AnswerProblem."""
    if not isinstance(value, Mapping):
        raise AnswerProblem(f"{what} is {shown(value)} and no mapping")
    return value


def items(value: Any, what: str, most: int) -> Iterator[tuple[str, Any]]:
    """Yield key and value of a mapping that has ``most`` at the most. Raises AnswerProblem."""
    found = mapping(value, what)
    if len(found) > most:
        raise AnswerProblem(f"{what} has {len(found)} entries, {most} are the most")
    yield from found.items()


def sequence(value: Any, what: str, most: int) -> Iterable[Any]:
    """Return a value that has to be a list of ``most`` at the most. Raises AnswerProblem."""
    if not isinstance(value, (list, tuple)):
        raise AnswerProblem(f"{what} is {shown(value)} and no list")
    if len(value) > most:
        raise AnswerProblem(f"{what} has {len(value)} entries, {most} are the most")
    return value


_DATE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


def date_of(value: Any) -> str | None:
    """Return a date as the Hub writes it, in UTC; None for what is none. Clients read no other form."""
    match = _DATE.fullmatch(value) if isinstance(value, str) and len(value) < 50 else None
    if not match:
        return None
    try:
        moment = datetime.fromisoformat(match[1] + match[2].replace("Z", "+00:00")).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
