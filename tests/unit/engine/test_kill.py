# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9, for real, at random instants: what is published stays right, and no run starts over."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.process import HubProcess
from storecheck import check_store, snapshot

Listed = Callable[[str], dict[str, Any]]

TOP = Path(__file__).parents[3]
ENTRIES = [
    {"repo_id": "deepinsight/inswapper-128", "views": ["facefusion"]},
    {"repo_id": "stand-in/many-small-files"},
    {"repo_id": "stand-in/tiny-model"},
]
KILLS = 20


@pytest.fixture
def start(hub: HubProcess, store: Path, tmp_path: Path) -> Callable[[], subprocess.Popen[bytes]]:
    whitelist = tmp_path / "whitelist.yml"
    whitelist.write_text(json.dumps(ENTRIES))
    module = "ansible_collections.modelops.hf_mirror.plugins.module_utils.cli"
    command = [sys.executable, "-P", "-m", module, "--store", str(store), "--endpoint", hub.url]
    environment = {**os.environ, "PYTHONPATH": str(TOP / "collections")}

    def run() -> subprocess.Popen[bytes]:
        arguments = [*command, "--config", str(whitelist), "sync"]
        return subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    return run


def check_published(store: Path) -> None:
    """What a ref names is there as a whole, at every instant."""
    for ref in store.glob("hub/*/.mirror/rev/main"):
        info = json.loads((ref / "info.blobs.json").read_bytes())
        content = snapshot(store, info["id"], os.readlink(ref))
        assert {file["rfilename"]: file["size"] for file in info["siblings"]} == {
            path: len(data) for path, data in content.items()
        }


def test_killed_at_random_instants(
    start: Callable[[], subprocess.Popen[bytes]], store: Path, hub: HubProcess, listed: Listed
) -> None:
    chance = random.Random(7)
    # slow enough for most kills to come in the middle, and a resumed file begins 4 MB before its end at most
    hub.control("bandwidth", {"bytes_per_second": 1_500_000})
    for number in range(KILLS):
        process = start()
        time.sleep(chance.uniform(0.4, 1.6))  # the instant is what is tried here
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (store / "hub").is_dir():
            check_published(store)
        if number == KILLS // 2:
            hub.control("move", {"repo_id": "stand-in/many-small-files", "commit": 0})
    hub.control("bandwidth", {"bytes_per_second": 1_000_000_000})
    process = start()
    _output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    check_published(store)
    check_store(store)
    for entry in ENTRIES:
        repo = listed(str(entry["repo_id"]))
        assert snapshot(store, str(entry["repo_id"]), repo["main"]).keys() == repo["files"].keys()
    assert not list((store / "staging").glob("*.part"))
    # what was in the pool once never came again
    counts = hub.control("requests")["counts"]
    assert counts["resolve_cache_get"] < 2 * 220 + KILLS * 8
