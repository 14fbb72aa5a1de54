# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror's server on loopback: Debian's nginx with the role's own files, as Ansible renders them."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import jinja2
import yaml
from ansible.plugins.test.core import version_compare
from ports import free_ports

ROLE = Path(__file__).parents[1] / "roles" / "mirror_nginx"
#: What tests/setup/machine.sh unpacks without installing its service.
NGINX = Path(__file__).parents[1] / ".cache" / "nginx"

# As on Debian: what the role's file meets in /etc/nginx/nginx.conf.
_SURROUNDINGS = """\
load_module {nginx}/usr/lib/nginx/modules/ngx_http_js_module.so;
daemon off;
master_process off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    include {nginx}/etc/nginx/mime.types;
    gzip on;
    access_log {folder}/other.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/hf-mirror.conf;
}}
"""


def version() -> str:
    """Return nginx' version, as the role finds it."""
    said = subprocess.run([NGINX / "usr/sbin/nginx", "-v"], check=True, capture_output=True, text=True).stderr
    return said.strip().partition("nginx/")[2]


def render(template: str, **variables: Any) -> str:
    """Render one of the role's templates with its defaults, as ansible.builtin.template does."""
    files = (ROLE / "defaults" / "main.yml", ROLE / "vars" / "main.yml")
    settings = {
        name: value for file in files for name, value in yaml.safe_load(file.read_text(encoding="utf-8")).items()
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - a configuration file, not HTML
    )
    environment.filters["hash"] = lambda text, kind: hashlib.new(kind, text.encode()).hexdigest()
    environment.tests["version"] = version_compare
    found = {"__mirror_nginx_ipv6": False, "__mirror_nginx_version": version()}
    return environment.get_template(template).render({**found, **settings, **variables})


class Server:
    """nginx over ``store``, with its files in ``folder``. ``variables`` are the role's.

    With TLS ``port`` answers in plain HTTP only where to go, and ``tls_port`` serves.
    """

    def __init__(self, store: Path, folder: Path, **variables: Any) -> None:
        self.store, self.folder = store, folder
        folder.mkdir()
        self.port, self.tls_port = free_ports(2)
        variables = {
            "mirror_nginx_store": str(store),
            "mirror_nginx_port": self.port,
            "mirror_nginx_tls_port": self.tls_port,
            "mirror_nginx_tls_client_ca": "",
            "mirror_nginx_access_log": str(folder / "access.log"),
            "__mirror_nginx_js": str(ROLE / "files" / "hub.js"),
            "__mirror_nginx_tokens": str(folder / "tokens"),
            **variables,
        }
        (folder / "tokens").write_text(render("tokens.j2", **variables), encoding="utf-8")
        (folder / "hf-mirror.conf").write_text(render("hf-mirror.conf.j2", **variables), encoding="utf-8")
        user = "user root;" if os.geteuid() == 0 else ""
        whole = _SURROUNDINGS.format(nginx=NGINX, folder=folder, user=user)
        (folder / "nginx.conf").write_text(whole, encoding="utf-8")
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program, errors = NGINX / "usr/sbin/nginx", self.folder / "error.log"
        self._process = subprocess.Popen([program, "-c", self.folder / "nginx.conf", "-e", errors])
        deadline = time.monotonic() + 10
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
        self._process.wait(timeout=10)

    def kill(self) -> None:
        """Let it die as in a power cut."""
        self._process.kill()
        self._process.wait()

    def accesses(self) -> list[str]:
        """Return the lines of the access log."""
        return (self.folder / "access.log").read_text(encoding="utf-8").splitlines()
