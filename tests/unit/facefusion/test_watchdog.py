# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd hears that FaceFusion is well, unless it waits for a download that nobody makes."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from unit.facefusion.environment import FaceFusion

NAMED = "import threading; print([thread.name for thread in threading.enumerate()])"
# the shell becomes the program, as with systemd: its number is known before it starts
WATCHED = "import os; os.environ['WATCHDOG_PID'] = str(os.getpid()); os.execv({python!r}, [{python!r}, '-c', {code!r}])"


@pytest.fixture
def facefusion(tmp_path: Path) -> FaceFusion:
    return FaceFusion(tmp_path, "hf_mirror_watchdog")


def as_a_service(facefusion: FaceFusion, code: str, notify: str) -> subprocess.Popen[str]:
    start = WATCHED.format(python=facefusion.python, code=code)
    return facefusion.start(start, NOTIFY_SOCKET=notify, WATCHDOG_USEC="200000")


@pytest.mark.parametrize("is_abstract", [True, False])
def test_systemd_hears_of_it(facefusion: FaceFusion, tmp_path: Path, is_abstract: bool) -> None:
    name = f"@hf-mirror-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind("\0" + name[1:] if is_abstract else name)
        notify.settimeout(20)
        process = as_a_service(facefusion, f"input(); {NAMED}", name)
        assert notify.recv(100) == b"WATCHDOG=1"
        assert process.communicate("\n", timeout=60) == ("['MainThread', 'watchdog']\n", "")


def test_a_program_that_is_not_the_service_says_nothing(facefusion: FaceFusion) -> None:
    for environment in ({}, {"WATCHDOG_PID": "1", "WATCHDOG_USEC": "200000", "NOTIFY_SOCKET": "/nowhere"}):
        assert facefusion.run(NAMED, **environment) == ("['MainThread']\n", "")


STATES = """
import hf_mirror_watchdog, subprocess
seen = [hf_mirror_watchdog.is_well()]
from facefusion import process_manager
seen.append(hf_mirror_watchdog.is_well())
process_manager.check()
seen.append(hf_mirror_watchdog.is_well())
with subprocess.Popen([{curl!r}, "600"]) as curl:
    seen.append(hf_mirror_watchdog.is_well())
    curl.kill()
    # ended, and nobody has asked for it yet
    while open(f"/proc/{{curl.pid}}/stat").read().split()[2] != "Z":
        pass
    seen.append(hf_mirror_watchdog.is_well())
process_manager.end()
seen.append(hf_mirror_watchdog.is_well())
print(*seen)
"""


def test_it_is_ill_when_it_waits_for_a_curl_that_is_gone(facefusion: FaceFusion, tmp_path: Path) -> None:
    curl = tmp_path / "curl"
    curl.symlink_to("/bin/sleep")
    said, complained = facefusion.run(STATES.format(curl=str(curl)))
    assert (said.split(), complained) == (["True", "True", "False", "True", "False", "True"], "")


def test_a_facefusion_of_another_kind_is_taken_for_well(facefusion: FaceFusion) -> None:
    (facefusion.tree / "facefusion" / "process_manager.py").write_text("", encoding="utf-8")
    code = "import facefusion.process_manager, hf_mirror_watchdog; print(hf_mirror_watchdog.is_well())"
    assert facefusion.run(code) == ("True\n", "")
