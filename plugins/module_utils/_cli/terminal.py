# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees: at a terminal what ``rich_terminal`` shows; in a log, or without rich, plain lines."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from .._plan.report import human

_CONTROLS = re.compile(r"[\x7f-\x9f]")


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
        text = json.dumps(value, ensure_ascii=False, indent=indent)
        # JSON itself leaves the control characters beyond ASCII as they are
        self._write(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def open_terminal(stream: TextIO) -> Terminal:
    """Return what fits a stream: bars where a person looks at them and rich is there."""
    if stream.isatty() and os.environ.get("TERM") not in ("dumb", None):
        from . import rich_terminal  # it takes a while, and what a timer starts does without

        if not rich_terminal.RICH_ERROR:
            return rich_terminal.RichTerminal(stream)
    return Terminal(stream)


def complain(text: str) -> None:
    """Say what went wrong, apart from what was asked for."""
    Terminal(sys.stderr).say(f"hf-mirror: {text}")


def clean(text: str) -> str:
    """Return a text without what would move a terminal's cursor: an upstream's answers are quoted in errors."""
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)
