# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sync through an HTTP proxy: every request, listings and bytes, goes that way."""

from __future__ import annotations

import base64
import http.client
import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import (
    Http,
    leave_to_environment,
    proxies_of,
)

from hub.process import HubProcess

Run = Callable[..., dict[str, Any]]


class Proxy(BaseHTTPRequestHandler):
    seen: list[str]
    wants: str | None  # who may use it

    def do_GET(self) -> None:
        if self.wants and self.headers.get("Proxy-Authorization") != self.wants:
            self.send_response(407)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        del self.headers["Proxy-Authorization"]
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
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "no_proxy"):
        # set once, so that what the module sets is taken back after the test
        monkeypatch.setenv(name, "")
    # a session that an earlier test opened has read the environment already
    huggingface_hub.close_session()
    handler = type("Handler", (Proxy,), {"seen": [], "wants": None})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()
        thread.join()
    huggingface_hub.close_session()


def test_everything_goes_through_the_proxy(sync: Run, hub: HubProcess, proxy: tuple[str, Any]) -> None:
    url, seen = proxy[0], proxy[1].seen
    answer = sync({"repo_id": "stand-in/tiny-model"}, proxy=url)
    assert not answer["failures"]
    counts = hub.control("requests")["counts"]
    assert len(seen) == sum(counts.values()) > 5
    assert any(line.startswith("GET 127.0.0.2:") for line in seen), "the content origin, too"


@pytest.mark.parametrize("own", [True, False])
def test_an_upstream_has_a_proxy_of_its_own(sync: Run, hub: HubProcess, proxy: tuple[str, Any], own: bool) -> None:
    """One that an upstream does not go through is never spoken to, the setting's and the environment's neither."""
    url, seen = proxy[0], proxy[1].seen
    upstream = {"url": hub.url, "proxy": url if own else ""}
    answer = sync({"repo_id": "stand-in/tiny-model"}, endpoint=[upstream], proxy=None if own else url)
    assert not answer["failures"]
    assert len(seen) == (sum(hub.control("requests")["counts"].values()) if own else 0)


def test_a_proxy_with_a_password_gets_it_and_nobody_else_sees_it(
    sync: Run, hub: HubProcess, proxy: tuple[str, Any], store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Http, "backoff", lambda _http, _attempt: None)
    url, handler = proxy
    handler.wants = f"Basic {base64.b64encode(b'me:hf_secret@1').decode()}"
    answers = [sync({"repo_id": "stand-in/tiny-model"}, proxy=url.replace("//", "//me:hf_secret%401@"))]
    assert not answers[0]["failures"] and handler.seen
    handler.wants = "somebody else"
    hub.control("reset", {})
    answers.append(
        sync({"repo_id": "stand-in/tiny-space", "repo_type": "space"}, proxy=url.replace("//", "//me:hf_secret@"))
    )
    answers.append(sync({"repo_id": "a/b"}, proxy="http://me:hf_secret@[::1"))
    assert answers[1]["failures"] and "proxy must be an address" in answers[2]["msg"]
    ledger = "".join(file.read_text() for file in (store / "ledger").glob("*.json*"))
    assert "hf_secret" not in json.dumps(answers) + ledger


@pytest.mark.parametrize("option", ["endpoint", "peers"])
def test_an_address_with_a_password_is_refused_and_not_shown(sync: Run, option: str) -> None:
    url = "https://me:hf_secret@hub.example.com"
    answer = sync({"repo_id": "stand-in/tiny-model"}, **{option: [url] if option == "peers" else url})
    assert answer["failed"] and answer["msg"].startswith(option) and "has a user or a password in it" in answer["msg"]
    assert "hf_secret" not in answer["msg"]


def test_the_environments_proxy_counts_where_none_is_given(
    sync: Run, proxy: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, seen = proxy[0], proxy[1].seen
    monkeypatch.setenv("http_proxy", url)
    assert not sync({"repo_id": "stand-in/tiny-model"})["failures"]
    asked = len(seen)
    assert asked > 5
    monkeypatch.setenv("no_proxy", "127.0.0.1,127.0.0.2")
    assert not sync({"repo_id": "stand-in/tiny-space", "repo_type": "space"})["failures"]
    assert len(seen) == asked


@pytest.mark.parametrize("name", ["all_proxy", "ALL_PROXY", "HTTP_PROXY"])
def test_all_names_of_the_environment_count(
    sync: Run, proxy: tuple[str, Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for other in ("http_proxy", "https_proxy"):
        monkeypatch.delenv(other)
    monkeypatch.setenv(name, proxy[0])
    assert not sync({"repo_id": "stand-in/tiny-model"})["failures"]
    assert len(proxy[1].seen) > 5


def test_a_proxy_that_is_given_is_the_only_one_for_libraries_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """hf_xet asks the environment by itself."""
    monkeypatch.setattr(
        os, "environ", {"NO_PROXY": "*", "HTTPS_PROXY": "http://other", "all_proxy": "http://o", "A": "b"}
    )
    leave_to_environment(proxies_of("http://given:3128"))
    assert os.environ == {"A": "b", "http_proxy": "http://given:3128", "https_proxy": "http://given:3128"}
    leave_to_environment(proxies_of(None))
    assert proxies_of(None) == {"http": "http://given:3128", "https": "http://given:3128"}


def test_a_proxy_of_the_environment_that_is_none_is_told(sync: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://u:S3CRET@[::1")
    answer = sync({"repo_id": "stand-in/tiny-model"})
    assert "http_proxy must be an address" in answer["msg"] and "S3CRET" not in str(answer)
