# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that never send a whole request: nobody else is shut out by them, and nginx takes many."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import select
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_process
import debian_nginx
import pytest
from mirror_server import ROLE, render
from namespaces import Namespace, run
from polling import until
from unit.roles.nginx_server import Mirror, Store, serving

HALF = b"GET /half/a/request HTTP/1.1\r\nHost: mirror\r\n"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")


class Network:
    """A server, somebody who opens connections to it, and somebody else, each on a host of their own."""

    def __init__(self, opened: contextlib.ExitStack, tmp_path: Path) -> None:
        self._opened, self._folder = opened, tmp_path
        self.server, self.attacker, self.client = (Namespace() for _host in range(3))
        for host in (self.server, self.attacker, self.client):
            opened.callback(host.close)
        self.server.connect(self.attacker, 1)
        self.server.connect(self.client, 2)

    def serve(self, **variables: Any) -> None:
        with self.server.inside():
            settings = {"__mirror_nginx_ipv6": True, **variables}
            store = Store(self._folder / "store")
            self.mirror: Mirror = self._opened.enter_context(serving(store, self._folder / "nginx", **settings))
            rules = render("connections.nft.j2", mirror_nginx_port=self.mirror.port, **variables)
            run("nft", "--file", "-", given=rules)
            # twice, as at a reload
            run("nft", "--file", "-", given=rules)

    def attack(
        self, count: int, address: str = "10.0.1.1", host: Namespace | None = None, source: str | None = None
    ) -> list[socket.socket]:
        """Begin to open connections."""
        begun = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with (host or self.attacker).inside():
            for _connection in range(count):
                connection = self._opened.enter_context(socket.socket(family))
                connection.setblocking(False)
                if source:
                    connection.bind((source, 0))
                connection.connect_ex((address, self.mirror.port))
                begun.append(connection)
        return begun

    def ask(self, family: int) -> int:
        """Ask as somebody else, on a connection of its own, and return the answer's status."""
        with self.client.inside():
            address = "fd00:2::1" if family == 6 else "10.0.2.1"
            connection = http.client.HTTPConnection(address, self.mirror.port, timeout=5)
            with contextlib.closing(connection):
                connection.request("GET", "/")
                return connection.getresponse().status


def send_halves(connections: list[socket.socket]) -> list[socket.socket]:
    """Send half of a request on each that is open by now, and return these."""
    poll = select.poll()
    for connection in connections:
        poll.register(connection, select.POLLOUT)
    ready = {descriptor for descriptor, event in poll.poll(0) if event == select.POLLOUT}
    found = [connection for connection in connections if connection.fileno() in ready]
    for connection in found:
        with contextlib.suppress(OSError):  # nginx let it go meanwhile
            connection.sendall(HALF)
    return found


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    with contextlib.ExitStack() as opened:
        yield Network(opened, tmp_path)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@needs_root
@pytest.mark.parametrize(("family", "address"), [(4, "10.0.1.1"), (6, "fd00:1::1")])
def test_somebody_else_is_served_throughout(network: Network, family: int, address: str) -> None:
    """The nginx of the tests takes 1,024 connections, and one address opens 3,000."""
    network.serve()
    begun: list[socket.socket] = []
    for _hundred in range(30):
        begun += network.attack(100, address)
        send_halves(begun)
        assert network.ask(family) == network.ask(10 - family) == 200
    # what is let through is taken
    assert until(lambda: len(send_halves(begun)) >= 512 + 128 and network.ask(family) == 200)


@needs_root
@pytest.mark.parametrize(
    ("variables", "address", "is_counted"),
    [
        ({}, "10.0.1.1", True),
        ({}, "fd00:1::1", True),
        ({"mirror_nginx_peers": ["10.0.1.2"], "mirror_nginx_trusted_proxies": ["fd00:2::/64"]}, "10.0.1.1", False),
        ({"mirror_nginx_peers": ["10.0.2.0/24", "fd00:1::2"]}, "fd00:1::1", False),
        ({"mirror_nginx_trusted_proxies": ["10.0.0.0/8", "fd00:2::2"]}, "10.0.1.1", False),
        ({"mirror_nginx_peers": ["10.0.2.2"], "mirror_nginx_trusted_proxies": ["fd00:2::/64"]}, "fd00:1::1", True),
    ],
)
def test_who_is_counted(network: Network, variables: dict[str, Any], address: str, is_counted: bool) -> None:
    network.serve(mirror_nginx_connections=4, **variables)
    taken = 4 + 128 if is_counted else 200
    begun = network.attack(200, address)
    assert until(lambda: len(send_halves(begun)) >= taken)
    assert len(send_halves(begun)) == taken


@needs_root
def test_another_role_counts_for_itself(network: Network) -> None:
    """FaceFusion's gateway, beside a mirror on the same nginx."""
    network.serve(__mirror_nginx_table={"name": "gateway", "connections": "50"})
    begun = network.attack(100)
    assert until(lambda: len(send_halves(begun)) >= 50)
    assert (len(send_halves(begun)), network.ask(4)) == (50, 200)
    with network.server.inside():
        run("nft", "delete", "table", "inet", "hf_mirror_gateway")


@needs_root
def test_a_network_of_ipv6_is_one_client(network: Network) -> None:
    """Whoever has one address has all of its /64: in the kernel's eyes, and in nginx'."""
    network.serve(mirror_nginx_connections=4, mirror_nginx_rate=1)
    sources = [f"fd00:1::{number}" for number in range(3, 7)]
    with network.attacker.inside():
        for source in sources:
            run("ip", "address", "add", f"{source}/64", "dev", "other1", "nodad")
    # four wait at most, and here no address asks for more than three
    few = [one for source in sources for one in network.attack(3, "fd00:1::1", source=source)]
    for one in few:
        one.setblocking(True)
        one.sendall(HALF + b"\r\n")
    assert until(lambda: any(one.recv(12) == b"HTTP/1.1 429" for one in select.select(few, [], [], 0)[0]))
    for one in few:
        one.close()
    begun = [one for source in sources for one in network.attack(50, "fd00:1::1", source=source)]
    assert until(lambda: len(send_halves(begun)) >= 4 + 128)
    assert len(send_halves(begun)) == 4 + 128
    assert network.ask(6) == 200


@needs_root
def test_the_host_itself_is_not_counted_nor_what_is_closed(network: Network) -> None:
    """Beside the other table of a pair's node, which lets no reset out."""
    network.serve(mirror_nginx_connections=4)
    pair = debian_nginx.render(
        ROLE.parent / "mirror_keepalived",
        "vrrp.nft.j2",
        mirror_keepalived_nodes=["10.0.1.1", "10.0.1.3"],
        __mirror_keepalived_ip="10.0.1.1",
        __mirror_keepalived_port=str(network.mirror.port),
    )
    with network.server.inside():
        run("nft", "--file", "-", given=pair)
    own = network.attack(200, "10.0.1.1", network.server)
    assert until(lambda: len(send_halves(own)) == 200)
    for _round in range(3):
        begun = network.attack(4 + 128)
        assert until(lambda begun=begun: len(send_halves(begun)) == 4 + 128)
        for connection in begun:
            connection.close()


# ---- How many nginx takes

#: Configurations, and what becomes of the one line.
CHANGES = {
    "debian": (
        (debian_nginx.NGINX / "etc/nginx/nginx.conf").read_text(encoding="utf-8"),
        "\tworker_connections 16384; # 768 before modelops.hf_mirror.mirror_nginx",
    ),
    "one-line": (
        "events { worker_connections 1024; } # few\nhttp { }\n",
        "events { worker_connections 16384; } # few # 1024 before modelops.hf_mirror.mirror_nginx",
    ),
    "large": ("events {\n    worker_connections 65536;\n}\n", "    worker_connections 65536;"),
    "silent": ("events {\n    # worker_connections 768;\n}\n", ""),
}


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the role's tasks on each, as if it were a host's: twice, and back. Return what is left and what was said."""
    folder = tmp_path_factory.mktemp("changed")
    for name, (text, _line) in CHANGES.items():
        text = text.replace("/etc/nginx", str(debian_nginx.NGINX / "etc/nginx")).replace("/var/log/nginx", str(folder))
        for number in ("", ".before"):
            (folder / f"{name}{number}").write_text(text)
    tasks: list[dict[str, Any]] = []
    for number, file in enumerate(["workers", "workers", "workers_before"]):
        tasks.append({"ansible.builtin.import_tasks": str(ROLE / "tasks" / f"{file}.yml")})
        if number == 0:
            tasks.append({"ansible.builtin.command": "cp {{ __mirror_nginx_main }} {{ __mirror_nginx_main }}.raised"})
        if number == 1:
            tasks.append({"ansible.builtin.command": "cmp {{ __mirror_nginx_main }} {{ __mirror_nginx_main }}.raised"})
    handlers = [{"name": f"{what} nginx", "ansible.builtin.debug": {"msg": "told"}} for what in ("Reload", "Restart")]
    play = {"hosts": "all", "gather_facts": False, "tasks": tasks, "handlers": handlers}
    play["vars_files"] = [str(ROLE / part / "main.yml") for part in ("defaults", "vars")]
    (folder / "play.json").write_text(json.dumps([play]))
    variables = {
        "ansible_python_interpreter": sys.executable,
        "__mirror_nginx_binary": str(debian_nginx.NGINX / "usr/sbin/nginx"),
        "__mirror_nginx_main": f"{folder}/{{{{ inventory_hostname }}}}",
    }
    arguments = ["-i", ",".join(CHANGES), "-c", "local", "-e", json.dumps(variables), folder / "play.json"]
    said = ansible_process.play(arguments).said
    assert said.count("failed=0") == len(CHANGES) - 1, said
    return folder, " ".join(said.split())


@pytest.mark.parametrize("name", [name for name, (_text, line) in CHANGES.items() if line])
def test_nginx_takes_more_connections_until_the_role_goes(changed: tuple[Path, str], name: str) -> None:
    folder, line = changed[0], CHANGES[name][1]
    before, raised, after = (Path(folder / f"{name}{part}").read_text() for part in (".before", ".raised", ""))
    assert [one for one in raised.splitlines() if "worker_connections" in one] == [line]
    assert len(raised.splitlines()) == len(before.splitlines())
    assert after == before
    backups = [file.read_text() for file in folder.glob(f"{name}.*~")]
    assert backups == ([before] if raised != before else [])


def test_an_nginx_that_does_not_say_how_many(changed: tuple[Path, str]) -> None:
    assert "silent of silent does not set worker_connections" in changed[1]
    assert 'add "worker_connections 16384;" to its events block' in changed[1]
