# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real engine in a process of its own: a run that eats all memory, or does not end, is seen, and ended.

As a program it reads a job a line (JSON) from standard input and answers each with a line.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

_TESTS = Path(__file__).parents[2]
#: A job that takes longer hangs.
TIMEOUT = 60.0
#: Bytes of address space that the process may have: what it may use is asserted of each job.
_SPACE = 4 << 30
#: Waits are as short as this part of what they should be, and count in full for whoever waits.
_HASTE = 0.001

#: Limits that are reached sooner than those of ``limits``, so that it takes no time to reach them.
_LIMITS = {
    "ANSWER_BYTES": 4 << 20,
    "ANSWER_VALUES": 200_000,
    "ANSWER_SECONDS": 5,
    "LISTING_PAGES": 20,
    "LISTING_ENTRIES": 2_000,
    "PEER_DIGEST_SECONDS": 2,
    "PEER_CATALOGUE_SECONDS": 5,
    "PEER_HISTORY": 100,
    "PEER_REFS": 500,
    "PEER_ENTRIES": 1_000,
}


class Engine:
    """The process, started anew when a job ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as this does

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._end()
        self._errors.close()

    def do(self, **job: Any) -> dict[str, Any]:
        """Do a job and return what it came to: ``error`` is what no caller of the engine expects."""
        before = os.fstat(self._errors.fileno()).st_size
        answer = self._do(job)
        self._errors.seek(before)
        return {**answer, "stderr": self._errors.read()}

    def _do(self, job: dict[str, Any]) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            self._process = _start(self._errors)
        process = self._process
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], TIMEOUT)[0]:
            process.send_signal(signal.SIGUSR1)  # it says among its errors where it is
            time.sleep(0.2)
            self._end()
            return {"error": f"it did not end within {TIMEOUT:.0f} s", "problems": {}, "refused": None, "peak": 0}
        line = process.stdout.readline()
        if not line:
            code = process.wait()
            return {"error": f"the process ended with {code}", "problems": {}, "refused": None, "peak": 0}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _start(errors: TextIO) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(_TESTS), str(_TESTS.parent / "collections")])
    settings = {**os.environ, "PYTHONPATH": path, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}
    command = [sys.executable, "-m", "unit.fuzz.engine_process"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=settings, stdin=pipe, stdout=pipe, stderr=errors, text=True, cwd=_TESTS)


# ---- in the process


def main() -> None:
    from ansible_collections.modelops.hf_mirror.plugins.module_utils._base import limits

    # before anything takes them from there
    for name, most in _LIMITS.items():
        assert getattr(limits, name) > most
        setattr(limits, name, most)
    from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
    from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
    from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.fsck import fsck
    from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
    from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine as Real
    from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings
    from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store

    class HastyClock(Clock):
        """Waits that are over at once: each thread's own time is later by what it waited. ``later`` is added, too."""

        def __init__(self, later: float) -> None:
            super().__init__()
            self._later, self._thread = later, threading.local()

        def now(self) -> float:
            return super().now() + self._later

        def monotonic(self) -> float:
            return super().monotonic() + getattr(self._thread, "waited", 0.0)

        def sleep(self, seconds: float) -> None:
            super().sleep(min(seconds * _HASTE, 0.05))
            self._thread.waited = getattr(self._thread, "waited", 0.0) + max(seconds, 0.0)

    def do(job: dict[str, Any]) -> dict[str, Any]:
        if job["do"] == "fsck":
            return {"damage": [f"{one.path} {one.what}" for one in fsck(Store(Path(job["store"]))) if one.damage]}
        tokens: dict[str | None, str] = {None: job["token"]} if job.get("token") else {}
        settings = Settings(
            Path(job["store"]),
            endpoint=job["endpoint"],
            tokens=tokens,
            peers=[job["peer"]] if "peer" in job else [],
            peer_wait=0,
            reserve=0,
            max_delete="100%",
            actor="fuzz",
        )
        engine = Real(settings, HastyClock(job.get("later", 0.0)))
        if job["do"] == "follow":
            done = engine.follow()
            return {"problems": _told(done.problems), "moved": done.moved, "removed": done.removed}
        outcome = engine.run(parse(job["wanted"]))
        return {"problems": _told(outcome.problems)}

    def _told(problems: dict[str, Any]) -> dict[str, list[str]]:
        return {name: [type(one).__name__, str(one), str(one.cause)] for name, one in problems.items()}

    def tried(job: dict[str, Any]) -> dict[str, Any]:
        _forget_peak()
        started = time.monotonic()
        try:
            found = do(job)
        except MirrorError as problem:
            found = {"refused": str(problem)}
        except BaseException as problem:  # whatever comes out is what is looked for
            last = "".join(traceback.format_exception(type(problem), problem, problem.__traceback__))
            found = {"error": last}
        return {"problems": {}, "error": None, "refused": None, "seconds": time.monotonic() - started, **found}

    faulthandler.register(signal.SIGUSR1)
    resource.setrlimit(resource.RLIMIT_AS, (_SPACE, _SPACE))
    with _answers() as answers:
        for line in sys.stdin:
            answer = tried(json.loads(line))
            answers.write(json.dumps({**answer, "peak": _peak()}) + "\n")
            answers.flush()


@contextlib.contextmanager
def _answers() -> Any:
    """Keep standard output for answers: whoever prints prints among the errors."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        answer: TextIO = answers
        yield answer


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Return how many bytes the process had in memory at most since the peak was forgotten."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


if __name__ == "__main__":
    main()
