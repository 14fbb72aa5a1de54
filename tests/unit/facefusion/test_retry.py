# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that failed is tried again, ever less often, for as long as it takes, and says so."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.facefusion.environment import FILES

MISSING = {"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "2"}
GOOD = {"SERVICE_RESULT": "success", "EXIT_CODE": "exited", "EXIT_STATUS": "0"}


class Unit:
    """What systemd gives the program: a folder and a socket."""

    def __init__(self, folder: Path, notify: socket.socket) -> None:
        self.folder, self.notify = folder, notify
        (folder / "run").mkdir()

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        given = {"RUNTIME_DIRECTORY": str(self.folder / "run"), "NOTIFY_SOCKET": self.notify.getsockname()}
        return subprocess.Popen(
            ["python3", "-IS", FILES / "hf_mirror_retry.py", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **given, **environment},
            stderr=subprocess.PIPE,
            text=True,
            # what a shell runs in the background ignores it, and so would this
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def ends(self, *left: str, **told: str) -> None:
        """FaceFusion ended."""
        assert self.start("note", *left, **told).wait(timeout=60) == 0

    def wait(self) -> tuple[str, str]:
        """Return what the log and systemd are told before a try. Nobody waits for it: it is stopped."""
        waiting = self.start("wait")
        assert waiting.stderr
        said = waiting.stderr.readline()
        told = self.notify.recv(1000).decode() if said else ""
        waiting.send_signal(signal.SIGINT)
        _out, more = waiting.communicate(timeout=60)
        assert (waiting.returncode, more) == (0, "")
        if said:
            assert self.notify.recv(1000) == b"STATUS=", "it does not stay in the status"
        return said.strip(), told


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Unit]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(20)
        yield Unit(tmp_path, notify)


def test_the_first_start_waits_for_nothing(unit: Unit) -> None:
    assert unit.wait() == ("", "")


@pytest.mark.parametrize(("failures", "pause"), [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (2000, 300)])
def test_it_waits_longer_each_time_and_five_minutes_at_most(unit: Unit, failures: int, pause: int) -> None:
    (unit.folder / "run" / "failures").write_text(json.dumps({"failures": failures - 1, "reason": "did not start"}))
    unit.ends(**MISSING)
    said, told = unit.wait()
    status, timeout = told.splitlines()
    assert status == f"STATUS={said}"
    assert "status 2: models are missing or broken" in said and f"again in {pause} seconds" in said
    # systemd would end it after TimeoutStartSec=
    assert int(timeout.partition("EXTEND_TIMEOUT_USEC=")[2]) > pause * 1_000_000


def test_after_a_good_end_it_begins_anew(unit: Unit) -> None:
    unit.ends(**MISSING)
    unit.ends(**MISSING)
    unit.ends(**GOOD)
    assert unit.wait() == ("", "")
    unit.ends(**MISSING)
    assert "failed once" in unit.wait()[0]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "1"}, "ended with status 1"),
        ({"SERVICE_RESULT": "signal", "EXIT_CODE": "killed", "EXIT_STATUS": "SEGV"}, "was ended by SIGSEGV"),
        ({"SERVICE_RESULT": "watchdog", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}, "waited for a download"),
        ({"SERVICE_RESULT": "timeout", "EXIT_CODE": "killed", "EXIT_STATUS": "INT"}, "was not ready in time"),
        # its program is not there, or what comes before it failed
        ({"SERVICE_RESULT": "exit-code"}, "did not start"),
    ],
)
def test_it_says_what_happened(unit: Unit, told: dict[str, str], said: str) -> None:
    unit.ends(**told)
    assert said in unit.wait()[0]


def test_of_a_queue_only_jobs_that_nobody_tried_wait(unit: Unit) -> None:
    queued = unit.folder / "queued"
    queued.mkdir()
    unit.ends("queued/*.json", **MISSING)
    assert unit.wait() == ("", "")
    (queued / "one.json").touch()
    unit.ends("queued/*.json", **MISSING)
    assert "failed once" in unit.wait()[0]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"failures": null, "reason": 1}', "\xff"])
def test_a_count_that_can_not_be_read_counts_for_nothing(unit: Unit, text: str) -> None:
    (unit.folder / "run" / "failures").write_text(text, encoding="latin-1")
    assert unit.wait() == ("", "")
    unit.ends(**MISSING)
    assert "failed once" in unit.wait()[0]


def test_a_count_that_is_there_is_replaced_as_a_whole(unit: Unit) -> None:
    unit.ends(**MISSING)
    assert [file.name for file in (unit.folder / "run").iterdir()] == ["failures"]
    assert json.loads((unit.folder / "run" / "failures").read_text())["failures"] == 1
