# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup ``model`` in a playbook, against a real mirror that asks for a token."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_process
import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings
from mirror_server import Server

from hub.process import HubProcess

TOP = Path(__file__).parents[3]
TINY = "stand-in/tiny-model"
TOKEN = hashlib.sha256(b"alice").hexdigest()
INTERPRETER = {"ansible_python_interpreter": sys.executable}
ASKS = {
    "mirror_nginx_users": [{"name": "alice", "tokens": [TOKEN]}],
    "mirror_nginx_access": [{"repos": ["*"], "tokens": ["all"]}],
}


@pytest.fixture
def server(tmp_path: Path, hub: HubProcess) -> Iterator[Server]:
    tmp_path.chmod(0o755)
    (tmp_path / "store").mkdir(mode=0o755)
    assert not Engine(Settings(tmp_path / "store", endpoint=hub.url)).run(parse([{"repo_id": TINY}])).problems
    server = Server(tmp_path / "store", tmp_path / "nginx", **ASKS)
    yield server
    server.kill()


def play(folder: Path, repo_id: str, **options: Any) -> ansible_process.Played:
    """Write what the lookup returns into a file."""
    given = ", ".join(f"{name}={value!r}" for name, value in options.items())
    content = f"{{{{ lookup('modelops.hf_mirror.model', {repo_id!r}, {given}) | to_json }}}}"
    task = {"ansible.builtin.copy": {"content": content, "dest": str(folder / "found.json"), "mode": "0600"}}
    (folder / "play.yml").write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": INTERPRETER, "tasks": [task]}])
    )
    return ansible_process.play(["-i", "localhost,", "-c", "local", folder / "play.yml"])


def test_the_version_that_a_ref_names(server: Server, tmp_path: Path) -> None:
    done = play(tmp_path, TINY, endpoint=f"{server.url}/", token=TOKEN)
    assert done.code == 0, done.said
    found = json.loads((tmp_path / "found.json").read_text())
    ref = tmp_path / "store/hub/models--stand-in--tiny-model/refs/main"
    assert found["commit"] == ref.read_text() and len(found["files"]) == 5
    config = found["files"]["config.json"]
    content = (ref.parents[1] / "snapshots" / found["commit"] / "config.json").read_bytes()
    assert config["sha256"] == hashlib.sha256(content).hexdigest() and config["size"] == len(content)
    assert config["url"] == f"{server.url}/{TINY}/resolve/{found['commit']}/config.json"


@pytest.mark.parametrize(
    ("repo_id", "options", "words"),
    [
        ("no/such", {"token": TOKEN}, "no/such@main: "),
        (TINY, {"token": TOKEN, "ref": "nothing"}, "answers 404: This mirror does not have this revision"),
        (TINY, {}, "answers 401: "),
        (TINY, {"endpoint": "ftp://x"}, "it must be an http:// or https:// URL"),
        (TINY, {"endpoint": "http://127.0.0.1:1"}, "can't be read: "),
    ],
)
def test_what_it_can_not_have(
    server: Server, tmp_path: Path, repo_id: str, options: dict[str, Any], words: str
) -> None:
    done = play(tmp_path, repo_id, **{"endpoint": server.url, **options})
    assert done.code != 0 and words in " ".join(done.said.split()), done.said
    assert TOKEN not in done.said


@pytest.mark.parametrize("spoilt", [None, "config.json"])
def test_the_pipeline_of_the_documentation(server: Server, tmp_path: Path, spoilt: str | None) -> None:
    """Its shell script, by the shell that /bin/sh is on Debian."""
    text = (TOP / "docs/api.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    script = script.replace("https://hub.example.com", server.url).replace("deepinsight/inswapper-128", TINY)
    if spoilt:
        link = next((tmp_path / "store/hub").glob(f"*/snapshots/*/{spoilt}"))
        link.resolve().chmod(0o644)
        link.write_bytes(b"!" + link.read_bytes()[1:])
    environment = {**os.environ, "HF_TOKEN": TOKEN}
    done = subprocess.run(
        ["/bin/sh", "-c", script], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
    )
    if spoilt:
        assert done.returncode != 0 and f"{spoilt} is not what it should be" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert len([one for one in (tmp_path / "model").rglob("*") if one.is_file()]) == 5
