# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pair behind its floating address: what is taken away from the active node while clients download."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from failover.downloads import CLIENT
from failover.faults import FAULTS
from failover.pair import following
from failover.series import take_over
from testhosts import (
    FLOATING,
    MIRRORS,
    NODE_STATE,
    PODMAN,
    active,
    are_well,
    connect,
    container,
    drained,
    states,
    until,
)


@pytest.fixture(scope="module", autouse=True)
def pair() -> Iterator[None]:
    with following():
        yield


@pytest.mark.parametrize("what", ["host killed", "nginx stopped", "store gone"])
def test_a_download_survives(what: str) -> None:
    (first,) = active()
    assert not take_over(what, FAULTS[what], ["hub 2.4.0", "curl"]).problems()
    # nobody takes the address back
    assert active() == [*{*MIRRORS} - {first}]


def test_a_sick_standby_never_takes_over() -> None:
    until(are_well)
    (first,) = active()
    (second,) = {*MIRRORS} - {first}
    with drained(second):
        until(lambda: states() == ["active", "fault"])
        with drained(first):
            until(lambda: states() == ["fault", "fault"])
            assert active() == []
    until(are_well)


def test_only_the_active_node_asks_the_hub_by_itself() -> None:
    until(are_well)
    (first,) = active()
    (second,) = {*MIRRORS} - {first}
    runs = 'cat /srv/hf-mirror/ledger/*.jsonl | grep -c \'"kind":"run"\''
    before = {name: connect(name).check_output(runs) for name in MIRRORS}
    for name in MIRRORS:
        connect(name).check_output("systemctl start hf-mirror-sync.service")
    after = {name: connect(name).check_output(runs) for name in MIRRORS}
    assert int(after[first]) == int(before[first]) + 1
    assert after[second] == before[second]


def test_what_is_told_of_a_node() -> None:
    (name,) = active()
    host = connect(name)
    assert json.loads(host.check_output("hf-mirror status --json"))["node"]["state"] == "active"
    assert "this node of the pair: active" in host.check_output("hf-mirror log -n 100")
    assert host.run("runuser -u hf-mirror -- /usr/local/lib/hf-mirror/health").rc == 0
    assert host.file(NODE_STATE).mode == 0o644


def test_a_connection_of_the_other_node_is_not_reset() -> None:
    """Or clients would give up that try again what takes too long."""
    until(are_well)
    (first,) = active()
    (second,) = {*MIRRORS} - {first}
    ask = (
        f"import socket, sys; s = socket.create_connection(('{FLOATING}', 80), 5)\n"
        "print('connected', flush=True); sys.stdin.readline(); s.send(b'GET / HTTP/1.0\\r\\n\\r\\n')\n"
        "try: print(s.recv(1))\n"
        "except OSError as error: print(type(error).__name__)"
    )
    command = [PODMAN, "exec", "-i", container(CLIENT), "python3", "-c", ask]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout and client.stdout.readline() == "connected\n"
        with drained(first):
            until(lambda: active() == [second] and connect(CLIENT).run("curl -fs %s", FLOATING).rc == 0)
            assert client.communicate("\n") == ("TimeoutError\n", None)
    until(are_well)


@pytest.mark.parametrize("source", [CLIENT, "standby"])
def test_only_nodes_are_heard(source: str) -> None:
    """The active node takes packets of VRRP from the other one, and drops those of anybody else."""
    until(are_well)
    (first,) = active()
    (second,) = {*MIRRORS} - {first}
    sender = connect(second if source == "standby" else source)
    # 7: a router id that nobody has, so keepalived doesn't mind
    listen = (
        "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112); s.settimeout(5)\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    while s.recv(100)[21] != 7: pass\n"
        "except TimeoutError: sys.exit(3)"
    )
    send = (
        "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)\n"
        f"for _ in range(20): s.sendto(b'\\x31\\x07' + bytes(10), ('{MIRRORS[first]}', 0)); time.sleep(0.1)"
    )
    command = [PODMAN, "exec", container(first), "timeout", "30", "python3", "-c", listen]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout and listening.stdout.readline() == "ready\n"
        sender.check_output("python3 -c %s", send)
        assert listening.wait() == (0 if source == "standby" else 3)
    assert active() == [first]
