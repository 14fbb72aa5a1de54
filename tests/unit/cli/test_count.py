# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror count``: what an unmodified huggingface_hub asks a real nginx, and what the status makes of it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from node import Node
from unit.cli.conftest import Cli

TINY = "stand-in/tiny-model"
#: One file that is mirrored, one of the repository's that is not, one that it never had, a repository that is not here.
PROGRAM = """
import sys
from huggingface_hub import hf_hub_download
from huggingface_hub.utils import EntryNotFoundError, RepositoryNotFoundError
for number in range(30):
    hf_hub_download("{repo}", "config.json", cache_dir=f"{{sys.argv[1]}}/{{number}}")
for repo, name in [("{repo}", "model.safetensors"), ("{repo}", "optional.json"), ("no/such", "config.json")]:
    try:
        hf_hub_download(repo, name, cache_dir=sys.argv[1])
    except (EntryNotFoundError, RepositoryNotFoundError):
        pass
    else:
        raise SystemExit(f"{{repo}} has {{name}}")
"""


@pytest.fixture
def node(cli: Cli, tmp_path: Path) -> Iterator[Node]:
    """A mirror of one file."""
    tmp_path.chmod(0o755)
    assert cli("--config", cli.write("models.yml", [{"repo_id": TINY, "files": ["config.json"]}]), "sync").code == 0
    node = Node(cli.store, tmp_path / "nginx")
    yield node
    node.kill()


def test_what_a_client_of_the_hub_asks(cli: Cli, node: Node, tmp_path: Path) -> None:
    log = str(tmp_path / "nginx/access.log")
    assert cli("status", "--json").json["traffic"] is None
    environment = {**os.environ, "HF_ENDPOINT": node.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    program = PROGRAM.format(repo=TINY)
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "cache")], env=environment, check=True)
    said = cli("count", "--log", log)
    assert said.code == 0 and int(said.out.split()[0]) == len(node.accesses())
    assert cli("count", "--log", log).out == "0 new requests\n"

    traffic = cli("status", "--json").json["traffic"]
    totals = {name: one["requests"] for name, one in traffic["total"].items()}
    assert (totals["served"], totals["missing"], totals["absent"]) == (30, 2, 1)
    week = traffic["hit_rate"]["week"]
    assert (week["served"], week["missed"], week["rate"]) == (30, 2, 30 / 32)
    assert 0 < week["bytes_rate"] < 1, "the size of the one that is not mirrored is known"
    assert "of 32 downloads in 7 days 93.8% came from this mirror, " in cli("status").out


def test_what_can_not_be_counted(cli: Cli, node: Node, tmp_path: Path) -> None:
    missing = cli("count", "--log", "no.log")
    assert missing.code == 2 and "there is no no.log" in missing.err
    with (cli.store / "locks/count").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        busy = cli("count", "--log", str(tmp_path / "nginx/access.log"))
    assert "a count of the access log is running already" in busy.err
    (cli.store / "ledger/traffic.json").write_text("{")
    assert cli("count", "--log", str(tmp_path / "nginx/access.log")).code == 0, "it begins anew"
