# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx before the content origin: it sends the files, so that a test or a benchmark measures the other side.

``internal_location`` is where X-Accel-Redirect finds a file; all that has no such header is passed through as it comes.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

#: Debian's own program, which tests/setup/machine.sh unpacks without installing its service.
_UNPACKED = Path(__file__).parents[2] / ".cache" / "nginx" / "usr" / "sbin" / "nginx"
_PREFIX = "/_file"

_CONFIG = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_rlimit_nofile 4096;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream content {{
        server {upstream};
        keepalive 16;
    }}
    server {{
        listen {listen} backlog=512;
        location / {{
            proxy_pass http://content;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_read_timeout 1h;  # a stalled body is the client's to notice
        }}
        location {prefix}/ {{
            internal;
            alias /;
            add_header ETag $upstream_http_etag;
        }}
    }}
}}
"""


def program() -> Path:
    """Return nginx's program on this machine."""
    return next(Path(found) for found in (shutil.which("nginx", path="/usr/sbin:/usr/bin"), _UNPACKED) if found)


def internal_location(path: str | os.PathLike[str]) -> str:
    """Return the address at which nginx, and nobody outside, finds a file."""
    return f"{_PREFIX}{Path(path).resolve()}"


class Nginx:
    """nginx on ``listen`` (host and port) before the HTTP server ``upstream``, with its own files in ``folder``."""

    def __init__(self, path: Path, folder: Path, listen: tuple[str, int], upstream: tuple[str, int]) -> None:
        folder.mkdir()
        config, errors = folder / "nginx.conf", folder / "error.log"
        addresses = {"listen": _address(*listen), "upstream": _address(*upstream)}
        config.write_text(_CONFIG.format(folder=folder, prefix=_PREFIX, **addresses), encoding="utf-8")
        self._process = subprocess.Popen([path, "-c", config, "-e", errors])
        try:
            self._wait(listen, errors)
        except BaseException:
            self.stop()
            raise

    def _wait(self, listen: tuple[str, int], errors: Path, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(listen, timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)  # between two looks at the port
        raise RuntimeError(f"nginx did not start: {errors.read_text()}")

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
