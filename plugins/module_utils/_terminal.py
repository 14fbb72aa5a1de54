# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees: rich's tables and bars at a terminal; in a log, or without rich, plain lines."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from ._report import human

try:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.table import Table
except ImportError:
    RICH_ERROR: str | None = traceback.format_exc()
else:
    RICH_ERROR = None


class Terminal:
    """Plain lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._phase = ""

    def say(self, text: str, style: str = "") -> None:
        """Show a line, or several. ``style`` is rich's."""
        self._write(clean(text))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show rows under heads. A head that begins with ``>`` has its column aligned to the right."""
        lines = [[head.lstrip(">") for head in heads], *[[clean(cell) for cell in row] for row in rows]]
        widths = [max(map(len, column)) for column in zip(*lines)]
        for line in lines:
            cells = [
                cell.rjust(width) if head.startswith(">") else cell.ljust(width)
                for head, cell, width in zip(heads, line, widths)
            ]
            self._write("  ".join(cells).rstrip())

    def data(self, value: Any, indent: int | None = 2) -> None:
        """Show a value to programs, where they are who reads."""

    def progress(self, values: Mapping[str, Any] | None) -> None:
        """Show how far a run is (``_progress.Progress.to_json``), or with None that there is none any more."""
        phase = str(values["phase"]) if values else ""
        if values and phase != self._phase and values["bytes_total"]:
            # in a log only what takes its time is news, and once
            self.say(f"{phase}: {values['total']} files, {human(values['bytes_total'])}")
        self._phase = phase

    def _write(self, text: str) -> None:
        try:
            self._stream.write(f"{text}\n")
            self._stream.flush()
        except BrokenPipeError:
            # nobody reads on (| head): what is being done goes on in silence
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


class QuietTerminal(Terminal):
    """JSON, and nothing else."""

    def say(self, text: str, style: str = "") -> None:
        """Show nothing."""

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show nothing."""

    def progress(self, values: Mapping[str, Any] | None) -> None:
        """Show nothing."""

    def data(self, value: Any, indent: int | None = 2) -> None:
        """Show a value."""
        self._write(json.dumps(value, ensure_ascii=False, indent=indent))


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


def open_terminal(stream: TextIO) -> Terminal:
    """Return what fits a stream: bars where a person looks at them and rich is there."""
    plain = RICH_ERROR or not stream.isatty() or os.environ.get("TERM") in ("dumb", None)
    return Terminal(stream) if plain else RichTerminal(stream)


def complain(text: str) -> None:
    """Say what went wrong, apart from what was asked for."""
    Terminal(sys.stderr).say(f"hf-mirror: {text}")


def clean(text: str) -> str:
    """Return a text without what would move a terminal's cursor: an upstream's answers are quoted in errors."""
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)
