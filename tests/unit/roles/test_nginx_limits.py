# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one client may take of the server, and what it leaves for the others."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from polling import until
from unit.roles.nginx_server import Answer, Mirror, Store, commit_of, serving

COMMIT = commit_of("limits")
LARGE_SIZE = 100_000_000
SMALL = b"small\n"
PATH = f"/org/name/resolve/{COMMIT}/large.bin"
SMALL_PATH = f"/org/name/resolve/{COMMIT}/small.txt"
#: Asks from an address that is not the host's own, to which the limits don't apply.
CLIENT = "127.0.0.2"
Serve = Callable[..., Mirror]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("limits") / "store")
    store.commit("org/name", COMMIT, {"large.bin": bytes(LARGE_SIZE), "small.txt": SMALL})
    store.ref("org/name", "main", COMMIT)
    store.commit("org/rows", COMMIT, {"small.txt": SMALL}, "datasets", padding="x" * (8 << 20))
    store.ref("org/rows", "main", COMMIT, "datasets")
    return store


@pytest.fixture
def serve(store: Store, tmp_path: Path) -> Iterator[Serve]:
    def start(**variables: Any) -> Mirror:
        mirror = running.enter_context(serving(store, tmp_path / "nginx", **variables))
        mirror.source = CLIENT
        return mirror

    with contextlib.ExitStack() as running:
        yield start


@contextlib.contextmanager
def idle_downloads(mirror: Mirror, count: int, path: str = PATH) -> Iterator[list[socket.socket]]:
    """Begin downloads, and take nothing but the first bytes of each."""
    with contextlib.ExitStack() as opened:
        started = []
        for _download in range(count):
            client = opened.enter_context(mirror.connect(buffer=4096))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: mirror\r\n\r\n".encode())
            assert client.recv(12) == b"HTTP/1.1 200"
            started.append(client)
        yield started


def check_refused(answer: Answer) -> None:
    assert (answer.status, answer.body, answer.header("Retry-After")) == (429, b"", "1")
    assert answer.header("X-Repo-Commit") is answer.header("ETag") is None
    assert answer.header("X-Error-Message") == "Too many requests at once from your address, or listings by all"


@pytest.mark.parametrize(
    "path",
    [SMALL_PATH, "/org/name/resolve/main/small.txt", "/api/models/org/name", "/api/models", "/org/name/resolve/x/y"],
)
def test_one_address_has_so_many_connections(serve: Serve, path: str) -> None:
    mirror = serve(mirror_nginx_connections=4)
    with idle_downloads(mirror, 4):
        check_refused(mirror.ask(path))
        check_refused(mirror.ask(path, "HEAD"))
        with mirror.connect("127.0.0.3") as other:
            other.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            assert not other.recv(12).endswith(b"429")
    until(lambda: mirror.ask(path).status != 429)


def test_the_other_nodes_are_not_limited(serve: Serve) -> None:
    mirror = serve(mirror_nginx_connections=4, mirror_nginx_peers=[CLIENT])
    with idle_downloads(mirror, 8):
        assert mirror.ask(SMALL_PATH).body == SMALL


def test_the_host_itself_is_not_limited(serve: Serve) -> None:
    """Its health check would fail where something else on it asks too much."""
    mirror = serve(mirror_nginx_connections=4, mirror_nginx_rate=1)
    mirror.source = "127.0.0.1"
    with idle_downloads(mirror, 8):
        assert mirror.ask(SMALL_PATH).body == SMALL


@pytest.mark.parametrize(
    ("request_line", "rate"),
    [(f"GET {SMALL_PATH}", 10), ("GET /api/models", 1000), ("POST /api/models/org/name/paths-info/main", 1000)],
    ids=["files", "listings", "paths"],
)
def test_requests_that_come_too_fast_wait(serve: Serve, request_line: str, rate: int) -> None:
    mirror = serve(mirror_nginx_rate=rate)
    asked = 30
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(mirror.connect()) for _client in range(asked)]
        begun = time.monotonic()
        for client in clients:
            client.sendall(f"{request_line} HTTP/1.0\r\n\r\n".encode())
        assert {client.recv(12) for client in clients} == {b"HTTP/1.1 200"}
        # not how fast this machine is, but what the limit means
        assert time.monotonic() - begun > (asked - 15) / 10


def half_body(mirror: Mirror, source: str) -> socket.socket:
    """Send what paths-info is asked, but for the last byte."""
    client = mirror.connect(source)
    size = 256 << 10
    head = f"POST /api/models/org/name/paths-info/main HTTP/1.1\r\nHost: mirror\r\nContent-Length: {size}\r\n\r\n"
    client.sendall(head.encode() + b"x" * (size - 1))
    return client


def idle_listing(mirror: Mirror, source: str) -> socket.socket:
    """Ask for more than the kernel takes, and take nothing of it."""
    client = mirror.connect(source, buffer=4096)
    client.sendall(b"GET /api/datasets?full=true HTTP/1.1\r\nHost: mirror\r\n\r\n")
    return client


def refused(clients: list[socket.socket]) -> int:
    """Count those that are told that they are too many."""
    readable = select.select(clients, [], [], 0)[0]
    return sum(client.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 429" for client in readable)


@pytest.mark.parametrize(
    ("begin", "sources", "each", "taken", "variables"),
    [
        (idle_listing, [CLIENT], 12, 8, {}),
        (half_body, [CLIENT], 100, 8, {}),
        (half_body, [f"127.0.1.{number}" for number in range(10)], 8, 32, {}),
        (half_body, [CLIENT], 40, 32, {"mirror_nginx_connections": 0}),
        (half_body, ["127.0.0.1", CLIENT], 40, 32, {"mirror_nginx_trusted_proxies": [CLIENT]}),
    ],
    ids=["answers of one", "bodies of one", "of all", "no limit", "of proxies"],
)
def test_few_lookups_are_under_way(
    serve: Serve,
    begin: Callable[[Mirror, str], socket.socket],
    sources: list[str],
    each: int,
    taken: int,
    variables: dict[str, Any],
) -> None:
    """What they are asked with, and what they answer, is in memory."""
    mirror = serve(mirror_nginx_rate=0, **variables)
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(begin(mirror, source)) for source in sources for _client in range(each)]
        assert until(lambda: refused(clients) >= len(clients) - taken)
        assert refused(clients) == len(clients) - taken
        assert mirror.ask(SMALL_PATH).body == SMALL
        check_refused(mirror.ask("/api/models"))
    assert until(lambda: mirror.ask("/api/models").status == 200)


def test_no_limits(serve: Serve) -> None:
    mirror = serve(mirror_nginx_connections=0, mirror_nginx_rate=0)
    with idle_downloads(mirror, 200):
        assert mirror.ask(SMALL_PATH).body == SMALL


def test_whoever_takes_a_byte_a_second_is_let_go_and_nobody_waits_for_it(serve: Serve) -> None:
    mirror = serve(mirror_nginx_connections=0, __mirror_nginx_send_timeout="2s")
    with idle_downloads(mirror, 200) as slow:
        deadline = time.monotonic() + 120
        cut = 0
        while cut < len(slow):
            assert time.monotonic() < deadline, f"{len(slow) - cut} are still served"
            assert mirror.ask(SMALL_PATH).body == SMALL
            with contextlib.suppress(OSError):
                slow[cut].recv(1)
            cut = sum(line["path"] == "large.bin" and line["bytes"] < LARGE_SIZE for line in mirror.log())
        assert mirror.ask(PATH).body == bytes(LARGE_SIZE)


def test_errors_of_files_have_no_body(serve: Serve, store: Store) -> None:
    mirror = serve()
    beyond = mirror.ask(SMALL_PATH, Range="bytes=99-")
    assert (beyond.status, beyond.body) == (416, b"")
    link = store.folder("org/name") / "snapshots" / COMMIT / "loop.txt"
    link.symlink_to("loop.txt")
    try:
        for path in (f"/org/name/resolve/{COMMIT}/loop.txt", "/org/name/resolve/main/loop.txt"):
            answer = mirror.ask(path)
            assert (answer.status, answer.body) == (403, b"")
            assert answer.header("X-Repo-Commit") is answer.header("ETag") is None
    finally:
        link.unlink()


def test_a_body_that_nobody_asked_for(serve: Serve) -> None:
    mirror = serve()
    assert mirror.ask(SMALL_PATH, body="x" * 300_000).status == 413
    assert mirror.ask(SMALL_PATH, body="x" * 200_000).body == SMALL


def test_the_log_by_syslog(serve: Serve) -> None:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(10)
        mirror = serve(mirror_nginx_syslog=f"127.0.0.1:{collector.getsockname()[1]}")
        line = mirror.logged(SMALL_PATH, Authorization="Bearer hf_secret")
        said = collector.recv(1 << 16).decode()
    assert " hf_mirror: " in said
    assert "hf_secret" not in said
    assert json.loads(said[said.index("{") :]) == line
