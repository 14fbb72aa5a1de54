# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror node on this machine: a store behind the real server, nginx with the role's own configuration."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import jinja2
import yaml

from hub import nginx

ROLE = Path(__file__).parents[1] / "roles" / "mirror_nginx"

_CONFIG = """\
daemon off;
master_process off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/hf-mirror.conf;
}}
"""


class Node:
    """A node that serves ``store`` on a port of its own, with its files in ``folder``."""

    def __init__(self, store: Path, folder: Path) -> None:
        self.store, self.folder = store, folder
        folder.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port: int = free.getsockname()[1]
        defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
        variables = {
            **defaults,
            "mirror_nginx_store": str(store),
            "mirror_nginx_port": self._port,
            "mirror_nginx_access_log": str(folder / "access.log"),
            "mirror_nginx_peers": ["127.0.0.1"],
            "__mirror_nginx_ipv6": False,
        }
        # as ansible.builtin.template renders
        environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True)  # noqa: S701 - no HTML
        template = (ROLE / "templates/hf-mirror.conf.j2").read_text(encoding="utf-8")
        (folder / "hf-mirror.conf").write_text(environment.from_string(template).render(variables), encoding="utf-8")
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(_CONFIG.format(folder=folder, user=user), encoding="utf-8")
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        errors = self.folder / "error.log"
        self._process = subprocess.Popen([nginx.program(), "-c", self.folder / "nginx.conf", "-e", errors])
        deadline = time.monotonic() + 10
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)  # between two looks at the port
        raise RuntimeError(f"nginx did not start: {errors.read_text(encoding='utf-8')}")

    def kill(self) -> None:
        """Let it die as in a power cut."""
        self._process.kill()
        self._process.wait()

    def accesses(self) -> list[str]:
        """Return the lines of the access log."""
        return (self.folder / "access.log").read_text(encoding="utf-8").splitlines()
