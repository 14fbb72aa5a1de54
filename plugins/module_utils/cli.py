# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``hf-mirror``: the engine for people, timers and programs, without Ansible."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from ._base.clock import Clock, LimitError, StoppedError
from ._base.errors import MirrorError, unexpected
from ._base.lock import BusyError
from ._cli.alert import alert
from ._cli.arguments import BROKEN, BUSY, CHANGES, DIED, REFUSED, STOPPED, parse_arguments
from ._cli.audit import audit, wanted
from ._cli.count import count
from ._cli.follow import compare, follow
from ._cli.gc import gc
from ._cli.lock import lock
from ._cli.node import node
from ._cli.purge import purge
from ._cli.ref import change, diff
from ._cli.scrub import scrub
from ._cli.session import Session
from ._cli.show import fsck, log, status
from ._cli.sync import plan, sync
from ._cli.terminal import complain
from ._store.repository_reader import RepositoryError
from ._store.store import StoreError

_COMMANDS = {
    "sync": sync,
    "plan": plan,
    "status": status,
    "log": log,
    "fsck": fsck,
    "scrub": scrub,
    "lock": lock,
    "alert": alert,
    "gc": gc,
    "follow": follow,
    "compare": compare,
    "node": node,
    "purge": purge,
    "count": count,
    "audit": audit,
    "wanted": wanted,
    **dict.fromkeys(CHANGES, change),
    "diff": diff,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = parse_arguments(arguments)
    clock = Clock()
    try:
        with _stopped_by_signals(clock):
            return _COMMANDS[options.command](Session(options, clock))
    except BusyError as problem:
        return _end(BUSY, problem)
    except LimitError as problem:
        return _end(DIED, problem)
    except StoppedError as problem:
        return _end(STOPPED, problem)
    except (StoreError, RepositoryError, OSError) as problem:
        return _end(BROKEN, problem)
    except MirrorError as problem:
        return _end(REFUSED, problem)
    except Exception as error:
        odd = unexpected(error)
        return _end(DIED, odd, odd.trace if "traceback" in options else "--traceback shows where it comes from")


def _end(code: int, problem: Exception, more: str = "") -> int:
    complain(f"{problem}\n{more}" if more else str(problem))
    return code


@contextlib.contextmanager
def _stopped_by_signals(clock: Clock) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end what goes on at its next step; a second one ends it at once, which harms nothing."""

    def stop(number: int, _frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)
        # not from here: what this interrupts may hold the lock that ending all waits takes
        threading.Thread(target=clock.stop, daemon=True).start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    raise SystemExit(main())
