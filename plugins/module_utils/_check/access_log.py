# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The access log of the mirror's nginx: one JSON object on each line, rotated by logrotate. It is only read."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from .._base.errors import MirrorError
from .._base.fs import no_wait

_TEXTS = ("client", "user", "method", "repo_type", "repo_id", "ref", "commit", "path", "view", "error", "range")
#: nginx takes requests of 32 kB, and writes some of their bytes as six.
_LONGEST_LINE = 1 << 20
#: The year 9999, but for its last days.
_LATEST = 253_402_000_000


class AccessLogError(MirrorError):
    """There is no log, or it is not for whoever asks."""


class Request(NamedTuple):
    """One request. ``began`` and ``ended`` are in seconds since 1970; what does not apply is empty.

    ``ref`` is empty where the client asked for a commit. ``error`` is the Hub's code, such as RepoNotFound; ``range``
    is the request's header.
    """

    began: float
    ended: float
    status: int
    bytes: int
    client: str
    user: str
    method: str
    repo_type: str
    repo_id: str
    ref: str
    commit: str
    path: str
    view: str
    error: str
    range: str


def parse(line: bytes) -> Request | None:
    """Return what a line says, or None where it is torn or strange."""
    try:
        # a power cut may leave zeros; a client may send what is no UTF-8, and must not get out of the log that way
        value = json.loads(line.lstrip(b"\0").decode(errors="replace"))
        texts = [value[key] for key in _TEXTS]
        status, size, duration = value["status"], value["bytes"], value["duration"]
        time = datetime.fromisoformat(value["time"])
        if time.tzinfo is None or not all(isinstance(text, str) for text in texts):
            return None
        ended = time.timestamp()
        # the time in any zone must be one, too
        if not (isinstance(status, int) and isinstance(size, int) and size >= 0 and 0 <= duration <= ended < _LATEST):
            return None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return Request(ended - duration, ended, status, size, *texts)


class AccessLog:
    """A log and what logrotate made of it: FILE, FILE.1, FILE.2.gz... Iterating yields its requests, oldest first.

    ``skipped`` counts lines that were torn or strange; ``damaged`` has the files that could not be read to their end.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.skipped = 0
        self.damaged: list[Path] = []

    def __iter__(self) -> Iterator[Request]:
        """Read it. Raises AccessLogError, before the first request, where that can't be."""
        with contextlib.ExitStack() as opened:
            parts = open_parts(self.file, opened)
            for part, stream in reversed(parts):
                try:
                    yield from self._requests(gzip.GzipFile(fileobj=stream) if part.suffix == ".gz" else stream)
                except (EOFError, zlib.error, OSError):
                    self.damaged.append(part)

    def _requests(self, stream: Any) -> Iterator[Request]:
        for line in lines_of(stream):
            request = parse(line)
            if request:
                yield request
            else:
                self.skipped += 1


def open_parts(file: Path, opened: contextlib.ExitStack) -> list[tuple[Path, BinaryIO]]:
    """Open all parts of a log, the newest first: if it is rotated meanwhile, they move the same way."""
    parts: list[tuple[Path, BinaryIO]] = []
    seen = set()
    try:
        for part in [file, *_rotated(file)]:
            try:
                # a FIFO would have the reader wait
                stream = opened.enter_context(open(part, "rb", opener=no_wait))  # noqa: SIM115
            except FileNotFoundError:
                continue
            status = os.fstat(stream.fileno())
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                parts.append((part, cast(BinaryIO, stream)))
    except PermissionError as problem:
        name = problem.filename
        raise AccessLogError(f"{name} can't be read: do this as root or as a member of the group adm") from None
    except OSError as problem:
        raise AccessLogError(f"{problem.filename} can't be read: {problem.strerror}") from None
    if not parts:
        raise AccessLogError(f"there is no {file}: name the access log of the mirror's nginx with --log")
    return parts


def _rotated(file: Path) -> list[Path]:
    """Return the older parts of a log, the newest first."""
    name = re.compile(re.escape(file.name) + r"\.([0-9]+)(\.gz)?")
    parts: dict[int, Path] = {}
    with contextlib.suppress(FileNotFoundError):
        # the plain one of two is whole: its compressed one is being written
        for one in sorted(os.listdir(file.parent), reverse=True):
            found = name.fullmatch(one)
            if found:
                parts[int(found[1])] = file.parent / one
    return [parts[number] for number in sorted(parts)]


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """Yield each line, of one without end its beginning."""
    is_new = True
    while True:
        line = stream.readline(_LONGEST_LINE)
        if not line:
            return
        if is_new:
            yield line
        is_new = line.endswith(b"\n")
