# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run is: counted by its threads, written into a file once a second for whoever follows it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Callable

from .errors import MirrorError
from .fs import Fs, read_file

_INTERVAL = 1.0  # seconds


class Progress:
    """Counts of one run.

    ``received`` is asked for the bytes that came in, ``is_told_to_wait`` whether the Hub wants the run to wait.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.received: Callable[[], int] = lambda: 0
        self.is_told_to_wait: Callable[[], bool] = lambda: False
        self._moves = 0
        self._values: dict[str, Any] = {"phase": "starting", "done": 0, "total": 0, "bytes_total": 0}

    def begin(self, phase: str, total: int, bytes_total: int = 0) -> None:
        """Enter a phase of so many steps."""
        with self._lock:
            self._values = {"phase": phase, "done": 0, "total": total, "bytes_total": bytes_total}

    def step(self) -> None:
        """One step more is done."""
        with self._lock:
            self._values["done"] += 1

    def move(self) -> None:
        """Something was done that is no step of its own, and may take its time with others like it."""
        with self._lock:
            self._moves += 1

    @property
    def phase(self) -> str:
        """Return the phase, and how far it is."""
        with self._lock:
            return "{phase}, {done} of {total}".format(**self._values)

    def mark(self) -> object:
        """Return what differs from before as soon as there is any progress."""
        with self._lock:
            return self._moves, self.received(), *self._values.values()

    def to_json(self) -> dict[str, Any]:
        """Return phase, done, total, bytes_done and bytes_total."""
        with self._lock:
            return {**self._values, "bytes_done": self.received()}

    @contextmanager
    def written(self, fs: Fs, file: Path) -> Iterator[None]:
        """Keep a file up to date for as long as the block lasts, and take it away then."""
        ended = threading.Event()

        def write() -> None:
            while not ended.is_set():
                with suppress(OSError, MirrorError):  # a full disk is told by who needs it
                    fs.note(file, json.dumps(self.to_json()))
                ended.wait(_INTERVAL)

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            for left in (file, file.with_suffix(".draft")):
                left.unlink(missing_ok=True)


def read(file: Path) -> dict[str, Any] | None:
    """Return what a run wrote last, or None."""
    try:
        found: dict[str, Any] = json.loads(read_file(file))
    except (OSError, ValueError):
        return None
    return found
