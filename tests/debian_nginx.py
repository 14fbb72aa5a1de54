# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's nginx on loopback, and the files that roles write for it, as Ansible renders them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import yaml
from ansible.plugins.filter.core import FilterModule
from ansible.plugins.test.core import version_compare
from ansible_collections.modelops.hf_mirror.plugins.filter.glob_pattern import glob_pattern
from ansible_collections.modelops.hf_mirror.plugins.filter.name_pattern import name_pattern

#: What tests/setup/machine.sh unpacks without installing its service.
NGINX = Path(__file__).parents[1] / ".cache" / "nginx"

# As on Debian: what a role's file meets in /etc/nginx/nginx.conf.
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
    include {folder}/{include};
}}
"""


def version() -> str:
    """Return nginx' version, as the roles find it."""
    said = subprocess.run([NGINX / "usr/sbin/nginx", "-v"], check=True, capture_output=True, text=True).stderr
    return said.strip().partition("nginx/")[2]


def surroundings(folder: Path, include: str) -> str:
    """Return the configuration of an nginx that has its files in ``folder``, a role's among them."""
    user = "user root;" if os.geteuid() == 0 else ""
    return _SURROUNDINGS.format(nginx=NGINX, folder=folder, user=user, include=include)


def render(role: Path, template: str, **variables: Any) -> str:
    """Render one of a role's templates with its defaults, as ansible.builtin.template does."""
    settings: dict[str, Any] = {}
    for folder in ("defaults", "vars"):
        settings |= yaml.safe_load((role / folder / "main.yml").read_text(encoding="utf-8"))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(role / "templates"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - a configuration file, not HTML
    )
    filters = FilterModule().filters()
    environment.filters |= {name: filters[name] for name in ("bool", "hash", "password_hash", "regex_escape")}
    own = {"glob_pattern": glob_pattern, "name_pattern": name_pattern}
    environment.filters |= {f"modelops.hf_mirror.{name}": function for name, function in own.items()}
    environment.tests["version"] = version_compare
    return environment.get_template(template).render({**alone(settings), **variables})


def alone(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a role's settings where there is no inventory, and so no other node."""
    asks = "query('modelops.hf_mirror.nodes'"
    nothing = {
        name: False if "length > 0" in str(value) else [] for name, value in settings.items() if asks in str(value)
    }
    return {**settings, **nothing}
