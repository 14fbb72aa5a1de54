# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What site.yml asks a mirror at its end: no play is green on one that serves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import local_role
import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings
from mirror_server import Server
from served import served

from hub.process import HubProcess

FACTS = {"default_ipv4": {"address": "127.0.0.1"}}
TINY = [{"repo_id": "stand-in/tiny-model"}]


@pytest.fixture
def store(tmp_path: Path, hub: HubProcess) -> Path:
    tmp_path.chmod(0o755)
    store = tmp_path / "store"
    store.mkdir()
    assert not Engine(Settings(store, hub.url)).run(parse(TINY)).problems
    return store


@pytest.fixture
def ask(tmp_path: Path, store: Path) -> Iterator[Any]:
    servers = []

    def run(**variables: Any) -> local_role.Run:
        server = Server(store, tmp_path / "nginx", **variables)
        servers.append(server)
        about = {"mirror_nginx_store": str(store), "mirror_nginx_port": server.port, "ansible_facts": FACTS}
        return local_role.run(tmp_path, "mirror_nginx", "ask", **{**about, **variables})

    yield run
    for server in servers:
        server.kill()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"mirror_nginx_access": [{"repos": ["another/*"], "networks": ["192.0.2.0/24"]}]},
        {"mirror_nginx_server_name": "*.example.com mirror"},
    ],
    ids=["open", "closed", "named"],
)
def test_a_mirror_that_serves_passes(ask: Any, variables: dict[str, Any]) -> None:
    done = ask(**variables)
    assert done.is_good and done.changed == 0, done.said


def test_a_store_that_is_not_mounted_does_not_pass(ask: Any, store: Path) -> None:
    (store / "store.json").unlink()
    done = ask()
    assert not done.is_good and "answers 503" in " ".join(done.said.split()), done.said


def test_whoever_else_answers_there_does_not(tmp_path: Path, store: Path) -> None:
    """As Debian's own site does where the configuration was not brought into force."""

    class Other(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(404)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    with served(Other) as url:
        port = int(url.rpartition(":")[2])
        about = {"mirror_nginx_store": str(store), "mirror_nginx_port": port, "ansible_facts": FACTS}
        done = local_role.run(tmp_path, "mirror_nginx", "ask", **about)
    assert not done.is_good and "answers 404. On that host, check" in " ".join(done.said.split()), done.said
