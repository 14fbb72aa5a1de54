# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside the files of others: what nginx takes once is theirs, whichever of the files it reads first."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import mirror_server
import pytest
from ports import free_ports
from unit.roles.nginx_server import Store, serving
from unit.roles.nginx_store import CONFIG, ONE, fill

NAME = "hub.example.com"
LONG = "a-name_that-is_longer-than-nginx-expects-of-a-key-" + "x" * 60
TOKENS = [hashlib.sha256(name.encode()).hexdigest() for name in ("alice", "long")]
ORIGIN = f"https://{LONG.replace('_', '-')[:60]}.example.com"
SETTINGS: dict[str, Any] = {
    "mirror_nginx_server_name": NAME,
    "mirror_nginx_users": [{"name": "alice", "tokens": TOKENS[:1]}, {"name": LONG, "tokens": TOKENS[1:]}],
    "mirror_nginx_access": [
        {"repos": ["org/*"], "tokens": ["all"], "networks": ["192.0.2.0/24"]},
        {"repos": ["gpt2"]},
    ],
    "mirror_nginx_peers": ["127.0.0.1"],
    "mirror_nginx_fallback_repos": ["spare/*"],
    "mirror_nginx_cors_origins": [ORIGIN],
}
WEBSOCKET = 'map $http_upgrade $connection_upgrade { default upgrade; "" close; }\n'
SIZES = """\
server_names_hash_bucket_size 128;
server_names_hash_max_size 1024;
variables_hash_max_size 2048;
variables_hash_bucket_size 128;
limit_conn_zone $binary_remote_addr zone=connections:1m;
limit_req_zone $binary_remote_addr zone=requests:1m rate=100r/s;
"""
COMMON = """\
log_format combined_with_time '$remote_addr "$request" $request_time';
gzip_types application/json application/octet-stream;
gzip_vary on;
gzip_proxied any;
ssl_protocols TLSv1.3;
ssl_session_cache shared:SSL:1m;
proxy_cache_path {folder}/cache keys_zone=cache:1m;
geo $is_internal {{ default 0; 10.0.0.0/8 1; }}
upstream backend {{ server 127.0.0.1:1; }}
"""
SITE = """\
server {{
    listen {port} default_server;
    listen {other} default_server;
    location / {{ return 200 theirs; }}
}}
"""


# For nginx the first map settles the size of all: it may be said before that one only, in whatever file.
@pytest.mark.parametrize(
    ("place", "map_sizes"),
    [
        ("00-{}.conf", ""),
        ("00-{}.conf", "map_hash_bucket_size 64;\n"),
        ("00-{}.conf", "map_hash_bucket_size 256;\nmap_hash_max_size 4096;\n"),
        ("zz-{}.conf", ""),
    ],
    ids=["before", "before-64", "before-256", "after"],
)
def test_what_others_write(tmp_path: Path, place: str, map_sizes: str) -> None:
    port, other = free_ports(2)
    files = {
        "map": map_sizes + WEBSOCKET,
        "sizes": SIZES,
        "common": COMMON.format(folder=tmp_path),
        "site": SITE.format(port=port, other=other),
    }
    beside = {place.format(name): text for name, text in files.items()}
    store = Store(tmp_path / "store")
    fill(store)
    path = f"/org/name/resolve/{ONE}/config.json"
    with serving(store, tmp_path / "nginx", beside=beside, mirror_nginx_port=port, **SETTINGS) as mirror:
        assert mirror.ask("/").body == b"theirs"
        assert mirror.ask(path, Host=NAME).status == 401
        for token in TOKENS:
            answer = mirror.ask(path, Host=NAME, Authorization=f"Bearer {token}", Origin=ORIGIN, Accept_Encoding="gzip")
            assert (answer.status, answer.body) == (200, CONFIG)
            assert answer.header("Access-Control-Allow-Origin") == ORIGIN
        assert mirror.ask("/gpt2/resolve/main/config.json", Host=NAME, Origin=f"{ORIGIN}x").status == 200
        assert {line["user"] for line in mirror.log()} == {"", "alice", LONG}
        assert [line for line in mirror.errors() if "[notice]" not in line] == []


def test_more_rules_and_tokens_than_usual(tmp_path: Path) -> None:
    """It may warn that its tables are not the fastest possible, and takes them."""
    users = [{"name": f"user{n}", "tokens": [hashlib.sha256(b"%d" % n).hexdigest()]} for n in range(500)]
    rules = [{"repos": [f"org{n}/*"], "networks": ["127.0.0.1"], "tokens": ["all"]} for n in range(50)]
    store = Store(tmp_path / "store")
    fill(store)
    settings: dict[str, Any] = {"mirror_nginx_users": users, "mirror_nginx_access": [*rules, {"repos": ["org/name"]}]}
    with serving(store, tmp_path / "nginx", **settings) as mirror:
        assert mirror.ask(f"/org/name/resolve/{ONE}/config.json").body == CONFIG
        for user in users:
            answer = mirror.ask("/api/whoami-v2", Authorization=f"Bearer {user['tokens'][0]}")
            assert answer.json["name"] == user["name"]


# Each of these gives a name of its own.
OURS = re.compile(
    r"(map|geo) [^{]*\$hub_\w+ \{|js_set \$hub_|js_import hf_mirror |log_format hf_mirror |server \{"
    r"|limit_(conn|req)_zone \S+ zone=hf_mirror_"
)


def test_all_that_stands_outside_a_server_has_a_name_of_ours() -> None:
    folder = Path("/nowhere")
    rendered = mirror_server.render(
        "hf-mirror.conf.j2",
        mirror_nginx_store=str(folder),
        mirror_nginx_access_log=str(folder / "log"),
        mirror_nginx_tls="files",
        mirror_nginx_tls_certificate=str(folder / "tls"),
        mirror_nginx_tls_key=str(folder / "tls"),
        mirror_nginx_tls_client_ca=str(folder / "ca"),
        **SETTINGS,
    )
    depth, outside = 0, []
    for line in rendered.splitlines():
        bare = re.sub(r"\"(\\.|[^\"\\])*\"|'[^']*'|#.*", "", line)
        if depth == 0 and line and line[0].isalpha():
            outside.append(line)
        depth += bare.count("{") - bare.count("}")
    assert depth == 0 and len(outside) > 40
    assert [line for line in outside if not OURS.match(line)] == []
