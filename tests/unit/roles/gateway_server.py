# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway on loopback: Debian's nginx and the role's service, with the role's files, in front of real processes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import debian_nginx
from polling import until
from ports import free_ports
from unit.roles.authority import COMMON_NAME, Authority
from unit.roles.nginx_server import Answer

ROLE = Path(__file__).parents[3] / "roles" / "facefusion_gateway"
USERS = [{"name": name, "password": f"{name}'s secret pass:word"} for name in ("alice", "bob", "carol")]
ASSIGNED = re.compile(r"__Host-facefusion_gateway=([^;]*)")
#: Seconds, so that nobody waits long in a test.
INTERVAL, TIMEOUT = 0.1, 0.3


def render(template: str, **variables: Any) -> str:
    """Render one of the role's templates."""
    found = {
        "inventory_hostname": "gateway",
        "__facefusion_gateway_ipv6": False,
        "__facefusion_gateway_version": debian_nginx.version(),
    }
    return debian_nginx.render(ROLE, template, **{**found, **variables})


class Backend:
    """A FaceFusion process of its own."""

    def __init__(self, name: str, port: int) -> None:
        self.name, self.port = name, port
        self.start()

    def start(self) -> None:
        program = Path(__file__).with_name("facefusion_backend.py")
        self._process = subprocess.Popen([sys.executable, program, self.name, str(self.port)])

    def die(self) -> None:
        self._process.kill()
        self._process.wait()

    def hang(self) -> None:
        """Take connections, and answer nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)


class Gateway:
    """nginx, the service, and hosts gpu1, gpu2, ... in ``folder``. ``variables`` are the role's."""

    def __init__(self, folder: Path, hosts: int, **variables: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.port, self.tls_port, *ports = free_ports(2 + hosts)
        self.people: list[Person] = []
        self.hosts = {f"gpu{n}": Backend(f"gpu{n}", port) for n, port in enumerate(ports, 1)}
        self.authority = Authority(folder / "ca")
        self.certificate = self.authority.sign("server", (COMMON_NAME, "127.0.0.1"))
        self.drained = folder / "drained"
        self.drained.mkdir()
        self.socket_path = folder / "gateway.sock"
        (folder / "conf.d").mkdir(exist_ok=True)
        self.variables = {
            "facefusion_gateway_hosts": [
                {"name": host.name, "address": "127.0.0.1", "port": host.port} for host in self.hosts.values()
            ],
            "facefusion_gateway_port": self.port,
            "facefusion_gateway_tls_port": self.tls_port,
            "facefusion_gateway_tls": "files",
            "facefusion_gateway_tls_certificate": str(self.certificate),
            "facefusion_gateway_tls_key": str(self.certificate),
            "facefusion_gateway_users": USERS,
            "facefusion_gateway_check_interval": INTERVAL,
            "facefusion_gateway_check_timeout": TIMEOUT,
            "__facefusion_gateway_drained": str(self.drained),
            "__facefusion_gateway_log": str(folder / "access.log"),
            "__facefusion_gateway_socket": str(self.socket_path),
            **variables,
        }
        files = {"passwords.j2": "passwords", "gateway.json.j2": "gateway.json"}
        files["facefusion-gateway.conf.j2"] = "conf.d/facefusion-gateway.conf"
        for template, file in files.items():
            (folder / file).write_text(render(template, **self.variables), encoding="utf-8")
        whole = debian_nginx.surroundings(folder, "conf.d/*.conf")
        (folder / "nginx.conf").write_text(whole, encoding="utf-8")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket_path))
        self._listener.listen()
        self.start_service()
        self.start_nginx()
        until(lambda: all(state["up"] for state in self.states().values()))

    def start_nginx(self) -> None:
        program, errors = debian_nginx.NGINX / "usr/sbin/nginx", self.folder / "error.log"
        self._nginx = subprocess.Popen([program, "-c", self.folder / "nginx.conf", "-e", errors])
        until(lambda: self._nginx.poll() is not None or self._accepts())
        assert self._nginx.poll() is None, self.errors()

    def stop_nginx(self) -> None:
        self._nginx.terminate()
        self._nginx.wait(timeout=60)

    def start_service(self) -> None:
        """As systemd does: the socket that it listens on is its file 3."""
        program = ["python3", str(ROLE / "files" / "gateway.py"), str(self.folder / "gateway.json")]
        shell = f'exec "$@" 3<&{self._listener.fileno()}'
        command = ["bash", "-c", shell, "bash", *program, str(self.folder / "persons.json")]
        environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= {"CREDENTIALS_DIRECTORY": str(self.folder)}
        with (self.folder / "service.log").open("ab") as log:
            self._service = subprocess.Popen(command, pass_fds=[self._listener.fileno()], env=environment, stderr=log)

    def stop_service(self) -> None:
        self._service.terminate()
        self._service.wait(timeout=60)

    def stop(self) -> None:
        self.stop_nginx()
        self.stop_service()
        self._listener.close()
        for host in self.hosts.values():
            host.die()

    def _accepts(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.tls_port), timeout=1).close()
            return True
        return False

    def errors(self) -> list[str]:
        return (self.folder / "error.log").read_text(encoding="utf-8").splitlines()

    def said(self) -> str:
        """What the service told its log."""
        return (self.folder / "service.log").read_text(encoding="utf-8")

    def states(self) -> Any:
        """What the playbook for maintenance asks for."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(self.socket_path))
            client.sendall(b"GET / HTTP/1.0\r\nX-Gateway-Ask: states\r\n\r\n")
            return json.loads(client.makefile("rb").read().partition(b"\r\n\r\n")[2])

    def empty(self) -> None:
        """Have everybody leave, as after a test that shares the gateway with others."""
        for person in self.people:
            person.ask("/_gateway/leave", "POST")
        self.people.clear()
        assert not any(state["taken"] for state in self.states().values())

    def drain(self, name: str, seconds: int) -> None:
        (self.drained / name).write_text(f"{seconds}\n", encoding="ascii")
        until(lambda: self.states()[name]["drained"])

    def undrain(self, name: str) -> None:
        (self.drained / name).unlink()
        until(lambda: not self.states()[name]["drained"])


class Person:
    """A browser and who sits before it."""

    def __init__(
        self, gateway: Gateway, user: str = "alice", password: str | None = None, address: str = "127.0.0.1"
    ) -> None:
        self.gateway, self.cookie, self.address = gateway, "", address
        gateway.people.append(self)
        known = {one["name"]: one["password"] for one in USERS}
        secret = known.get(user, "") if password is None else password
        self.login = b64encode(f"{user}:{secret}".encode()).decode() if user else ""

    def headers(self) -> dict[str, str]:
        headers = {"Cookie": f"theme=dark; __Host-facefusion_gateway={self.cookie}"} if self.cookie else {}
        return headers | ({"Authorization": f"Basic {self.login}"} if self.login else {})

    def connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.gateway.authority.certificate))
        source = (self.address, 0)
        return http.client.HTTPSConnection(
            "127.0.0.1", self.gateway.tls_port, timeout=20, context=context, source_address=source
        )

    @contextlib.contextmanager
    def opened(
        self, path: str, method: str = "GET", body: Any = None, **headers: str
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask, and read the answer as it comes."""
        with contextlib.closing(self.connect()) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {**self.headers(), **named})
            response = connection.getresponse()
            if found := ASSIGNED.match(response.headers.get("Set-Cookie", "")):
                self.cookie = found[1]
            yield response

    def ask(self, path: str = "/", method: str = "GET", body: Any = None, **headers: str) -> Answer:
        with self.opened(path, method, body, **headers) as response:
            return Answer(response.status, response.headers, response.read())

    def host(self) -> str:
        """Use FaceFusion, and return on which host that was."""
        answer = self.ask("/use", "POST", b"{}")
        assert answer.status == 200, answer
        assert answer.header("X-FaceFusion-Host") == answer.json["host"]
        return str(answer.json["host"])


@contextlib.contextmanager
def serving(folder: Path, hosts: int, **variables: Any) -> Iterator[Gateway]:
    gateway = Gateway(folder, hosts, **variables)
    try:
        yield gateway
    finally:
        gateway.stop()
        shutil.rmtree(folder / "body", ignore_errors=True)


def drop(gateway: Gateway, name: str) -> None:
    gateway.hosts[name].die()
    until(lambda: not gateway.states()[name]["up"])
