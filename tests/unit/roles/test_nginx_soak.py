# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many clients read all the time while syncs publish and collect: no error, no wrong byte, nothing piles up."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings
from mirror_server import Server
from unit.roles.profile import SOAK_CLIENTS, SOAK_SECONDS
from unit.roles.soak_board import Board
from unit.roles.soak_clients import KINDS, MISSING, Client
from unit.roles.soak_upstream import REPOS, Upstream, whitelist

from hub.process import HubProcess
from storecheck import check_store

TESTS = Path(__file__).parents[2]
#: Hours for which what was replaced is served. See ``Board`` for how long an hour is.
GRACE = 2
#: Clients in one process.
SHARE = 16
#: Commits that are collected before the end, however long that takes.
COLLECTED = 2
#: nginx may grow by so many bytes after the first tenth of the time. What a request needs is freed with it, and what a
#: connection needs with that; all clients are there within the first tenth. The rest is the allocator's: free pages
#: that it keeps, some 0.1 MB. Ten minutes are some 140,000 answers, so a leak of 30 bytes in each is seen.
ALLOWANCE = 4 << 20


class BoardClock(Clock):
    """The hour that the board shows."""

    def __init__(self) -> None:
        super().__init__()
        self._start, self.hour = time.time(), 0

    def now(self) -> float:
        return self._start + 3600.0 * self.hour


@dataclass
class Mirror:
    """The store, and the engine that fills it from the stand-in Hub."""

    endpoint: str
    store: Path
    clock: BoardClock = field(default_factory=BoardClock)
    collected: list[str] = field(default_factory=list)
    freed: int = 0

    def sync(self) -> None:
        """Publish what is new on the Hub, retire what that replaced, and collect what is due."""
        engine = Engine(Settings(self.store, self.endpoint, grace=GRACE), self.clock)
        outcome = engine.run(parse(whitelist()))
        assert not outcome.problems
        self.freed += outcome.plan.freed
        for one in outcome.plan.retention:
            repo = f"{one.repo.repo_type}s/{one.repo.repo_id}"
            self.collected += [f"/api/{repo}/revision/{commit}" for commit in one.collect]


class Clients:
    """The clients, in processes of their own, for as long as a ``with`` block lasts."""

    def __init__(self, port: int, board: Path, folder: Path) -> None:
        self._processes: dict[Path, subprocess.Popen[str]] = {}
        for first in range(0, SOAK_CLIENTS, SHARE):
            home = folder / f"clients-{first}"
            home.mkdir()
            words = [sys.executable, "-m", "unit.roles.soak_clients", port, board, first, first + SHARE]
            environment = {**os.environ, "PYTHONPATH": str(TESTS), "HOME": str(home)}
            with (home / "errors").open("w") as errors:
                process = subprocess.Popen(
                    list(map(str, words)),
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    process_group=0,
                )
            self._processes[home / "errors"] = process

    def check(self) -> None:
        """Fail with what a client says that found something wrong."""
        for errors, process in self._processes.items():
            assert not process.poll(), errors.read_text()

    def end(self) -> Counter[str]:
        """Wait until all have ended what they are at, and return how often they did what."""
        done = Counter[str]()
        for process in self._processes.values():
            output, _errors = process.communicate(timeout=600)
            self.check()
            done.update(json.loads(output))
        self._processes.clear()
        return done

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._processes.values():
            # with the processes that it started
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "store").mkdir()
    running = Server(tmp_path / "store", tmp_path / "nginx")
    yield running
    running.stop()


@pytest.fixture
def hub(contents: Path) -> Iterator[HubProcess]:
    """A Hub of its own: what all these commits bring goes with it."""
    with HubProcess(contents) as running:
        yield running


def memory(pid: int) -> int:
    """Return the bytes of a process that are in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_clients_read_while_syncs_publish_and_collect(hub: HubProcess, server: Server, tmp_path: Path) -> None:
    board = Board(tmp_path / "board")
    board.open(SOAK_CLIENTS)
    upstream = Upstream(hub, board)
    mirror = Mirror(hub.url, server.store)
    for repo in REPOS:
        upstream.commit(repo)
    mirror.sync()
    pid = int((server.folder / "nginx.pid").read_text())
    before, repos = open_files(pid), itertools.cycle(REPOS)
    samples: list[tuple[float, int]] = []
    start = time.monotonic()
    deadline = start + SOAK_SECONDS + 300
    with Clients(server.port, tmp_path / "board", tmp_path) as clients:
        while not samples or samples[-1][0] < SOAK_SECONDS or len(mirror.collected) < COLLECTED:
            for repo in itertools.islice(repos, 2):
                upstream.commit(repo)
            mirror.clock.hour = board.turn()
            mirror.sync()
            clients.check()
            # by the second hour all clients have begun
            if mirror.clock.hour < 2:
                start = time.monotonic()
            else:
                samples.append((time.monotonic() - start, memory(pid)))
            assert time.monotonic() < deadline, "nothing is collected"
        board.end()
        done = clients.end()

    warm = max(size for seconds, size in samples[:1] + [one for one in samples if one[0] <= SOAK_SECONDS / 10])
    most = max(size for _seconds, size in samples)
    print(f"{len(samples)} syncs, {len(mirror.collected)} commits of {mirror.freed} bytes collected, {dict(done)}")
    print(f"memory of nginx {warm} bytes in the first tenth of the time, {most} bytes at most")
    assert done.keys() == {kind.__name__ for kind in (*KINDS, Client.snapshot)}
    assert most <= warm + ALLOWANCE, samples
    assert mirror.freed
    deadline = time.monotonic() + 60
    while open_files(pid) > before:
        assert time.monotonic() < deadline, "nginx still has files or connections open"
        time.sleep(0.02)  # between two looks
    for address in mirror.collected:
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(f"{server.url}{address}", timeout=10)
        assert (answer.value.code, answer.value.headers["X-Error-Code"]) == (404, "RevisionNotFound"), address
    check_logs(server, mirror.collected)
    check_store(server.store)


def check_logs(server: Server, missing: list[str]) -> None:
    """What unmodified clients would have hidden by asking again is in the access log."""
    statuses, sent = Counter[int](), 0
    with (server.folder / "access.log").open() as log:
        for line in map(json.loads, log):
            is_missing = line["uri"].endswith(MISSING) or line["uri"] in missing
            assert line["status"] in ((404,) if is_missing else (200, 206, 307)), line
            statuses[line["status"]] += 1
            sent += line["bytes"]
    print(f"answers {dict(statuses)}, {sent} bytes")
    errors = (server.folder / "error.log").read_text().splitlines()
    assert [line for line in errors if "[notice]" not in line] == []
