# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upstream that is not ours: olah serving real Git+LFS repositories, offline.

olah is a Hub mirror by other people; with ``mirrors-path`` it answers from local Git repositories. It pins old
dependencies, so it lives in a virtual environment of its own and is started as a program::

    with OlahProcess(python=venvs.install(FOLDER, REQUIREMENT), mirrors=TARGET, scratch=tmp) as olah:
        ...  # olah.url is an HF_ENDPOINT

``TARGET`` is what ``git_lfs_repo`` made.

What olah 0.5.4 does not do as the Hub does (measured), so that nobody looks for it in the mirror: info only with
``/revision/``, never ``?blobs=true``; no revision with a slash in it; every error is 401 RepoNotFound, or 500 for an
unknown commit id; HEAD sends an unquoted ETag and no redirect; GET is chunked, without ETag, length or Range.
"""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from ports import free_ports

REQUIREMENT = "olah==0.5.4"

_CONFIG = """\
[basic]
host = "127.0.0.1"
port = {port}
repos-path = "{scratch}/cache"
mirrors-path = ["{mirrors}"]
# nothing to reach: what is not in mirrors-path does not exist
hf-scheme = "http"
hf-netloc = "hub.invalid"
hf-lfs-netloc = "hub.invalid"

[accessibility]
offline = true
"""


class OlahProcess:
    """olah on a free loopback port for as long as a ``with`` block lasts."""

    def __init__(self, python: Path, mirrors: Path, scratch: Path, start_timeout: float = 60) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        config = scratch / "olah.toml"
        config.write_text(_CONFIG.format(port=port, scratch=scratch, mirrors=mirrors), encoding="utf-8")
        command = [str(python), "-m", "olah.server", "--config", str(config), "--log-path", str(scratch / "logs")]
        self._log = (scratch / "olah.log").open("wb")
        self._process = subprocess.Popen(command, cwd=scratch, stdout=self._log, stderr=subprocess.STDOUT)
        try:
            self._wait(start_timeout)
        except BaseException:
            self.stop()
            raise

    def _wait(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            except urllib.error.HTTPError as answer:
                answer.close()
                return
            except OSError:
                time.sleep(0.05)  # between two looks at the port
        raise RuntimeError(f"olah did not start; its output is in {self._log.name}")

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def __enter__(self) -> OlahProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
