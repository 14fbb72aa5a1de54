# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RunDisplay a run, our own or another process': new records of the ledger as lines, the progress as bars."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Callable

from .._base.progress import read
from .._store.store import Store
from .ledger_text import describe
from .terminal import Terminal

_INTERVAL = 0.2  # seconds


class RunDisplay:
    """What happens in a store from now on, shown at a terminal."""

    def __init__(self, store: Store, terminal: Terminal) -> None:
        self._store, self._terminal = store, terminal
        self._folder = store.root / "ledger"
        self._read = {file: file.stat().st_size for file in self._folder.glob("[0-9]*.jsonl")}

    @contextlib.contextmanager
    def beside(self, progress: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
        """Show a run of this process for as long as the block lasts."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(_INTERVAL):
                self._look(progress(), failures=False)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._look(None, failures=False)

    def follow(self) -> None:
        """Show the run of another process until it ends."""
        progress = self._store.root / "ledger" / "progress.json"
        try:
            while self._store.running():
                self._look(read(progress))
                self._store.clock.sleep(_INTERVAL)
        finally:
            self._look(None)

    def _look(self, progress: Mapping[str, Any] | None, failures: bool = True) -> None:
        with contextlib.suppress(OSError):  # a disk that fails is told by the run itself
            for record in self._news():
                text = describe(record, failures)
                if text:
                    self._terminal.say(text)
        self._terminal.progress(progress)

    def _news(self) -> Iterator[Mapping[str, Any]]:
        """Yield what was written since the last look; a line that is not ended yet is for the next."""
        for file in sorted(self._folder.glob("[0-9]*.jsonl")):
            if not file.is_file():
                continue
            with file.open("rb") as source:
                source.seek(self._read.get(file, 0))
                for line in source:
                    if not line.endswith(b"\n"):
                        break
                    self._read[file] = self._read.get(file, 0) + len(line)
                    try:
                        record = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(record, dict):
                        yield record
