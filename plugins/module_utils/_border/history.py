# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories and marks, as a disk or a peer has them, made of checked values. What else stands there is left out."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime
from typing import Any

from .._base.clock import LATEST
from .._base.limits import PEER_HISTORY, PEER_REFS
from .._base.names import Commit, Ref, is_plain, shown
from .json import AnswerProblem, items, mapping, sequence

#: Characters of who did it, and of why.
_ACTOR, _NOTE = 200, 2_000
#: What JSON's numbers can count.
_MOST = (1 << 53) - 1
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def history_of(value: Any) -> dict[Ref, list[dict[str, Any]]]:
    """Return ref -> its publishes, the oldest first. Raises NameProblem."""
    return {
        Ref(ref): [_entry(one) for one in sequence(entries, f"the history of {ref}", PEER_HISTORY)]
        for ref, entries in items(value, "history", PEER_REFS)
    }


def _entry(value: Any) -> dict[str, Any]:
    told = mapping(value, "an entry of a history")
    entry = {
        "serial": number_of(told.get("serial"), "serial", least=1),
        # empty where the ref was withdrawn
        "commit": "" if told.get("commit") == "" else Commit(told.get("commit")),
        "time": time_of(told.get("time")),
        "actor": _line(told.get("actor"), "actor", _ACTOR),
    }
    if told.get("rollback"):
        entry["rollback"] = True
    if told.get("note"):
        entry["note"] = _line(told["note"], "note", _NOTE)
    return entry


def marks_of(value: Any, what: str, most: int, needs: str = "time") -> dict[str, dict[str, Any]]:
    """Return marks by what they are on, whose names the caller checks. Raises NameProblem.

    ``needs``: what each must have, ``time`` or ``age``.
    """
    return {name: _mark(mark, needs) for name, mark in items(value, what, most)}


def _mark(value: Any, needs: str) -> dict[str, Any]:
    """Return one mark: when, by whom and why it was made, at what age of the store, whether it was taken away."""
    told = mapping(value, "a mark")
    mark: dict[str, Any] = {}
    if "time" in told:
        mark["time"] = time_of(told["time"])
    for name, most in (("actor", _ACTOR), ("note", _NOTE)):
        if name in told:
            mark[name] = _line(told[name], name, most)
    if "age" in told:
        mark["age"] = number_of(told["age"], "age", least=0, fraction=True)
    if told.get("off"):
        mark["off"] = True
    if needs not in mark:
        raise AnswerProblem(f"a mark has no {needs}")
    return mark


def time_of(value: Any) -> str:
    """Return a time as ``stamp`` writes it. Raises AnswerProblem."""
    if isinstance(value, str) and _TIME.fullmatch(value) and value <= LATEST:
        with contextlib.suppress(ValueError):
            datetime.fromisoformat(value[:-1])
            return value
    raise AnswerProblem(f"time is {shown(value)} and no time")


def _line(value: Any, what: str, most: int) -> str:
    """Return a text that people wrote, on one line and not longer than is shown."""
    if not isinstance(value, str):
        raise AnswerProblem(f"{what} is {shown(value)} and no text")
    return "".join(one if is_plain(one) else " " for one in value[:most])


def number_of(value: Any, what: str, least: int, fraction: bool = False) -> Any:
    """Return a number that JSON can count. Raises AnswerProblem."""
    fine = isinstance(value, (int, float) if fraction else int) and not isinstance(value, bool)
    if not fine or not least <= value <= _MOST:
        raise AnswerProblem(f"{what} is {shown(value)} and no number from {least} to {_MOST}")
    return value
