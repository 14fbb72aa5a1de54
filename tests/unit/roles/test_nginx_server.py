# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every address: methods, the sentinel, the log, views, an unmodified client."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mirror_server import render
from unit.roles.nginx_server import Mirror, Store, etag_of, serving
from unit.roles.nginx_store import (
    CONFIG,
    ODD,
    ODD_NAMES,
    ONE,
    PLAIN,
    TWO,
    WEIGHTS,
    fill,
)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing/",
        "/org/name/resolve/main/config.json",
        "/org/name/resolve/main/onnx/",
        f"/org/name/resolve/{ONE}/config.json",
        f"/org/name/resolve/{ONE}/absent",
        "/org/nothing/resolve/main/config.json",
        "/api/models/org/name",
        "/api/models/org/name/refs",
        "/api/models/org/name/tree/paths-info/main",
        "/api/models/org/name/tree/nothing",
        "/api/agent-harnesses",
        "/models/",
        "/models/facefusion/",
        "/models/facefusion/inswapper.onnx",
        "/models/nothing/inswapper.onnx",
    ],
)
def test_nothing_but_get_and_head(mirror: Mirror, method: str, path: str) -> None:
    answer = mirror.ask(path, method)
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")
    assert answer.body == b"This mirror answers GET and HEAD only.\n"
    assert answer.header("X-Repo-Commit") is None


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/org/name/resolve/main/config.json",
        f"/org/name/resolve/{ONE}/config.json",
        "/org/nothing/resolve/main/config.json",
        "/api/models/org/name",
        "/api/models/org/nothing/tree/main",
        "/api/models/org/name/refs",
        "/models/",
        "/models/facefusion/inswapper.onnx",
        "/anything",
    ],
)
def test_no_sentinel_is_not_not_found(own_mirror: Mirror, method: str, path: str) -> None:
    own_mirror.store.sentinel.unlink()
    answer = own_mirror.ask(path, method)
    assert answer.status == 503
    assert answer.header("X-Error-Message") == "The store of this mirror is not mounted"
    assert answer.header("X-Error-Code") is None
    assert (answer.body == b"") == ("/resolve/" in path or method == "HEAD")
    own_mirror.store.sentinel.write_text("{}")
    assert own_mirror.ask(path, method).status != 503


def test_the_access_log(mirror: Mirror) -> None:
    path = "/org/odd/resolve/main/with%20space.txt"
    agent = 'a "quoted" \\ agent'
    line = mirror.logged(path, Range="bytes=0-3", User_Agent=agent, Authorization="Bearer hf_secret")
    assert line.pop("time")[:2] == "20"
    assert line.pop("duration") >= 0
    assert line == {
        "node": socket.gethostname(),
        "client": "127.0.0.1",
        "user": "",
        "auth": "",
        "method": "GET",
        "uri": path,
        "repo_type": "model",
        "repo_id": "org/odd",
        "ref": "main",
        "commit": ODD,
        "path": "with space.txt",
        "view": "",
        "status": 206,
        "bytes": 4,
        "error": "",
        "range": "bytes=0-3",
        "user_agent": 'a "quoted" \\ agent',
    }
    assert "hf_secret" not in (mirror.folder / "access.log").read_text()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (f"/datasets/org/name/resolve/{TWO}/data.csv", ("dataset", "org/name", "", TWO, "data.csv", "", "")),
        ("/gpt2/resolve/main/absent", ("model", "gpt2", "main", PLAIN, "absent", "", "EntryNotFound")),
        (f"/gpt2/resolve/{PLAIN}/absent", ("model", "gpt2", "", PLAIN, "absent", "", "EntryNotFound")),
        ("/gpt2/resolve/v9/config.json", ("model", "gpt2", "v9", "", "config.json", "", "RevisionNotFound")),
        ("/api/models/no/such", ("model", "no/such", "main", "", "", "", "RepoNotFound")),
        ("/api/models/gpt2/tree/main", ("model", "gpt2", "main", PLAIN, "", "", "")),
        ("/models/facefusion/inswapper.onnx", ("", "", "", "", "inswapper.onnx", "facefusion", "")),
        ("/models/", ("", "", "", "", "", "", "")),
        ("/whatever", ("", "", "", "", "", "", "")),
    ],
)
def test_the_log_tells_what_was_asked_for(mirror: Mirror, path: str, told: tuple[str, ...]) -> None:
    line = mirror.logged(path)
    assert tuple(line[key] for key in ("repo_type", "repo_id", "ref", "commit", "path", "view", "error")) == told


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/org/name/resolve/main/" + "x" * 2048, ("main", "x" * 2048)),
        ("/org/name/resolve/main/" + "x" * 2049, ("main", "/")),
        ("/org/name/resolve/main/" + "%01" * 1000, ("main", "/")),
        ("/org/name/resolve/main/%0Ax", ("main", "/")),
        (f"/org/name/resolve/{'r' * 201}/x", ("-", "x")),
        ("/api/models/org/name/revision/%01" + "%22" * 1000, ("-", "")),
        ("/models/facefusion/" + "%22" * 2049, ("", "/")),
    ],
)
def test_a_line_of_the_log_is_short(mirror: Mirror, path: str, named: tuple[str, str]) -> None:
    """However long the request is; and what is cut is no name of anything."""
    line = mirror.logged(path, Range='"' * 4000, User_Agent='"' * 300 + "\t" * 7000)
    assert (line["ref"], line["path"]) == named
    assert (line["uri"], line["range"], line["user_agent"]) == (path[:2000], '"' * 100, '"' * 300)
    assert len(json.dumps(line)) < 8192
    assert mirror.logged("/", "M" * 2000)["method"] == "M" * 20


def test_a_file_that_nginx_may_not_read_is_not_missing(tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("nothing is unreadable for root")
    store = Store(tmp_path / "store")
    fill(store)
    (store.folder("org/name") / "blobs").chmod(0)
    with serving(store, tmp_path / "nginx") as mirror:
        assert mirror.ask(f"/org/name/resolve/{ONE}/config.json").status == 403
        assert mirror.ask("/org/name/resolve/main/config.json", "HEAD").status == 403
        (store.root / "hub").chmod(0)
        assert mirror.ask("/org/name/resolve/main/config.json").status == 403
        (store.root / "hub").chmod(0o700)
    (store.folder("org/name") / "blobs").chmod(0o700)


# ---- Views


def test_views(own_mirror: Mirror) -> None:
    digest = own_mirror.store.view("facefusion", {"inswapper.onnx": WEIGHTS, "with space.txt": b"text\n"})
    path = "/models/facefusion/inswapper.onnx"

    answer = own_mirror.ask(path)
    assert (answer.status, answer.body, answer.header("ETag")) == (200, WEIGHTS, f'"{digest}"')
    assert own_mirror.ask(path, "HEAD").header("Content-Length") == str(len(WEIGHTS))
    assert own_mirror.ask(path, Range="bytes=10-19").body == WEIGHTS[10:20]
    assert own_mirror.ask("/models/facefusion/with%20space.txt").body == b"text\n"
    assert own_mirror.ask("/models/facefusion/absent.onnx").status == 404
    assert own_mirror.ask("/models/nothing/inswapper.onnx").status == 404
    assert own_mirror.ask(f"/models/.facefusion.{digest}/inswapper.onnx").status == 404

    own_mirror.store.view("facefusion", {"inswapper.onnx": WEIGHTS[::-1]})
    assert own_mirror.ask(path).body == WEIGHTS[::-1]
    assert own_mirror.ask(path, Range="bytes=10-", If_Range=f'"{digest}"').body == WEIGHTS[::-1]


def test_lists_of_views(mirror: Mirror) -> None:
    assert mirror.ask("/models").header("Location") == "/models/"
    views = mirror.ask("/models/")
    assert views.header("Content-Type") == "text/html"
    assert b'href="facefusion/"' in views.body
    assert b'href=".' not in views.body.replace(b'href="../"', b"")
    assert mirror.ask("/models/facefusion").header("Location") == "/models/facefusion/"
    assert b'href="with%20space.txt"' in mirror.ask("/models/facefusion/").body


# ---- The file itself


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, ["listen 80 default_server;", "server_name _;"]),
        ({"__mirror_nginx_ipv6": True}, ["listen 80 default_server;", "listen [::]:80 default_server;"]),
        (
            {"__mirror_nginx_ipv6": True, "mirror_nginx_port": 8080, "mirror_nginx_server_name": "hub.example"},
            ["listen 8080;", "listen [::]:8080;", "server_name hub.example;"],
        ),
    ],
)
def test_the_addresses(settings: dict[str, object], wanted: list[str]) -> None:
    lines = [line.strip() for line in render("hf-mirror.conf.j2", **settings).splitlines()]
    assert [line for line in wanted if line not in lines] == []
    assert [line for line in lines if line.startswith("listen [::]")] == [line for line in wanted if "[::]" in line]


# ---- An unmodified client


@pytest.fixture
def client_environment(own_mirror: Mirror, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "HF_HOME": str(tmp_path / "hf"),
        "HF_ENDPOINT": own_mirror.address,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }


CLIENT = """
import json, pathlib
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

def name(call):
    try:
        call()
    except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        return type(error).__name__

api = HfApi()
odd = pathlib.Path(snapshot_download("org/odd"))
print(json.dumps({
    "config": pathlib.Path(hf_hub_download("org/name", "config.json")).resolve().name,
    "weights": pathlib.Path(hf_hub_download("org/name", "onnx/deep/weights.bin", revision="v1.0")).resolve().name,
    "empty": pathlib.Path(hf_hub_download("org/name", "empty")).read_text(),
    "pr": pathlib.Path(hf_hub_download("org/name", "config.json", revision="refs/pr/1")).read_text(),
    "odd": {str(p.relative_to(odd)): p.read_text() for p in odd.rglob("*") if p.is_file()},
    "commit": odd.name,
    "data": pathlib.Path(hf_hub_download("org/name", "data.csv", repo_type="dataset")).read_text(),
    "files": sorted(api.list_repo_files("org/name")),
    "sizes": [s.size for s in api.model_info("org/name", files_metadata=True).siblings],
    "branches": [b.target_commit for b in api.list_repo_refs("org/name").branches],
    "errors": [
        name(lambda: hf_hub_download("org/nothing", "config.json")),
        name(lambda: hf_hub_download("org/name", "config.json", revision="nothing")),
        name(lambda: hf_hub_download("org/name", "nothing")),
        name(lambda: api.model_info("org/nothing")),
        name(lambda: api.model_info("org/name", revision="nothing")),
    ],
}))
"""


def test_huggingface_hub(own_mirror: Mirror, client_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT],
        env=client_environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {
        "config": etag_of(CONFIG),
        "weights": etag_of(WEIGHTS),
        "empty": "",
        "pr": "from the pull request\n",
        "odd": {name: f"content of {name}\n" for name in ODD_NAMES},
        "commit": ODD,
        "data": "datasets",
        "files": ["config.json", "empty", "onnx/deep/weights.bin"],
        "sizes": [len(CONFIG), 0, len(WEIGHTS)],
        "branches": [ONE],
        "errors": [
            "RepositoryNotFoundError",
            "RevisionNotFoundError",
            "RemoteEntryNotFoundError",
            "RepositoryNotFoundError",
            "RevisionNotFoundError",
        ],
    }
    statuses = {line["status"] for line in own_mirror.log()}
    assert statuses <= {200, 206, 307, 404}
    cached = list(Path(client_environment["HF_HOME"]).rglob(".no_exist"))
    assert cached == [], "an absent file must not be remembered"
