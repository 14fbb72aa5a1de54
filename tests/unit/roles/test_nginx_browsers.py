# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page of another origin may read of the mirror: what every answer says of it, and a real browser."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mirror_server import render
from polling import until
from unit.roles.nginx_server import Answer, Mirror, Store, etag_of, serving
from unit.roles.nginx_store import CONFIG, ONE, WEIGHTS, fill
from unit.roles.profile import FULL

APP, OTHER = "https://app.example.com", "http://localhost:3000"
ALICE = hashlib.sha256(b"alice").hexdigest()
SETTINGS: dict[str, Any] = {
    "mirror_nginx_users": [{"name": "alice", "tokens": [ALICE]}],
    "mirror_nginx_peers": ["127.0.0.1"],
    "mirror_nginx_fallback_repos": ["spare/*"],
}
#: One of each kind of answer.
ADDRESSES: list[tuple[str, str, dict[str, str], int]] = [
    ("GET", f"/org/name/resolve/{ONE}/config.json", {}, 200),
    ("GET", "/org/name/resolve/main/config.json", {}, 200),
    ("GET", f"/org/name/resolve/{ONE}/config.json", {"Range": "bytes=0-1"}, 206),
    ("GET", f"/org/name/resolve/{ONE}/config.json", {"Range": "bytes=99-"}, 416),
    ("GET", f"/org/name/resolve/{ONE}/config.json", {"If-None-Match": "*"}, 304),
    ("GET", f"/org/name/resolve/{ONE}/config.json", {"If-Match": '"x"'}, 412),
    ("HEAD", "/org/name/resolve/main/config.json", {}, 307),
    ("GET", f"/org/name/resolve/{ONE}/absent", {}, 404),
    ("GET", "/org/name/resolve/main/absent", {}, 404),
    ("GET", "/org/name/resolve/absent/config.json", {}, 404),
    ("GET", "/org/absent/resolve/main/config.json", {}, 401),
    ("GET", "/spare/absent/resolve/main/config.json", {}, 302),
    ("GET", "/org/gated/resolve/main/config.json", {}, 401),
    ("GET", "/api/models/org/name", {}, 200),
    ("GET", "/api/models/org/name/tree/main", {}, 200),
    ("GET", "/api/models/org/name/refs", {}, 200),
    ("POST", "/api/models/org/name/paths-info/main", {}, 200),
    ("GET", "/api/models/org/name/paths-info/main", {}, 405),
    ("GET", "/api/models?limit=1", {}, 200),
    ("GET", "/api/whoami-v2", {}, 401),
    ("GET", "/api/agent-harnesses", {}, 200),
    ("GET", "/models", {}, 301),
    ("GET", "/models/", {}, 200),
    ("GET", "/models/view", {}, 301),
    ("GET", "/models/view/file.bin", {}, 200),
    ("GET", "/models/view/absent", {}, 404),
    ("GET", "/models/absent/file.bin", {}, 404),
    ("GET", "/", {}, 200),
    ("GET", "/nothing/at/all", {}, 404),
    ("PUT", "/", {}, 405),
    ("GET", "/_peer/catalogue.json", {}, 404),
    ("GET", "/_health/store.json", {}, 200),
    ("GET", "/", {"Content-Length": "300000"}, 413),
]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    folder = tmp_path_factory.mktemp("browsers")
    store = Store(folder / "store")
    fill(store)
    store.commit("org/gated", ONE, {"config.json": CONFIG})
    (store.folder("org/gated") / ".mirror" / "gated").touch()
    store.view("view", {"file.bin": b"file"})
    with serving(store, folder / "nginx", mirror_nginx_cors_origins=[APP, OTHER], **SETTINGS) as mirror:
        yield mirror


def ask(mirror: Mirror, method: str, path: str, **headers: str) -> Answer:
    return mirror.ask(path, method, **headers)


def check(answer: Answer, origin: str | None) -> None:
    names = [name.lower() for name in answer.headers]
    assert len(names) == len(set(names)), "a browser takes none of two"
    assert answer.headers.get_all("Vary") == ["Origin"]
    assert answer.header("Access-Control-Allow-Origin") == origin
    assert answer.header("Access-Control-Allow-Credentials") is None
    exposed = answer.header("Access-Control-Expose-Headers")
    assert (exposed is not None) == (origin is not None)
    if exposed:
        wanted = {"ETag", "Link", "Location", "Content-Range", "Content-Length", "Accept-Ranges", "Retry-After"}
        wanted |= {"X-Repo-Commit", "X-Linked-ETag", "X-Linked-Size", "X-Error-Code", "X-Error-Message"}
        assert set(exposed.split(", ")) == wanted


@pytest.mark.parametrize(("method", "path", "headers", "status"), ADDRESSES)
def test_all_answers_say_who_may_read_them(
    read: Mirror, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    for origin in (APP, OTHER):
        answer = ask(read, method, path, **headers, Origin=origin)
        assert answer.status == status
        check(answer, origin)
    for origin in ({}, {"Origin": "https://app.example.com.evil.example"}, {"Origin": "null"}):
        answer = ask(read, method, path, **headers, **origin)
        assert answer.status == status
        check(answer, None)


def test_so_do_refusals_of_too_many_and_a_store_that_is_away(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    limits = {"mirror_nginx_connections": 1, "mirror_nginx_rate": 0}
    with serving(store, tmp_path / "nginx", mirror_nginx_cors_origins=[APP], **limits) as mirror:
        mirror.source = "127.0.0.2"
        store.commit("org/name", ONE, {"large": bytes(10_000_000)})
        with mirror.connect(buffer=4096) as slow:
            slow.sendall(f"GET /org/name/resolve/{ONE}/large HTTP/1.1\r\nHost: mirror\r\n\r\n".encode())
            assert slow.recv(12).endswith(b"200")
            refused = ask(mirror, "GET", "/", Origin=APP)
            assert refused.status == 429
            check(refused, APP)
        store.sentinel.unlink()
        away = until(lambda: (answer := ask(mirror, "GET", "/", Origin=APP)).status == 503 and answer)
        check(away, APP)


def test_no_location_is_forgotten() -> None:
    """One with a header of its own inherits none of the server's."""
    settings = {"mirror_nginx_cors_origins": [APP], "mirror_nginx_tls": "files", "mirror_nginx_tls_client_ca": "x"}
    whole = render("hf-mirror.conf.j2", **SETTINGS, **settings)
    parts = re.split(r"^ {4}location ", whole, flags=re.MULTILINE)[1:]
    assert len(parts) > 30
    for part in parts:
        body = part.partition("\n    }")[0]
        if "add_header" in body and not part.startswith("@no-range"):
            wanted = (
                "Strict-Transport-Security",
                "Access-Control-Allow-Origin",
                "Access-Control-Expose-Headers",
                "Vary",
            )
            assert [name for name in wanted if f"add_header {name} " not in body] == [], part
    for server in whole.split("\nserver {")[1:]:
        assert "add_header Access-Control-Allow-Origin" in server.partition("location")[0]


@pytest.mark.parametrize("path", [address[1] for address in ADDRESSES[::4]])
def test_a_browser_that_asks_before_it_sends(read: Mirror, path: str) -> None:
    answer = ask(read, "OPTIONS", path, Origin=APP, Access_Control_Request_Headers="authorization,range")
    assert (answer.status, answer.body) == (204, b"")
    check(answer, APP)
    assert answer.header("Access-Control-Allow-Methods") == "GET, HEAD, POST"
    allowed = answer.header("Access-Control-Allow-Headers") or ""
    assert {"Authorization", "Range", "If-Range", "If-None-Match", "Content-Type"} <= set(allowed.split(", "))
    for origin in ({}, {"Origin": "https://evil.example"}):
        refused = ask(read, "OPTIONS", path, **origin)
        assert refused.status == 405
        check(refused, None)


def test_all_origins(tmp_path: Path) -> None:
    with serving(Store(tmp_path / "store"), tmp_path / "nginx", mirror_nginx_cors_origins=["*"]) as mirror:
        for method, status in (("GET", 200), ("OPTIONS", 204)):
            answer = ask(mirror, method, "/", Origin="https://anybody.example")
            assert answer.status == status
            check(answer, "*")
        check(ask(mirror, "GET", "/"), None)


def test_none_by_default(mirror: Mirror) -> None:
    answer = ask(mirror, "GET", "/", Origin=APP)
    assert [name for name in answer.headers if name.startswith(("Access-Control", "Vary"))] == []
    assert ask(mirror, "OPTIONS", "/", Origin=APP, Access_Control_Request_Method="GET").status == 405


# ---- A real browser

PAGE = """<!doctype html><script>
const mirror = MIRROR, token = {Authorization: "Bearer TOKEN"};
const names = ["ETag", "X-Repo-Commit", "X-Linked-Size", "Content-Range", "Content-Length", "X-Error-Code", "Link"];
async function ask(path, options) {
    try {
        const answer = await fetch(mirror + path, options);
        const headers = Object.fromEntries(names.map((name) => [name, answer.headers.get(name)]));
        return {status: answer.status, url: answer.url, headers, body: await answer.text()};
    } catch (error) {
        return {status: error.name};
    }
}
(async () => {
    const said = [
        await ask("/org/name/resolve/main/config.json"),
        await ask("/org/name/resolve/ONE/onnx/deep/weights.bin", {headers: {...token, Range: "bytes=0-1"}}),
        await ask("/org/name/resolve/main/config.json", {method: "HEAD", headers: token}),
        await ask("/org/name/resolve/main/absent"),
        await ask("/api/models?limit=1", {headers: token}),
        await ask("/api/models/org/name/paths-info/main", {
            method: "POST", headers: {...token, "Content-Type": "application/json"},
            body: JSON.stringify({paths: ["config.json"]}),
        }),
    ];
    await fetch("/said", {method: "POST", body: JSON.stringify(said)});
})();
</script>"""


class Page(BaseHTTPRequestHandler):
    """A page that asks the mirror, and tells what came of it."""

    page: bytes
    said: dict[str, Any]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.said[self.headers["Origin"]] = json.loads(body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None: ...


CHROMIUM = [
    *["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    *["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
]


def look(folder: Path, address: str, said: dict[str, Any]) -> list[dict[str, Any]]:
    """Open the page there in a browser of its own, and return what it told."""
    browser = subprocess.Popen(
        [*CHROMIUM, f"--user-data-dir={folder}", "--remote-debugging-port=0", address],
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        return list(until(lambda: browser.poll() is not None or said.get(address), 60) and said[address])
    finally:
        browser.terminate()
        browser.communicate()


@pytest.mark.skipif(not FULL or not shutil.which("chromium"), reason="wants a browser: make test-full on Debian")
def test_chromium(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    fill(store)
    page = type("OwnPage", (Page,), {"said": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), page) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        friend, stranger = (f"http://{name}:{server.server_port}" for name in ("127.0.0.1", "localhost"))
        settings = {"mirror_nginx_cors_origins": [friend], "mirror_nginx_users": SETTINGS["mirror_nginx_users"]}
        with serving(store, tmp_path / "nginx", **settings) as mirror:
            text = PAGE.replace("MIRROR", json.dumps(mirror.address)).replace("TOKEN", ALICE).replace("ONE", ONE)
            page.page = text.encode()
            plain, part, head, absent, listing, paths = look(tmp_path / "friend", friend, page.said)
            refused = look(tmp_path / "stranger", stranger, page.said)
        server.shutdown()
    assert (plain["status"], plain["body"]) == (200, CONFIG.decode())
    assert (plain["headers"]["ETag"], plain["headers"]["X-Repo-Commit"]) == (f'"{etag_of(CONFIG)}"', ONE)
    assert (part["status"], part["body"]) == (206, WEIGHTS[:2].decode())
    assert part["headers"]["Content-Range"] == f"bytes 0-1/{len(WEIGHTS)}"
    assert part["headers"]["X-Linked-Size"] == str(len(WEIGHTS))
    # it went on to the commit
    assert (head["status"], head["url"][-52:]) == (200, f"{ONE}/config.json")
    assert (absent["status"], absent["headers"]["X-Error-Code"]) == (404, "EntryNotFound")
    assert 'rel="next"' in listing["headers"]["Link"]
    assert json.loads(paths["body"])[0]["path"] == "config.json"
    assert {one["status"] for one in refused} == {"TypeError"}
