# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sync through an HTTP proxy: every request, listings and bytes, goes that way."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
import pytest

from hub.process import HubProcess

Run = Callable[..., dict[str, Any]]


class Proxy(BaseHTTPRequestHandler):
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(f"{self.command} {urlsplit(self.path).netloc}")
        parts = urlsplit(self.path)
        connection = http.client.HTTPConnection(parts.netloc)
        connection.request(self.command, self.path[len(f"http://{parts.netloc}") :], headers=dict(self.headers))
        answer = connection.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.read())

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "no_proxy"):
        # set once, so that what the module sets is taken back after the test
        monkeypatch.setenv(name, "")
    # a session that an earlier test opened has read the environment already
    huggingface_hub.close_session()
    handler = type("Handler", (Proxy,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler.seen  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
    huggingface_hub.close_session()


def test_everything_goes_through_the_proxy(sync: Run, hub: HubProcess, proxy: tuple[str, list[str]]) -> None:
    url, seen = proxy
    answer = sync({"repo_id": "stand-in/tiny-model"}, proxy=url)
    assert not answer["failures"]
    counts = hub.control("requests")["counts"]
    assert len(seen) == sum(counts.values()) > 5
    assert any(line.startswith("GET 127.0.0.2:") for line in seen), "the content origin, too"
