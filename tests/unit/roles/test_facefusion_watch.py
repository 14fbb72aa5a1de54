# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway says in its log and in its unit's status which hosts are away."""

from __future__ import annotations

import contextlib
import importlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from polling import until
from ports import free_ports
from unit.roles.gateway_server import ROLE, Backend


@pytest.fixture
def notify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Where systemd listens."""
    monkeypatch.syspath_prepend(str(ROLE / "files"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield notify


def test_hosts_that_come_and_go_are_told(
    notify: socket.socket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = importlib.import_module("watch")
    ports = free_ports(2)
    leases = importlib.import_module("leases").Leases(["gpu1", "gpu2"], 900)
    looks = watch.Settings(5, 10, tmp_path)
    gpu1, gpu2 = (watch.Watch(leases, f"gpu{n}", "127.0.0.1", port, looks) for n, port in enumerate(ports, 1))
    for one in (gpu1, gpu2, gpu1):
        assert one.look() == "gone"
    backend = Backend("gpu2", ports[1])
    try:
        until(lambda: gpu2.look() == "up")
    finally:
        backend.die()
    assert gpu2.look() == "gone"
    assert [notify.recv(100).decode() for _change in range(4)] == [
        "STATUS=0 of 2 hosts answer, without gpu1, gpu2",
        "STATUS=0 of 2 hosts answer, without gpu1, gpu2",
        "STATUS=1 of 2 hosts answer, without gpu1",
        "STATUS=0 of 2 hosts answer, without gpu1, gpu2",
    ]
    again = "does not answer; it is asked every 5 seconds, for as long as it takes"
    assert capsys.readouterr().err.splitlines() == [f"gpu1 {again}", f"gpu2 {again}", "gpu2 answers", f"gpu2 {again}"]


@pytest.mark.parametrize("piece", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-More: " + b"x" * 100])
def test_a_host_that_answers_a_byte_now_and_then_is_slow(notify: socket.socket, tmp_path: Path, piece: bytes) -> None:
    watch = importlib.import_module("watch")
    leases = importlib.import_module("leases").Leases(["gpu1"], 900)
    ends = []

    def drip() -> None:
        client = listener.accept()[0]
        with client, contextlib.suppress(OSError):
            for _piece in range(100):
                client.sendall(piece)
                threading.Event().wait(0.1)
            ends.append("was heard to the end")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = threading.Thread(target=drip)
        host.start()
        look = watch.Watch(leases, "gpu1", "127.0.0.1", listener.getsockname()[1], watch.Settings(5, 0.3, tmp_path))
        assert look.look() == "slow"
        host.join()
    assert ends == []
