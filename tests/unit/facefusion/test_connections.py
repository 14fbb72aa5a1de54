# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections: used again when that is right, and only then."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._facefusion.connections import Connections
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import discard
from served import served

BODY = b"0123456789" * 1000


class Handler(BaseHTTPRequestHandler):
    """``/closing`` ends the connection after its answer without saying so, ``/short`` in the middle of it."""

    protocol_version = "HTTP/1.1"
    clients: set[Any]

    def do_GET(self) -> None:
        self.clients.add(self.client_address)
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))
            return
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[:10] if self.path == "/short" else BODY)
        self.close_connection = self.path in ("/closing", "/short")

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.clients = set()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def pool() -> Connections:
    return Connections(10)


def read(pool: Connections, url: str) -> bytes:
    answer = pool.request("GET", url, {})
    content = b""
    while block := answer.read1(4096):
        content += block
    answer.release_conn()
    assert answer.closed
    return content


@pytest.mark.parametrize("path", ["/", "/chunked"])
def test_a_connection_is_used_again(pool: Connections, url: str, path: str) -> None:
    assert [read(pool, url + path) for _number in range(3)] == [BODY] * 3
    assert len(Handler.clients) == 1


def test_a_body_that_was_not_read_to_its_end_takes_its_connection_with_it(pool: Connections, url: str) -> None:
    answer = pool.request("GET", url, {})
    assert answer.read1(10)
    answer.release_conn()
    assert read(pool, url) == BODY and len(Handler.clients) == 2


def test_a_body_that_was_cut_takes_its_connection_with_it(pool: Connections, url: str) -> None:
    assert read(pool, f"{url}/short") == BODY[:10]
    assert read(pool, url) == BODY and len(Handler.clients) == 2


def test_a_body_that_nobody_wants_and_that_was_cut(pool: Connections, url: str) -> None:
    discard(pool.request("GET", f"{url}/short", {}))
    assert read(pool, url) == BODY and len(Handler.clients) == 2


def test_a_connection_that_the_server_has_closed_meanwhile_is_no_failure(pool: Connections, url: str) -> None:
    assert read(pool, f"{url}/closing") == BODY
    assert read(pool, url) == BODY and len(Handler.clients) == 2


def test_nobody_is_there(pool: Connections) -> None:
    with pytest.raises((OSError, http.client.HTTPException)):
        pool.request("GET", "http://127.0.0.1:9/", {})


class Proxy(BaseHTTPRequestHandler):
    """Answers what it was asked for and by whom; it lets nobody through to where TLS is."""

    def do_GET(self) -> None:
        told = f"{self.path} {self.headers['Host']} {self.headers['Proxy-Authorization']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def do_CONNECT(self) -> None:
        self.send_error(403, f"no way to {self.path} for {self.headers['Proxy-Authorization']}")

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def test_the_environments_proxies_are_obeyed(pool: Connections, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(Proxy) as proxy:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.replace("://", "://us%40er:word@"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        basic = "Basic dXNAZXI6d29yZA=="
        told = read(pool, "http://mirror.example.org:8080/a?b")
        assert told.decode() == f"http://mirror.example.org:8080/a?b mirror.example.org:8080 {basic}"
        assert read(pool, url) == BODY, "no_proxy counts"
        with pytest.raises(OSError, match=f"403 no way to mirror.example.org:443 for {basic}"):
            read(pool, "https://mirror.example.org/a")
    with pytest.raises(ConnectionError, match=r"the proxy 127\.0\.0\.1:"):
        read(Connections(10), "http://mirror.example.org:8080/a?b")
    monkeypatch.setenv("http_proxy", "socks5://secret@127.0.0.1:1")
    with pytest.raises(
        http.client.InvalidURL, match="the environment's proxy for http:// is no http:// URL"
    ) as refusal:
        read(Connections(10), "http://mirror.example.org:8080/a?b")
    assert "secret" not in str(refusal.value)


def test_an_address_is_judged_before_anything_is_sent(url: str) -> None:
    asked = []

    def judge(host: str, port: int | None, address: str) -> None:
        asked.append((host, port, address))
        raise MirrorError("not there")

    with pytest.raises(MirrorError, match="not there"):
        Connections(10, judge=judge).request("GET", url, {})
    assert asked == [("127.0.0.1", int(url.rpartition(":")[2]), "127.0.0.1")] and not Handler.clients
