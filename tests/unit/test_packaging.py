# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as shipped: built, installed elsewhere, and run from there; and the image that AWX runs it in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from hub.process import HubProcess

TOP = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def run(
    folder: Path, program: str, *arguments: str, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs with nothing of this clone in sight."""
    clean: Mapping[str, str] = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    command = [str(BIN / program), *arguments]
    environment = {**clean, "PATH": f"{BIN}:{clean['PATH']}", "HOME": str(folder), **environment}
    return subprocess.run(command, cwd=folder, env=environment, check=check, capture_output=True, text=True)


def test_the_built_collection_runs_elsewhere(tmp_path: Path, hub: HubProcess) -> None:
    run(TOP, "ansible-galaxy", "collection", "build", "--output-path", str(tmp_path), HOME=os.environ["HOME"])
    (built,) = tmp_path.glob("*.tar.gz")
    place = tmp_path / "elsewhere"
    collections = place / "collections"
    store = place / "store"
    store.mkdir(parents=True)
    # no dependencies: they come from a Galaxy server, and the module needs none
    install = ("collection", "install", "--offline", "--no-deps", str(built), "-p", str(collections))
    run(place, "ansible-galaxy", *install)
    shipped = {str(p.relative_to(collections)) for p in collections.rglob("*")}
    assert "ansible_collections/modelops/hf_mirror/roles/mirror_sync/tasks/main.yml" in shipped
    assert not [path for path in shipped if "/collections/" in path or "/.venv" in path or "/.cache" in path]

    arguments = {"store": str(store), "endpoint": hub.url, "models": [{"repo_id": "stand-in/tiny-model"}]}
    interpreter = json.dumps({"ansible_python_interpreter": sys.executable})
    done = run(
        place,
        "ansible",
        *("localhost", "-i", "localhost,", "-c", "local", "-e", interpreter),
        *("-m", "modelops.hf_mirror.mirror_models", "-a", json.dumps(arguments)),
        ANSIBLE_COLLECTIONS_PATH=str(collections),
    )
    assert "localhost | CHANGED" in done.stdout
    assert (store / "hub/models--stand-in--tiny-model/refs/main").is_file()


def test_the_execution_environment_is_well_defined(tmp_path: Path) -> None:
    definition = str(TOP / "execution-environment.yml")
    run(tmp_path, "ansible-builder", "create", "--file", definition, "--context", str(tmp_path / "context"))
    assert "ansible-core>=2.19" in (tmp_path / "context/Containerfile").read_text()
