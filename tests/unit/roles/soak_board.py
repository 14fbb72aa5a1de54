# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the publisher and the clients of the soak tell each other: files in a folder, each replaced in one step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class File(NamedTuple):
    """What the Hub declares of a file: ``etag`` is its SHA-256, or of those outside LFS Git's SHA-1."""

    size: int
    etag: str

    def hasher(self) -> Any:
        return hashlib.sha256() if len(self.etag) == 64 else hashlib.sha1(b"blob %d\0" % self.size)


class Board:
    """The files of each commit, and the hour that the engine's clock shows.

    That clock shows an hour more than it did when the slowest client began what it is at. So no client is ever slower
    than a grace of two hours, however slow the machine is, and what was replaced goes once none can be reading it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, dict[str, File]] = {}

    # ---- the publisher

    def open(self, clients: int) -> None:
        for name in ("commits", "contents", "clients"):
            (self._folder / name).mkdir(parents=True)
        for client in range(clients):
            self._write(f"clients/{client}", "0")
        self._write("hour", "0")

    def announce(self, commit: str, files: Mapping[str, File]) -> None:
        """Say what the Hub has. Comes before it is published, so clients know each commit that they meet."""
        for path, file in files.items():
            self._write(f"contents/{file.etag}", path)
        self._write(f"commits/{commit}", json.dumps(files))

    def turn(self) -> int:
        """Set the clock, and return the hour."""
        hour = 1 + min(int(entry.read_text()) for entry in (self._folder / "clients").glob("*[0-9]"))
        self._write("hour", str(hour))
        return hour

    def end(self) -> None:
        self._write("over", "")

    # ---- a client

    def begin(self, client: int) -> int:
        """Say that a client begins something, and return the hour. It asks the mirror nothing before."""
        hour = self.hour()
        self._write(f"clients/{client}", str(hour))
        return hour

    def hour(self) -> int:
        return int((self._folder / "hour").read_text())

    def files(self, commit: str) -> dict[str, File]:
        """Return what the Hub had. Raises FileNotFoundError where it never had such a commit."""
        if commit not in self._read:
            found = json.loads((self._folder / "commits" / commit).read_text())
            self._read[commit] = {path: File(*file) for path, file in found.items()}
        return self._read[commit]

    def had(self, name: str, content: bytes) -> bool:
        """Say whether the Hub ever had this content in a file of that name."""
        for hasher in (File(len(content), "0" * length).hasher() for length in (40, 64)):
            hasher.update(content)
            path = self._folder / "contents" / hasher.hexdigest()
            if path.exists():
                return path.read_text().rpartition("/")[2] == name
        return False

    def is_over(self) -> bool:
        return (self._folder / "over").exists()

    def _write(self, name: str, text: str) -> None:
        fresh = self._folder / f"{name}.fresh"
        fresh.write_text(text)
        fresh.replace(self._folder / name)
