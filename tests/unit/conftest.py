# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One stand-in Hub for all tests, set back before each."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import memory
import pytest

from hub import olah, venvs
from hub.contents import build
from hub.process import HubProcess

#: Kept between runs: what a test needs but can't share an environment with.
VENVS = Path(__file__).parents[2] / ".cache" / "venvs"


def pytest_configure() -> None:
    """Let tests write into memory. Let SIGTERM end a session as Ctrl-C does: what tests have started ends with it."""
    # programs that tests start are not compiled anew each time
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if scratch := memory.folder():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(scratch))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def contents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contents")
    assert build(folder, small=True)
    return folder


@pytest.fixture(scope="session")
def running_hub(contents: Path) -> Iterator[HubProcess]:
    with HubProcess(contents) as hub:
        yield hub


@pytest.fixture
def hub(running_hub: HubProcess) -> HubProcess:
    running_hub.control("reset", {})
    return running_hub


@pytest.fixture(scope="session")
def olah_python() -> Path:
    return venvs.install(VENVS / "olah", olah.REQUIREMENT)
