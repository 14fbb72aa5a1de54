# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a scrub is: a round over all contents takes many nights, and is remembered in ``ledger/scrub.json``."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._base import fs as _fs
from .._base.lock import locked
from .._border.history import number_of
from .._border.json import mapping, read_document
from .._store.store import Store


@dataclass
class ScrubProgress:
    """One look at each content, in their order; those up to ``cursor`` are done. Times are seconds since 1970.

    ``rotten`` counts what was found, whatever became of it. ``last`` is the last round that came to its end: ``began``,
    ``ended``, ``contents``, ``bytes``, ``rotten``.
    """

    cursor: str = ""
    began: float | None = None
    contents: int = 0
    bytes: int = 0
    rotten: int = 0
    last: dict[str, Any] | None = None

    @classmethod
    def read(cls, store: Store) -> ScrubProgress:
        """Return the round that is under way in a store; one that can't be read begins anew."""
        try:
            found = cls(**read_document(_file(store)))
            counts: list[Any] = [found.contents, found.bytes, found.rotten, 0 if found.began is None else found.began]
            if found.last is not None:
                last = mapping(found.last, "last")
                counts += [last.get(name) for name in ("began", "ended", "contents", "bytes", "rotten")]
            for count in counts:
                number_of(count, "scrub.json", least=0, fraction=True)
            return found if isinstance(found.cursor, str) else cls()
        except (OSError, ValueError, TypeError):
            return cls()

    def begin(self, now: float) -> None:
        """Begin, or go on."""
        if self.began is None:
            self.began = now

    def passed(self, cursor: str, size: int, rotten: int) -> None:
        """Count a content that is done."""
        self.cursor = cursor
        self.contents += 1
        self.bytes += size
        self.rotten += rotten

    def end(self, now: float) -> None:
        """All are done; the next round begins with the first."""
        counts = {"contents": self.contents, "bytes": self.bytes, "rotten": self.rotten}
        self.last = {"began": self.began, "ended": now, **counts}
        self.cursor, self.began, self.contents, self.bytes, self.rotten = "", None, 0, 0, 0

    def save(self, store: Store) -> None:
        """Write it down."""
        content = json.dumps(dataclasses.asdict(self)).encode()
        # the ledger's lock is also that of its draft
        with locked(store.root / "ledger" / "lock", wait=True):
            _fs.replace_file(store.fs, _file(store), content, store.root / "ledger")


def _file(store: Store) -> Path:
    return store.root / "ledger" / "scrub.json"
