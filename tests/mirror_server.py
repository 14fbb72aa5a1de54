# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror's server on loopback: Debian's nginx with the role's own files, as Ansible renders them."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import debian_nginx
from ports import free_ports

ROLE = Path(__file__).parents[1] / "roles" / "mirror_nginx"


def render(template: str, **variables: Any) -> str:
    """Render one of the role's templates."""
    found = {"__mirror_nginx_ipv6": False, "__mirror_nginx_version": debian_nginx.version()}
    return debian_nginx.render(ROLE, template, **{**found, **variables})


class Server:
    """nginx over ``store``, with its files in ``folder``. ``variables`` are the role's.

    With TLS ``port`` answers in plain HTTP only where to go, and ``tls_port`` serves. ``beside`` are files of others
    in the same ``conf.d``, which nginx reads in the order of their names.
    """

    def __init__(self, store: Path, folder: Path, beside: Mapping[str, str] | None = None, **variables: Any) -> None:
        self.store, self.folder = store, folder
        (folder / "conf.d").mkdir(parents=True)
        self.port, self.tls_port = free_ports(2)
        variables = {
            "mirror_nginx_store": str(store),
            "mirror_nginx_port": self.port,
            "mirror_nginx_tls_port": self.tls_port,
            "mirror_nginx_tls_client_ca": "",
            "mirror_nginx_access_log": str(folder / "access.log"),
            "__mirror_nginx_js": str(ROLE / "files" / "hub.js"),
            "__mirror_nginx_openapi": str(ROLE / "files" / "openapi.json"),
            "__mirror_nginx_tokens": str(folder / "tokens"),
            **variables,
        }
        self.port = variables["mirror_nginx_port"]
        (folder / "tokens").write_text(render("tokens.j2", **variables), encoding="utf-8")
        self.config.write_text(render("hf-mirror.conf.j2", **variables), encoding="utf-8")
        for name, text in (beside or {}).items():
            (self.config.parent / name).write_text(text, encoding="utf-8")
        whole = debian_nginx.surroundings(folder, "conf.d/*.conf")
        (folder / "nginx.conf").write_text(whole, encoding="utf-8")
        self.start()

    @property
    def config(self) -> Path:
        """The role's own file."""
        return self.folder / "conf.d" / "hf-mirror.conf"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program, errors = debian_nginx.NGINX / "usr/sbin/nginx", self.folder / "error.log"
        self._process = subprocess.Popen([program, "-c", self.folder / "nginx.conf", "-e", errors])
        deadline = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)  # between two looks at the port
        raise RuntimeError(f"nginx did not start: {errors.read_text(encoding='utf-8')}")

    def stop(self) -> None:
        """End it as an operator does."""
        self._process.terminate()
        self._process.wait(timeout=60)

    def kill(self) -> None:
        """Let it die as in a power cut."""
        self._process.kill()
        self._process.wait()

    def accesses(self) -> list[str]:
        """Return the lines of the access log."""
        return (self.folder / "access.log").read_text(encoding="utf-8").splitlines()
