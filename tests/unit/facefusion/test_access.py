# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror that does not let everybody in: tokens, passwords, certificates."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mirror_server import Server
from unit.facefusion.models import SWAPPER, Models
from unit.roles.authority import COMMON_NAME, Authority

Run = Callable[..., dict[str, Any]]

TOKEN = "a-token-that-nobody-guesses"
USERS = [{"name": "gpu", "groups": ["gpus"], "tokens": [TOKEN]}]


@pytest.fixture
def closed(store: Path, tmp_path: Path) -> Iterator[Server]:
    """Serve to users with a token."""
    access = [{"repos": ["facefusion/*"], "tokens": ["gpus"]}]
    server = Server(store, tmp_path / "closed", mirror_nginx_access=access, mirror_nginx_users=USERS)
    yield server
    server.kill()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@contextlib.contextmanager
def tls_server(store: Path, folder: Path, authority: Authority, **variables: Any) -> Iterator[Server]:
    """Serve over TLS, with a certificate of the authority."""
    own = folder / "tls"
    own.mkdir()
    certificate = authority.sign("server", (COMMON_NAME, "127.0.0.1"))
    for name in ("certificate.pem", "key.pem"):
        (own / name).write_bytes(certificate.read_bytes())
    variables["mirror_nginx_tls_certificate"] = variables["mirror_nginx_tls_key"] = str(certificate)
    server = Server(
        store, folder / "nginx-tls", mirror_nginx_tls="files", __mirror_nginx_tls_folder=str(own), **variables
    )
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def with_tls(store: Path, tmp_path: Path, authority: Authority) -> Iterator[str]:
    """Serve users with a certificate only."""
    access = [{"repos": ["facefusion/*"], "certificates": ["all"]}]
    users = {"mirror_nginx_tls_client_ca": str(authority.certificate), "mirror_nginx_users": USERS}
    with tls_server(store, tmp_path, authority, mirror_nginx_access=access, **users) as server:
        yield f"https://127.0.0.1:{server.tls_port}"


@pytest.mark.parametrize(
    "credentials", [{"token": TOKEN}, {"username": "gpu", "password": TOKEN}], ids=["token", "password"]
)
def test_who_may(run: Run, closed: Server, folder: Path, models: Models, credentials: dict[str, str]) -> None:
    answer = run(SWAPPER, endpoint=closed.url, **credentials)
    assert answer["changed"] and TOKEN not in json.dumps(answer)
    models.check(folder, SWAPPER)
    assert TOKEN not in "".join(path.read_text() for path in folder.glob(".hf-mirror*"))


@pytest.mark.parametrize(
    ("credentials", "do"),
    [
        ({}, "set a token, a user and password, or a client_cert"),
        ({"token": "wrong-and-secret"}, "check the token"),
        ({"username": "gpu", "password": "wrong-and-secret"}, "check the password"),
    ],
    ids=["nobody", "token", "password"],
)
def test_who_may_not(run: Run, closed: Server, folder: Path, hub: Any, credentials: dict[str, str], do: str) -> None:
    answer = run(SWAPPER, endpoint=closed.url, fallback_endpoint=hub.url, **credentials)
    assert answer["failed"] and f"{closed.url}: {do}" in answer["msg"], answer["msg"]
    assert f"refuses {SWAPPER['repo_id']}@main (401)" in answer["failures"]["facefusion/models-3.0.0/inswapper_128"]
    assert "wrong-and-secret" not in json.dumps(answer)
    assert not list(folder.glob("[!.]*")), "a refusal is no reason to go elsewhere"


def test_a_certificate_opens(run: Run, with_tls: str, authority: Authority, folder: Path, models: Models) -> None:
    certificate = authority.sign("gpu", (COMMON_NAME, "gpu"))
    answer = run(SWAPPER, endpoint=with_tls, ca_path=str(authority.certificate), client_cert=str(certificate))
    assert answer["changed"], answer
    models.check(folder, SWAPPER)
    (folder / "inswapper_128.hash").unlink()
    both = {"client_cert": str(certificate), "client_key": str(certificate)}
    assert run(SWAPPER, endpoint=with_tls, ca_path=str(authority.certificate), **both)["changed"]


def test_without_or_with_another_ca_s_certificate(
    run: Run, with_tls: str, authority: Authority, tmp_path: Path
) -> None:
    answer = run(SWAPPER, endpoint=with_tls, ca_path=str(authority.certificate))
    assert answer["failed"] and "client_cert" in answer["msg"]
    stranger = Authority(tmp_path / "strangers", "another CA").sign("gpu", (COMMON_NAME, "gpu"))
    answer = run(SWAPPER, endpoint=with_tls, ca_path=str(authority.certificate), client_cert=str(stranger))
    assert answer["failed"] and "check the client_cert" in answer["msg"]


def test_a_ca_that_nobody_knows(run: Run, with_tls: str, hub: Any, folder: Path) -> None:
    answer = run(SWAPPER, endpoint=with_tls, fallback_endpoint=hub.url)
    assert answer["failed"] and "set ca_path to the CA that signed its certificate" in answer["msg"]


def test_files_that_are_not_there_or_are_no_certificates(run: Run, tmp_path: Path) -> None:
    answer = run(SWAPPER, endpoint="https://mirror.example.org", ca_path=str(tmp_path / "absent.pem"))
    assert answer["failed"] and f"ca_path {tmp_path}/absent.pem can't be used" in answer["msg"]
    (tmp_path / "odd.pem").write_text("odd")
    answer = run(SWAPPER, endpoint="https://mirror.example.org", client_cert=str(tmp_path / "odd.pem"))
    assert answer["failed"] and f"client_cert {tmp_path}/odd.pem can't be used" in answer["msg"]


def test_the_plain_port_of_a_mirror_with_tls_says_where_to_go(
    run: Run, store: Path, tmp_path: Path, authority: Authority
) -> None:
    with tls_server(store, tmp_path, authority) as server:
        answer = run(SWAPPER, endpoint=server.url, token=TOKEN)
    assert answer["failed"] and f"set https://127.0.0.1:{server.tls_port} as the endpoint" in answer["msg"]


@pytest.mark.parametrize(
    "options",
    [{"username": "gpu"}, {"client_key": "/etc/key.pem"}, {"token": "a", "username": "gpu", "password": "b"}],
    ids=["no password", "no certificate", "two ways"],
)
def test_options_that_do_not_go_together(run: Run, options: dict[str, str]) -> None:
    assert run(SWAPPER, endpoint="https://mirror.example.org", **options)["failed"]


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN} and more", "a-tökën"])
def test_a_token_that_is_none_is_shown_nowhere(start: Callable[..., Any], token: str) -> None:
    module = start(SWAPPER, endpoint="https://mirror.example.org", token=token)
    out, err = module.communicate(timeout=60)
    assert "the token must be visible ASCII characters" in json.loads(out)["msg"]
    assert token.strip() not in out + (err or "")
