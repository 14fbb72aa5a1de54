# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A terminal that a person looks at: rich's tables and bars. rich is optional."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from .._plan.report import human
from .terminal import Terminal, clean

try:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.table import Table
except ImportError:
    RICH_ERROR: str | None = traceback.format_exc()
else:
    RICH_ERROR = None


class RichTerminal(Terminal):
    """Tables, colours and bars."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._console = Console(file=stream, markup=False, highlight=False, emoji=False)
        self._bars: Progress | None = None

    def say(self, text: str, style: str = "") -> None:
        """Show a line above the bars."""
        self._console.print(clean(text), style=style, soft_wrap=True)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show a table as wide as the terminal at most."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for position, head in enumerate(heads):
            # names and messages may be long, what is between them must stay readable
            in_lines = position in (0, len(heads) - 1)
            side: Any = "right" if head.startswith(">") else "left"
            table.add_column(head.lstrip(">"), justify=side, overflow="fold", no_wrap=not in_lines)
        for row in rows:
            table.add_row(*[clean(cell) for cell in row])
        self._console.print(table)

    def progress(self, values: Mapping[str, Any] | None) -> None:
        """Draw a bar for the phase that the run is in."""
        phase = str(values["phase"]) if values else ""
        if phase != self._phase:
            if self._bars:
                self._bars.stop()
            self._bars = self._start(phase, bool(values["bytes_total"])) if values else None
            self._phase = phase
        if self._bars and values:
            in_bytes = values["bytes_total"]
            done, total = (values["bytes_done"], in_bytes) if in_bytes else (values["done"], values["total"])
            text = f"{values['done']}/{values['total']}"
            if in_bytes:
                text += f"  {human(values['bytes_done'])} of {human(in_bytes)}"
            self._bars.update(self._bars.task_ids[0], completed=done, total=total or None, text=text)

    def _start(self, phase: str, in_bytes: bool) -> Progress:
        columns = [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}")]
        if in_bytes:
            columns += [TransferSpeedColumn(), TimeRemainingColumn()]
        bars = Progress(*columns, console=self._console, transient=True)
        bars.add_task(phase, total=None, text="")
        bars.start()
        return bars
