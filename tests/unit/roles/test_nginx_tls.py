# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS: versions, the plain port, certificates of clients as users of rules, an unmodified client."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import Http
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.peer import Peer, PeerError
from cryptography import x509
from mirror_server import Server, render
from unit.roles.authority import COMMON_NAME, DAY, NOW, ORGANIZATION, Authority
from unit.roles.nginx_server import Answer, Store, commit_of

ALICE, BOB = (hashlib.sha256(name.encode()).hexdigest() for name in ("alice", "bob"))
USERS = [{"name": "alice", "groups": ["staff"], "tokens": [ALICE]}, {"name": "bob", "tokens": [BOB]}]
ACCESS = [
    {"repos": ["open/*"]},
    {"repos": ["staff/*"], "certificates": ["staff"]},
    {"repos": ["anybody/*"], "certificates": ["all"]},
    {"repos": ["both/*"], "certificates": ["all"], "tokens": ["staff"], "satisfy": "all"},
    {"repos": ["either/*"], "certificates": ["staff"], "tokens": ["all"]},
]
REPOS = ["open/a", "staff/a", "anybody/a", "both/a", "either/a"]
COMMIT = commit_of("the only one")


@dataclass
class Mirror:
    """A running server with TLS and the CA that it and its clients have their certificates from."""

    server: Server
    authority: Authority

    def context(self, certificate: Path | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        if certificate:
            context.load_cert_chain(certificate)
        return context

    def ask(
        self, path: str, certificate: Path | None = None, method: str = "GET", token: str = "", **headers: str
    ) -> Answer:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        context = self.context(certificate)
        connection = http.client.HTTPSConnection("127.0.0.1", self.server.tls_port, timeout=10, context=context)
        return answer_of(connection, path, method, headers)

    def logged(self, agent: str) -> dict[str, Any]:
        """Return the line on the request with this user agent. nginx writes it after it has answered."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for line in map(json.loads, self.server.accesses()):
                if line["user_agent"] == agent:
                    return dict(line)
            time.sleep(0.02)  # between two looks at the log
        raise AssertionError(f"no line for {agent}")


def answer_of(connection: http.client.HTTPConnection, path: str, method: str, headers: dict[str, str]) -> Answer:
    with contextlib.closing(connection):
        connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


@contextlib.contextmanager
def serving(folder: Path, authority: Authority, **variables: Any) -> Iterator[Mirror]:
    """Serve a small store with TLS in ``folder``; nginx has nothing to complain about."""
    store = Store(folder / "store")
    for repo in REPOS:
        store.commit(repo, COMMIT, {"config.json": b"{}"})
        store.ref(repo, "main", COMMIT)
    own = folder / "tls"
    own.mkdir()
    certificate = authority.sign("server", (COMMON_NAME, "127.0.0.1"))
    for name in ("certificate.pem", "key.pem"):
        (own / name).write_bytes(certificate.read_bytes())
    paths = {"mirror_nginx_tls_certificate": str(certificate), "mirror_nginx_tls_key": str(certificate)}
    given = {"__mirror_nginx_tls_folder": str(own), "mirror_nginx_tls": "files", **paths, **variables}
    server = Server(store.root, folder / "nginx", **given)
    try:
        yield Mirror(server, authority)
    finally:
        server.stop()
    lines = (folder / "nginx/error.log").read_text().splitlines()
    # what OpenSSL leaves behind where a CA has the right name and the wrong key; nginx goes on
    usual = ("[notice]", "ignoring stale global SSL error")
    assert [line for line in lines if not any(text in line for text in usual)] == []


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder / "ca")
    authority.sign("revoked", (COMMON_NAME, "alice"))
    settings: dict[str, Any] = {
        "mirror_nginx_access": ACCESS,
        "mirror_nginx_users": USERS,
        "mirror_nginx_peers": ["127.0.0.1"],
        "mirror_nginx_tls_client_ca": str(authority.certificate),
        "mirror_nginx_tls_client_crl": str(authority.revoke(authority.folder / "revoked.pem")),
    }
    with serving(folder, authority, **settings) as running:
        yield running


def file_of(repo: str) -> str:
    return f"/{repo}/resolve/{COMMIT}/config.json"


# ---- The connection


@pytest.mark.parametrize(
    ("version", "cipher", "works"),
    [
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1_2, "ALL", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-SHA384", False),
        (ssl.TLSVersion.TLSv1_3, "ALL", True),
    ],
)
def test_versions_and_ciphers(mirror: Mirror, version: ssl.TLSVersion, cipher: str, works: bool) -> None:
    context = mirror.context()
    context.set_ciphers(cipher)
    # 1.1 is deprecated, which is what this test is about
    with (
        pytest.warns(DeprecationWarning, match="TLSv1_1")
        if version == ssl.TLSVersion.TLSv1_1
        else contextlib.nullcontext()
    ):
        context.minimum_version = context.maximum_version = version
    connection = http.client.HTTPSConnection("127.0.0.1", mirror.server.tls_port, timeout=10, context=context)
    if works:
        assert answer_of(connection, file_of("open/a"), "GET", {}).status == 200
    else:
        with pytest.raises(ssl.SSLError):
            answer_of(connection, file_of("open/a"), "GET", {})


@pytest.mark.parametrize("protocol", ["--http1.1", "--http2"])
def test_protocols(mirror: Mirror, protocol: str) -> None:
    url = f"https://127.0.0.1:{mirror.server.tls_port}/api/models?limit=1"
    curl = ["curl", "--silent", protocol, "--cacert", str(mirror.authority.certificate)]
    asked = subprocess.run(
        [*curl, "--oauth2-bearer", ALICE, "--write-out", "\n%{http_version} %header{link}", url],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    body, rest = asked.stdout.split("\n")
    assert [entry["id"] for entry in json.loads(body)] == ["either/a"]
    version, link = rest.split(" ", 1)
    assert version == protocol.removeprefix("--http")
    assert link == f'<{url}&cursor=either%2Fa>; rel="next"'


# ---- The plain port


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        file_of("open/a"),
        file_of("staff/a"),
        "/staff/none/resolve/main/x%20y?download=true",
        "/api/models/open/a",
        "/api/whoami-v2",
        "/models/",
        "/_peer/catalogue.json",
        "/_hub/file",
    ],
)
def test_the_plain_port_only_says_where_to_go(mirror: Mirror, method: str, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", mirror.server.port, timeout=10)
    agent = uuid.uuid4().hex
    answer = answer_of(connection, path, method, {"Authorization": f"Bearer {ALICE}", "User-Agent": agent})
    assert (answer.status, answer.header("Location")) == (301, f"https://127.0.0.1:{mirror.server.tls_port}{path}")
    assert set(answer.headers) == {"Server", "Date", "Content-Type", "Content-Length", "Connection", "Location"}
    assert answer.header("Server") == "nginx"
    assert mirror.logged(agent)["status"] == 301


def test_a_peer_is_told_where_to_go(mirror: Mirror) -> None:
    peer = Peer(mirror.server.url, Http(Clock()))
    with pytest.raises(PeerError, match=f"set https://127.0.0.1:{mirror.server.tls_port} as the peer"):
        peer.catalogue()


def test_the_usual_port_is_not_named() -> None:
    assert "return 301 https://$host$request_uri;" in render("hf-mirror.conf.j2", mirror_nginx_tls="files")


# ---- Strict-Transport-Security


@pytest.mark.parametrize(("tls", "header"), [("files", "max-age=63072000"), ("own_ca", None)])
def test_only_a_certificate_that_everybody_can_check_is_for_ever(tmp_path: Path, tls: str, header: str | None) -> None:
    settings = {"mirror_nginx_tls": tls, "mirror_nginx_users": USERS, "mirror_nginx_peers": ["127.0.0.1"]}
    with serving(tmp_path, Authority(tmp_path / "ca"), **settings) as mirror:
        paths = {
            file_of("open/a"): 200,
            "/open/a/resolve/main/config.json": 200,
            "/open/none/resolve/main/config.json": 401,
            f"/open/a/resolve/{COMMIT}/none": 404,
            "/api/models": 200,
            "/api/models/open/a": 200,
            "/api/models/open/a/refs": 200,
            "/api/models/open/a/tree/main": 200,
            "/api/whoami-v2": 401,
            "/api/agent-harnesses": 200,
            "/models/": 200,
            "/models/none/x": 404,
            "/_peer/catalogue.json": 404,
            "/": 200,
            "/nothing": 404,
        }
        for path, status in paths.items():
            answer = mirror.ask(path)
            assert (answer.status, answer.header("Strict-Transport-Security")) == (status, header), path
        assert (
            mirror.ask("/open/a/resolve/main/config.json", method="HEAD").header("Strict-Transport-Security") == header
        )
        assert mirror.ask("/", method="POST").header("Strict-Transport-Security") == header
        mirror.server.store.joinpath("store.json").unlink()
        assert mirror.ask("/").header("Strict-Transport-Security") == header


# ---- Certificates of clients


@pytest.mark.parametrize(
    ("repo", "certificate", "token", "status"),
    [
        ("open/a", "", "", 200),
        ("open/a", "alice", "", 200),
        ("staff/a", "", "", 401),
        ("staff/a", "alice", "", 200),
        ("staff/a", "bob", "", 404),
        ("staff/a", "stranger", "", 401),
        ("staff/a", "", ALICE, 404),
        ("anybody/a", "bob", "", 200),
        ("anybody/a", "stranger", "", 401),
        ("both/a", "bob", "", 404),
        ("both/a", "", ALICE, 404),
        ("both/a", "bob", ALICE, 200),
        ("both/a", "alice", BOB, 404),
        ("both/a", "stranger", ALICE, 404),
        ("either/a", "alice", "", 200),
        ("either/a", "bob", "", 404),
        ("either/a", "", BOB, 200),
    ],
)
def test_a_certificate_is_a_user(mirror: Mirror, repo: str, certificate: str, token: str, status: int) -> None:
    path = mirror.authority.sign(certificate, (COMMON_NAME, certificate)) if certificate else None
    for method in ("GET", "HEAD"):
        answer = mirror.ask(file_of(repo), path, method, token)
        assert answer.status == status
        assert answer.header("WWW-Authenticate") == ('Basic realm="hf-mirror"' if status == 401 else None)
    listed = [entry["id"] for entry in mirror.ask("/api/models", path, token=token).json]
    assert (repo in listed) == (status == 200)


@pytest.mark.parametrize(
    ("subject", "user"),
    [
        ([(COMMON_NAME, "alice")], "alice"),
        ([(ORGANIZATION, "Example"), (COMMON_NAME, "alice")], "alice"),
        ([(COMMON_NAME, "alice"), (ORGANIZATION, "Example, Inc.")], "alice"),
        ([(ORGANIZATION, "x,CN=alice"), (COMMON_NAME, "bob")], "bob"),
        ([(COMMON_NAME, "bob"), (ORGANIZATION, "x,CN=alice")], "bob"),
        ([(ORGANIZATION, "x,CN=alice")], ""),
        ([(ORGANIZATION, "x\\,CN=alice")], ""),
        ([(COMMON_NAME, "alice,x")], ""),
        ([(COMMON_NAME, "x,CN=alice")], ""),
        ([(COMMON_NAME, "x, alice"), (COMMON_NAME, "bob")], "bob"),
        ([(COMMON_NAME, "alice"), (COMMON_NAME, "some body")], ""),
        ([(COMMON_NAME, "Alice")], ""),
        ([(COMMON_NAME, "alice ")], ""),
        ([(COMMON_NAME, "alice.example.com")], ""),
    ],
    ids=str,
)
def test_whose_a_certificate_is(mirror: Mirror, subject: list[tuple[x509.ObjectIdentifier, str]], user: str) -> None:
    agent = uuid.uuid4().hex
    mirror.ask(file_of("open/a"), mirror.authority.sign("subject", *subject), User_Agent=agent)
    line = mirror.logged(agent)
    assert (line["user"], line["auth"], line["status"]) == (user, "certificate" if user else "", 200)


def test_the_log_names_the_user_of_the_token_where_there_are_both(mirror: Mirror) -> None:
    agent = uuid.uuid4().hex
    mirror.ask(file_of("both/a"), mirror.authority.sign("bob", (COMMON_NAME, "bob")), token=ALICE, User_Agent=agent)
    line = mirror.logged(agent)
    assert (line["user"], line["auth"], line["status"]) == ("alice", "token", 200)


@pytest.mark.parametrize("why", ["foreign", "old", "revoked"])
@pytest.mark.parametrize("path", [file_of("open/a"), file_of("staff/a"), file_of("open/none"), "/api/models", "/"])
def test_a_certificate_that_does_not_count(mirror: Mirror, tmp_path: Path, why: str, path: str) -> None:
    alice = (COMMON_NAME, "alice")
    certificate = {
        # of a CA that calls itself the same
        "foreign": lambda: Authority(tmp_path / "foreign").sign("alice", alice),
        "old": lambda: mirror.authority.sign("old", alice, until=NOW - DAY),
        "revoked": lambda: mirror.authority.folder / "revoked.pem",
    }[why]()
    agent = uuid.uuid4().hex
    answer = mirror.ask(path, certificate, token=ALICE, User_Agent=agent)
    assert answer.status == 400
    assert answer.json == {"error": "This mirror does not accept your client certificate"}
    names = {"Server", "Date", "Content-Type", "Content-Length", "Connection", "Cache-Control"}
    assert set(answer.headers) == {*names, "Strict-Transport-Security"}
    line = mirror.logged(agent)
    assert (line["status"], line["auth"]) == (400, "token")
    assert mirror.ask(path, certificate, "HEAD").body == b""


def test_without_a_ca_for_clients_no_certificate_is_asked_for(tmp_path: Path) -> None:
    settings = {"mirror_nginx_users": USERS, "mirror_nginx_access": ACCESS}
    with serving(tmp_path, Authority(tmp_path / "ca"), **settings) as mirror:
        certificate = mirror.authority.sign("alice", (COMMON_NAME, "alice"))
        assert mirror.ask(file_of("open/a"), certificate).status == 200
        assert mirror.ask(file_of("staff/a"), certificate).status == 401


# ---- An unmodified client


ASKS = """
from huggingface_hub import HfApi
print(HfApi().model_info("either/a").sha)
"""
DOWNLOADS = """
from huggingface_hub import hf_hub_download, snapshot_download
print(open(hf_hub_download("either/a", "config.json")).read())
snapshot_download("either/a")
"""


def run_client(mirror: Mirror, program: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environment |= {"PATH": os.environ["PATH"], "HOME": str(home)}
    environment["HF_ENDPOINT"] = f"https://bob:{BOB}@127.0.0.1:{mirror.server.tls_port}"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=120)


def test_an_unmodified_client(mirror: Mirror, tmp_path: Path) -> None:
    done = run_client(mirror, ASKS + DOWNLOADS, tmp_path, SSL_CERT_FILE=str(mirror.authority.certificate))
    assert done.stdout.split() == [COMMIT, "{}"], done.stderr
    asked = [line for line in map(json.loads, mirror.server.accesses()) if "hf_hub/" in line["user_agent"]]
    assert {(line["user"], line["auth"]) for line in asked if "/either/a" in line["uri"]} == {("bob", "token")}


def test_an_unmodified_client_that_does_not_know_the_ca(mirror: Mirror, tmp_path: Path) -> None:
    done = run_client(mirror, ASKS, tmp_path)
    assert done.returncode != 0
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
