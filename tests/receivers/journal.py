# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came, in order."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Entry:
    """One message: the text that people get, None where it was refused; the robot's error code; host or address."""

    service: str
    text: str | None
    errcode: int
    to: str


@dataclass
class Journal:
    """The messages since the start or the last reset."""

    entries: list[Entry] = field(default_factory=list)

    def note(self, entry: Entry) -> None:
        """Keep a message."""
        self.entries.append(entry)

    def reset(self) -> None:
        """Start over."""
        self.entries.clear()

    def to_json(self) -> list[dict[str, Any]]:
        """Return everything, the oldest message first."""
        return [dataclasses.asdict(entry) for entry in self.entries]
