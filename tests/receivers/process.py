# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the receivers as a process of its own, for tests."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

_PACKAGE_PARENT = str(Path(__file__).resolve().parent.parent)


class ReceiversProcess:
    """The receivers on free loopback ports for as long as a ``with`` block lasts."""

    def __init__(self, folder: Path) -> None:
        ports = [word for name in ("--port", "--proxy-port", "--mail-port") for word in (name, "0")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "receivers", "--folder", str(folder), *ports],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": _PACKAGE_PARENT},
        )
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        if not ready:
            raise RuntimeError(f"the receivers did not start (exit status {self._process.wait()})")
        where = json.loads(ready)
        self.url: str = where["url"]
        self.mail: str = where["mail"]
        self.ca: str = where["ca"]
        #: What leads a client here: DingTalk's and WeCom's hosts through the proxy, and trust in their certificate.
        self.environment = {
            "HTTPS_PROXY": where["proxy"],
            "https_proxy": where["proxy"],
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "SSL_CERT_FILE": where["ca"],
            "REQUESTS_CA_BUNDLE": where["ca"],
        }
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=where["ca"])),
        )

    def control(self, page: str, order: dict[str, Any] | None = None) -> Any:
        """Call a control page: POST with an order, GET without (``reset`` takes an empty one)."""
        data = None if order is None else json.dumps(order).encode()
        with self._opener.open(f"{self.url}/_receivers/{page}", data=data, timeout=30) as answer:
            return json.load(answer)

    def stop(self) -> int:
        """End the process and return its exit status."""
        self._process.terminate()
        try:
            return self._process.wait(timeout=60)
        finally:
            if self._process.stdout:
                self._process.stdout.close()

    def __enter__(self) -> ReceiversProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
