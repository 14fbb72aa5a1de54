# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in as a process of its own: it ends with the session of tests that started it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from polling import until


@pytest.mark.parametrize("workers", ["0", "2"])
def test_sigterm_ends_the_stand_ins_too(contents: Path, tmp_path: Path, workers: str) -> None:
    says = tmp_path / "says"
    environment = {**os.environ, "HUB_CONTENTS": str(contents), "HUB_SAYS": str(says)}
    waiting = str(Path(__file__).parent / "waiting.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--numprocesses", workers, waiting]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as session:
        url = until(lambda: session.poll() is None and says.exists() and says.read_text(encoding="utf-8"), 60)
        session.terminate()
        assert session.wait(timeout=60) == pytest.ExitCode.INTERRUPTED
    where = urlsplit(url.strip())

    def is_gone() -> bool:
        try:
            socket.create_connection((where.hostname, where.port), timeout=5).close()
        except ConnectionRefusedError:
            return True
        return False

    # a worker may end a moment after the session
    until(is_gone, 60)
