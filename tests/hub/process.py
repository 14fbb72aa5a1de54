# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the stand-in as a process of its own, for tests and scripts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

_PACKAGE_PARENT = str(Path(__file__).resolve().parent.parent)


def environment() -> dict[str, str]:
    """Return an environment in which ``python -m hub`` finds this package."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([_PACKAGE_PARENT, os.environ.get("PYTHONPATH", "")])}


class HubProcess:
    """A stand-in Hub on free loopback ports for as long as a ``with`` block lasts.

    ``nginx`` is a program (``hub.nginx.program()``) that sends the content.
    """

    def __init__(self, root: Path, python: str = sys.executable, nginx: Path | None = None) -> None:
        command = [python, "-m", "hub", "--root", str(root), "--port", "0", "--content-port", "0"]
        if nginx:
            command += ["--nginx", str(nginx)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        if not ready:
            raise RuntimeError(f"the stand-in Hub did not start (exit status {self._process.wait()})")
        urls = json.loads(ready)
        self.url: str = urls["hub"]
        self.content_url: str = urls["content"]

    def control(self, page: str, order: dict[str, Any] | None = None) -> Any:
        """Call a control page: POST with an order, GET without (``reset`` takes an empty one)."""
        data = None if order is None else json.dumps(order).encode()
        with urllib.request.urlopen(f"{self.url}/_hub/{page}", data=data, timeout=30) as answer:
            return json.load(answer)

    def stop(self) -> int:
        """End the process and return its exit status."""
        self._process.terminate()
        try:
            return self._process.wait(timeout=60)
        finally:
            if self._process.stdout:
                self._process.stdout.close()

    def __enter__(self) -> HubProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
