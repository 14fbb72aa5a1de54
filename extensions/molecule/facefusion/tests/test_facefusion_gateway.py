# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway in front of two FaceFusion hosts, on one of them: built, used, a host drained, and taken away again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from testhosts import FACES, PODMAN, connect, container, playbook, recap, until

# what it does is tried with a real nginx in tests/unit/roles, each time
pytestmark = pytest.mark.skipif(os.environ.get("TEST_PROFILE") != "full", reason="takes minutes: make test-full")
GATEWAY, OTHER = "adopts", "installs"
PORT, NAME, PASSWORD = 17860, "faces.example.com", "a secret of one's own"
ASKS = (
    f"curl --silent --max-time 20 --cacert /etc/nginx/facefusion-gateway/tls/ca.pem --resolve {NAME}:443:127.0.0.1"
    " --user %s --cookie %s --cookie-jar %s --write-out '|%%{http_code}|%%header{x-facefusion-host}' %s"
)


def start(name: str) -> None:
    """Have a host answer as FaceFusion does when it is asked whether it is well."""
    connect(name).check_output(
        "mkdir -p /run/faces && echo %s >/run/faces/config &&"
        f" systemd-run --unit faces --collect python3 -m http.server {PORT} --directory /run/faces",
        name,
    )


def stop(name: str) -> None:
    connect(name).check_output("systemctl stop faces")


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    for name in (GATEWAY, OTHER):
        connect(name).check_output("rm -rf /run/faces")  # who was known in a run that was cut
        start(name)
    host = {
        "ansible_connection": "test_host",
        "ansible_host": container(GATEWAY),
        "ansible_podman_executable": PODMAN,
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    addresses = {GATEWAY: "127.0.0.1", OTHER: FACES[OTHER]}
    settings = {
        "facefusion_gateway_server_name": NAME,
        "facefusion_gateway_users": [{"name": name, "password": PASSWORD} for name in ("first", "second", "third")],
        "facefusion_gateway_check_interval": 1,
        "facefusion_gateway_hosts": [
            {"name": name, "address": address, "port": PORT} for name, address in addresses.items()
        ],
    }
    file = tmp_path_factory.mktemp("gateway") / "hosts.json"
    file.write_text(json.dumps({"facefusion_gateway": {"hosts": {GATEWAY: host}, "vars": settings}}))
    yield file
    for name in (GATEWAY, OTHER):
        stop(name)
    connect(GATEWAY).check_output("apt-get --quiet --yes purge nginx nginx-common && rm -rf /etc/nginx /var/log/nginx")


def ask(user: str, path: str = "/config", password: str = PASSWORD) -> list[str]:
    """Return what somebody gets, its status and the host that they are on."""
    jar = f"/run/faces/{user}"
    answer = connect(GATEWAY).check_output(ASKS, f"{user}:{password}", jar, jar, f"https://{NAME}{path}")
    return [part.strip() for part in answer.rsplit("|", 2)]


def test_it_is_built_and_stays_as_it_is(inventory: Path) -> None:
    for changes in (True, False):
        done = playbook("site.yml", inventory=inventory)
        assert done.returncode == 0, done.stdout
        assert PASSWORD not in done.stdout
        assert bool(recap(done.stdout)[GATEWAY]["changed"]) == changes, done.stdout
    passwords = connect(GATEWAY).file("/etc/nginx/facefusion-gateway/passwords")
    assert (passwords.user, passwords.group, passwords.mode) == ("root", "root", 0o600)
    assert PASSWORD not in passwords.content_string


def process(unit: str) -> str:
    """Return what changes when a unit starts, or is told to read its files again."""
    properties = "--property MainPID --property StateChangeTimestampMonotonic"
    return connect(GATEWAY).check_output(f"systemctl show {properties} {unit}")


def test_what_a_cut_run_left_is_brought_into_force(inventory: Path) -> None:
    for unit, file in {
        "facefusion-gateway": "/usr/local/lib/facefusion-gateway/leases.py",
        "nginx": "/etc/nginx/conf.d/facefusion-gateway.conf",
    }.items():
        before = process(unit)
        connect(GATEWAY).check_output(f"touch {file}")
        for changes in (True, False):
            done = playbook("site.yml", inventory=inventory)
            assert bool(recap(done.stdout)[GATEWAY]["changed"]) == changes, done.stdout
        assert process(unit) != before


def test_each_has_a_host_and_strangers_none(inventory: Path) -> None:
    assert ask("first") == ask("first") == [GATEWAY, "200", GATEWAY]
    assert ask("second") == ask("second") == [OTHER, "200", OTHER]
    assert ask("third")[1] == "503"
    assert ask("first", password="wrong")[1:] == ["401", ""]
    assert ask("first") == [GATEWAY, "200", GATEWAY]


def test_the_service_is_killed_and_people_stay(inventory: Path) -> None:
    connect(GATEWAY).check_output("systemctl kill --signal KILL facefusion-gateway.service")
    assert ask("third")[1] == "503"
    assert ask("second") == [OTHER, "200", OTHER]


def test_maintenance(inventory: Path) -> None:
    order = ["playbooks/facefusion_maintenance.yml", "-e", f"maintenance_host={OTHER}"]
    done = playbook(*order, "-e", "maintenance_limit=0", inventory=inventory)
    assert done.returncode == 0, done.stdout
    assert ask("second")[1] == "503"
    assert "drained for maintenance" in ask("second", "/_gateway/")[0]
    stop(OTHER)
    connect(GATEWAY).check_output("systemctl restart facefusion-gateway.service")
    start(OTHER)
    done = playbook(*order, "-e", "maintenance_state=active", inventory=inventory)
    assert done.returncode == 0, done.stdout
    assert ask("second") == [OTHER, "200", OTHER]
    done = playbook(*order[:2], "maintenance_host=none", inventory=inventory)
    assert done.returncode != 0
    assert f"one of {GATEWAY}, {OTHER}" in done.stdout + done.stderr


def test_a_host_that_is_gone(inventory: Path) -> None:
    stop(GATEWAY)
    until(lambda: "does not answer" in ask("second", "/_gateway/")[0])
    assert ask("first")[1] == "503"
    start(GATEWAY)
    until(lambda: ask("first") == [GATEWAY, "200", GATEWAY])


def test_nothing_is_left_of_it(inventory: Path) -> None:
    # as a run that was cut leaves it: nginx has not been told, and one of the units is gone
    gone = "/etc/nginx/conf.d/facefusion-gateway.conf /etc/systemd/system/facefusion-gateway.socket"
    connect(GATEWAY).check_output(f"systemctl disable --now facefusion-gateway.socket && rm {gone}")
    done = playbook("playbooks/uninstall.yml", "-e", "uninstall_confirm=true", inventory=inventory)
    assert done.returncode == 0, done.stdout
    left = connect(GATEWAY).check_output("find /etc /run /usr/local /var -name '*facefusion*gateway*'").split()
    assert sorted(left) == ["/var/log/nginx/facefusion-gateway.log"]
    assert connect(GATEWAY).service("nginx").is_running
    assert not connect(GATEWAY).socket("tcp://0.0.0.0:443").is_listening
    assert not connect(GATEWAY).service("facefusion-gateway.service").is_running
