# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where files come from when not all is well: cut connections, a mirror that is away, a second source that is wrong."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import Http
from mirror_server import Server
from unit.facefusion.models import LARGE, SAFETY, SWAPPER, Models, visible

from hub.process import HubProcess

Run = Callable[..., dict[str, Any]]
Start = Callable[..., subprocess.Popen[str]]
NOBODY = "http://127.0.0.1:9"


class Other(BaseHTTPRequestHandler):
    """A second source that answers each file with ``content``, and remembers who asked."""

    content = b"<html>Welcome to the hotel's network</html>"
    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        self.seen.append({"path": self.path, **self.headers})
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class Sly(BaseHTTPRequestHandler):
    """A mirror that has what ``hub`` has, and sends for models, or for all, to ``location``."""

    hub: str
    location: str
    sends_all: bool
    length: str | None

    def do_GET(self) -> None:
        if self.sends_all or self.path.endswith(".onnx"):
            self.send_response(302)
            self.send_header("Location", self.location)
            self.send_header("Content-Length", self.length or "0")
            self.end_headers()
            return
        with urllib.request.urlopen(self.hub + self.path, timeout=10) as answer:
            content = answer.read()
        self.send_response(200)
        self.send_header("Content-Length", self.length if self.length and "/api/" in self.path else str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def sly(hub: HubProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    def no_backoff(_http: Http, _attempt: int) -> None:
        """Waste no time."""

    monkeypatch.setattr(Http, "backoff", no_backoff)
    Sly.hub, Sly.location, Sly.sends_all, Sly.length = hub.url, NOBODY, False, None
    with served(Sly) as server:
        yield url_of(server)


@pytest.fixture
def other() -> Iterator[ThreadingHTTPServer]:
    Other.seen = []
    with served(Other) as server:
        yield server


@contextlib.contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def url_of(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def resolved(hub: HubProcess) -> list[str]:
    return [entry["target"] for entry in hub.control("requests")["last"] if "resolve" in entry["kind"]]


# ---- A source that breaks off


@pytest.mark.parametrize("after", [1, 5 << 20])
def test_a_cut_connection_is_gone_on_with(run: Run, hub: HubProcess, folder: Path, models: Models, after: int) -> None:
    hub.control("cut", {"repo_id": LARGE["repo_id"], "path": "large.onnx", "after": after, "times": 3})
    assert not run(LARGE, endpoint=hub.url).get("failed")
    models.check(folder, LARGE)


@pytest.mark.parametrize("mode", ["ignore", "ignore-with-range", "shift"])
def test_ranges_that_are_misunderstood(run: Run, hub: HubProcess, folder: Path, models: Models, mode: str) -> None:
    hub.control("range", {"repo_id": LARGE["repo_id"], "path": "large.onnx", "mode": mode, "times": 2})
    assert not run(LARGE, endpoint=hub.url).get("failed")
    models.check(folder, LARGE)


def test_one_wrong_body_is_asked_for_again_and_a_second_one_is_refused(
    run: Run, hub: HubProcess, folder: Path, models: Models
) -> None:
    hub.control("flip", {"repo_id": SWAPPER["repo_id"], "path": "inswapper_128.onnx", "times": 1})
    assert run(SWAPPER, endpoint=hub.url)["changed"]
    (folder / "inswapper_128.onnx").unlink()
    hub.control("flip", {"repo_id": SWAPPER["repo_id"], "path": "inswapper_128.onnx"})
    answer = run(SWAPPER, endpoint=hub.url)
    sha256 = models.file(SWAPPER, "inswapper_128.onnx")["sha256"]
    assert answer["failed"] and f"expected SHA-256 {sha256}, got " in answer["msg"]
    assert visible(folder) == {"inswapper_128.hash"}


# ---- A mirror that is away


@pytest.fixture
def gone(run: Run, mirror: Server, folder: Path) -> Server:
    """Return a mirror that is away now, after it was asked for two models of which one is missing again."""
    run(SWAPPER, SAFETY, endpoint=mirror.url)
    mirror.kill()
    (folder / "nsfw_2.onnx").unlink()
    return mirror


def test_without_the_mirror_what_is_there_is_enough(run: Run, start: Start, mirror: Server, folder: Path) -> None:
    run(SWAPPER, endpoint=mirror.url)
    mirror.kill()
    # a process of its own, because this one is Ansible's controller, which shows warnings by itself
    answer = json.loads(start(SWAPPER, endpoint=mirror.url).communicate(timeout=60)[0])
    assert not answer["changed"] and not answer.get("failed")
    warnings = str(answer["warnings"])
    assert f"{mirror.url} can't be reached" in warnings and str(folder / ".hf-mirror.json") in warnings


def test_without_the_mirror_what_is_missing_comes_from_the_second_source(
    run: Run, gone: Server, hub: HubProcess, folder: Path, models: Models
) -> None:
    told = run(SWAPPER, SAFETY, endpoint=gone.url, fallback_endpoint=hub.url, check=True)
    assert told["missing"] == ["nsfw_2.onnx"]
    answer = run(SWAPPER, SAFETY, endpoint=gone.url, fallback_endpoint=hub.url)
    assert answer["sources"] == {"nsfw_2.onnx": hub.url} and answer["placed"] == ["nsfw_2.onnx"]
    models.check(folder, SWAPPER, SAFETY)
    assert f"/{SAFETY['repo_id']}/resolve/{models.commits[SAFETY['repo_id']]}/nsfw_2.onnx" in resolved(hub)


def test_without_both_the_sentence_names_the_mirror(run: Run, gone: Server, folder: Path) -> None:
    answer = run(SWAPPER, SAFETY, endpoint=gone.url)
    assert answer["failed"] and f"nsfw_2.onnx of {SAFETY['repo_id']} is not available. {gone.url}" in answer["msg"]
    assert "nsfw_2.hash" in visible(folder), "what was there stays"


def test_without_the_mirror_what_it_never_told_of_is_not_fetched(
    run: Run, gone: Server, hub: HubProcess, folder: Path
) -> None:
    answer = run(LARGE, endpoint=gone.url, fallback_endpoint=hub.url)
    assert answer["failed"] and "knows nothing of example/large@main" in answer["failures"]["example/large/large"]
    another = {"repo_id": SWAPPER["repo_id"], "names": ["gfpgan_1.4"]}
    answer = run(another, endpoint=gone.url, fallback_endpoint=hub.url)
    assert answer["failed"] and "Restore the mirror" in answer["failures"]["facefusion/models-3.0.0/gfpgan_1.4"]
    assert not resolved(hub) and "large.onnx" not in visible(folder)


def test_a_mirror_without_its_store_is_away(
    run: Run, start: Start, hub: HubProcess, tmp_path: Path, folder: Path, models: Models
) -> None:
    run(SWAPPER, endpoint=hub.url)
    (folder / "inswapper_128.onnx").unlink()
    (tmp_path / "empty").mkdir()
    server = Server(tmp_path / "empty", tmp_path / "nginx-without")
    try:
        module = start(SWAPPER, endpoint=server.url, fallback_endpoint=hub.url)
        answer = json.loads(module.communicate(timeout=60)[0])
    finally:
        server.kill()
    assert answer["sources"] == {"inswapper_128.onnx": hub.url} and "can't serve now (503)" in str(answer["warnings"])
    models.check(folder, SWAPPER)


def test_an_answer_that_makes_no_sense_is_about_one_repository(
    run: Run, hub: HubProcess, folder: Path, models: Models
) -> None:
    hub.control("status", {"repo_id": SAFETY["repo_id"], "kind": "tree", "status": 500, "times": None})
    answer = run(SAFETY, SWAPPER, endpoint=hub.url)
    assert answer["failed"] and f"{hub.url} answers 500" in answer["msg"]
    models.check(folder, SWAPPER)


def test_a_mirror_that_sends_to_one_who_is_away_is_not_away_itself(
    run: Run, sly: str, hub: HubProcess, folder: Path, models: Models
) -> None:
    answer = run(SAFETY, endpoint=sly, fallback_endpoint=hub.url, parallel=1)
    assert not answer.get("failed") and "warnings" not in answer
    assert {name: source for name, source in answer["sources"].items() if name.endswith(".hash")} == {
        f"{name}.hash": sly for name in SAFETY["names"]
    }
    models.check(folder, SAFETY)


# ---- Answers that nobody should give


@pytest.mark.parametrize(
    "location",
    [
        *("http://127.0.0.1:99999/a", "http://127.0.0.1:port/a", "http://[::1/a", "ftp://127.0.0.1/a", "file:///a"),
        *("/modèle.onnx", f"http://{'a' * 64}.example.org/", "http://127.0.0.1/a b"),
    ],
)
@pytest.mark.parametrize("sends_all", [False, True], ids=["models", "all"])
def test_an_address_where_nobody_can_go_is_the_mirror_s_fault(
    run: Run, sly: str, folder: Path, monkeypatch: pytest.MonkeyPatch, location: str, sends_all: bool
) -> None:
    monkeypatch.setattr(Sly, "location", location)
    monkeypatch.setattr(Sly, "sends_all", sends_all)
    answer = run(SWAPPER, endpoint=sly)
    assert answer["failed"] and sly in answer["failures"]["facefusion/models-3.0.0/inswapper_128"], answer
    assert not visible(folder)


@pytest.mark.parametrize("length", ["abc", "-1", "9" * 5000, "²"])
def test_a_length_that_is_none(
    run: Run, sly: str, folder: Path, models: Models, monkeypatch: pytest.MonkeyPatch, length: str
) -> None:
    monkeypatch.setattr(Sly, "length", length)
    assert run(SWAPPER, endpoint=sly)["failed"]
    file = f"{SWAPPER['repo_id']}/resolve/main/inswapper_128.onnx"
    monkeypatch.setattr(Sly, "location", f"{Sly.hub}/{file}?Expires=%C2%B2")
    assert not run(SWAPPER, endpoint=sly).get("failed")
    models.check(folder, SWAPPER)


# ---- A second source


def test_what_the_mirror_does_not_bring_comes_from_the_second_source(
    run: Run, hub: HubProcess, mirror: Server, folder: Path, models: Models
) -> None:
    hub.control("status", {"path": "inswapper_128.onnx", "repo_id": SWAPPER["repo_id"], "status": 404, "times": None})
    answer = run(SWAPPER, endpoint=hub.url, fallback_endpoint=mirror.url)
    assert answer["sources"] == {"inswapper_128.hash": hub.url, "inswapper_128.onnx": mirror.url}
    models.check(folder, SWAPPER)


def test_other_bytes_of_a_second_source_are_refused_and_it_gets_no_credentials(
    run: Run, hub: HubProcess, other: ThreadingHTTPServer, folder: Path
) -> None:
    hub.control("status", {"path": "inswapper_128.onnx", "repo_id": SWAPPER["repo_id"], "status": 404, "times": None})
    answer = run(SWAPPER, endpoint=hub.url, fallback_endpoint=url_of(other), token="hf_secret")
    assert answer["failed"] and url_of(other) in answer["msg"] and hub.url in answer["msg"]
    assert not visible(folder), "one file of a pair alone is of no use"
    assert Other.seen and not any("authorization" in {name.lower() for name in one} for one in Other.seen)
    assert "hf_secret" not in json.dumps(answer)


def test_a_second_source_with_another_file_of_the_same_size_is_refused(
    run: Run, hub: HubProcess, other: ThreadingHTTPServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.control("status", {"path": "inswapper_128.hash", "repo_id": SWAPPER["repo_id"], "status": 404, "times": None})
    monkeypatch.setattr(Other, "content", b"12345678")
    answer = run(SWAPPER, endpoint=hub.url, fallback_endpoint=url_of(other))
    assert answer["failed"] and "is corrupt upstream: expected Git blob SHA-1" in answer["msg"]
    assert not visible(folder)


def test_credentials_do_not_follow_a_redirect_to_another_origin(run: Run, hub: HubProcess) -> None:
    assert run(SWAPPER, endpoint=hub.url, token="hf_secret")["changed"]
    entries = hub.control("requests")["last"]
    assert {entry["origin"]: entry["authorization"] for entry in entries} == {"hub": True, "content": False}


def test_what_is_no_mirror(run: Run, other: ThreadingHTTPServer, hub: HubProcess) -> None:
    answer = run(SWAPPER, endpoint=url_of(other), fallback_endpoint=hub.url)
    assert answer["failed"] and "is it a mirror?" in answer["msg"]
    for url in ("mirror.example.org", "https://mirror.example.org:port", "https://[mirror.example.org"):
        answer = run(SWAPPER, endpoint=url)
        assert answer["failed"] and "an endpoint must be an address that begins with http://" in answer["msg"]
    for url in ("https://somebody:secret@mirror.example.org", "https://mirror.example.org?token=secret"):
        answer = run(SWAPPER, endpoint=url)
        assert answer["failed"] and "use the options for user, password and token" in answer["msg"]
        assert "secret" not in answer["msg"]
