# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run facefusion_models as Ansible does, against a mirror that was synced from the stand-in Hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.modelops.hf_mirror.plugins.modules import facefusion_models
from mirror_server import Server
from unit.facefusion.models import DRAFTS, REPOS, Models

from hub.contents import build
from hub.process import HubProcess

TOP = Path(__file__).parents[3]
MODULES = "ansible_collections.modelops.hf_mirror.plugins"
Run = Callable[..., dict[str, Any]]

#: The module as a process of its own. Its arguments come as a line of JSON.
PROGRAM = f"""
import json, sys
from ansible.module_utils.testing import patch_module_args
from {MODULES}.modules import facefusion_models
with patch_module_args(json.loads(sys.stdin.readline())):
    facefusion_models.main()
"""


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp("facefusion-hub")
    build(folder, small=True, extra=DRAFTS)
    with HubProcess(folder) as hub:
        yield hub


@pytest.fixture(scope="session")
def models(upstream: HubProcess) -> Models:
    """Return what the Hub has, and with it the mirror."""
    return Models(upstream.control("repos"))


@pytest.fixture(scope="session")
def store(upstream: HubProcess, models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("facefusion-store")
    upstream.control("reset", {})
    whitelist = folder / "whitelist.yml"
    whitelist.write_text(json.dumps({"models_to_sync": [{"repo_id": repo_id} for repo_id in REPOS]}), encoding="utf-8")
    command = [sys.executable, "-P", "-m", f"{MODULES}.module_utils.cli", "--store", folder / "store"]
    environment = {**os.environ, "PYTHONPATH": str(TOP / "collections")}
    options = ["--endpoint", upstream.url, "--config", whitelist, "sync"]
    subprocess.run([*command, *options], check=True, env=environment, stdout=subprocess.DEVNULL)
    return folder / "store"


@pytest.fixture
def hub(upstream: HubProcess) -> HubProcess:
    """Return the Hub, well-behaved again."""
    upstream.control("reset", {})
    return upstream


@pytest.fixture
def mirror(store: Path, tmp_path: Path) -> Iterator[Server]:
    server = Server(store, tmp_path / "nginx")
    yield server
    server.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return FaceFusion's folder of models, which is not there yet."""
    return tmp_path / "facefusion" / ".assets" / "models"


@pytest.fixture
def run(folder: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def place(*models: dict[str, Any], check: bool = False, **options: Any) -> dict[str, Any]:
        capfd.readouterr()
        arguments = {"path": str(folder), "models": list(models), **options}
        arguments |= {"_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            facefusion_models.main()
        answer: dict[str, Any] = json.loads(capfd.readouterr().out)
        return answer

    return place


@pytest.fixture
def place(run: Run, mirror: Server) -> Run:
    """Return ``run`` with the mirror as the endpoint."""

    def from_mirror(*models: dict[str, Any], **options: Any) -> dict[str, Any]:
        return run(*models, **{"endpoint": mirror.url, **options})

    return from_mirror


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the module as a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def process(*models: dict[str, Any], **options: Any) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        environment = {**os.environ, "PYTHONPATH": str(TOP / "collections")}
        module = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment
        )
        started.append(module)
        assert module.stdin
        arguments = {"path": str(folder), "models": list(models), **options}
        module.stdin.write(json.dumps(arguments) + "\n")
        module.stdin.flush()
        return module

    yield process
    for module in started:
        module.kill()
        module.wait()
