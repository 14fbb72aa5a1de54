# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store filled from the stand-in Hub, behind the mirror's own server; the Hub itself is gone by then."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from node import Node
from unit.clients.mirror import Mirror, Published, published
from unit.clients.repositories import DRAFTS, MODEL, WHITELIST

from hub.contents import build
from hub.process import HubProcess

LAUNCHER = Path(sys.executable).parent / "hf-mirror"


@pytest.fixture
def odd(mirror: Mirror) -> Published:
    return mirror.repos[MODEL]


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    folder = tmp_path_factory.mktemp("clients")
    whitelist = folder / "whitelist.yml"
    whitelist.write_text(json.dumps({"models_to_sync": WHITELIST}), encoding="utf-8")
    build(folder / "contents", small=True, extra=DRAFTS)
    with HubProcess(folder / "contents") as hub:
        repos = {repo["repo_id"]: published(repo) for repo in hub.control("repos")}
        options: list[str | Path] = ["--store", folder / "store", "--endpoint", hub.url, "--config", whitelist]
        subprocess.run([LAUNCHER, *options, "sync"], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    node = Node(folder / "store", folder / "nginx")
    yield Mirror(node, repos)
    node.kill()
