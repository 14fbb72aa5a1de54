# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as shipped: built, installed elsewhere, and run from there; and the image that AWX runs it in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from hub import venvs
from hub.process import HubProcess

TOP = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
VENVS = TOP / ".cache" / "venvs"
IMPORTER = "galaxy-importer==0.4.44"
#: All that an installed collection has.
SHIPPED = [
    *(
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "FILES.json",
        "LICENSE",
        "MANIFEST.json",
        "README.md",
        "README.zh-CN.md",
        "SECURITY.md",
    ),
    *("changelogs", "docs", "execution-environment.yml", "inventory", "meta", "playbooks", "plugins"),
    *("requirements.yml", "roles", "site.yml", "whitelists"),
]


def run(
    folder: Path, program: str, *arguments: str, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs with nothing of this clone in sight."""
    clean: Mapping[str, str] = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    command = [str(BIN / program), *arguments]
    environment = {**clean, "PATH": f"{BIN}:{clean['PATH']}", "HOME": str(folder), **environment}
    return subprocess.run(command, cwd=folder, env=environment, check=check, capture_output=True, text=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("built")
    run(TOP, "ansible-galaxy", "collection", "build", "--output-path", str(place), HOME=os.environ["HOME"])
    (file,) = place.glob("*.tar.gz")
    return file


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the file into an empty folder, and return that of all collections."""
    place = tmp_path_factory.mktemp("elsewhere")
    # no dependencies: they come from a Galaxy server, and .venv has them
    options = ("--offline", "--no-deps", str(built), "-p", str(place / "collections"))
    run(place, "ansible-galaxy", "collection", "install", *options)
    return place / "collections"


def test_what_is_for_changing_the_collection_stays_at_home(installed: Path) -> None:
    top = installed / "ansible_collections/modelops/hf_mirror"
    assert sorted(file.name for file in top.iterdir()) == SHIPPED
    assert sorted(folder.name for folder in (top / "inventory").iterdir()) == ["example", "single"]
    known = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=TOP,
        check=True,
        capture_output=True,
        text=True,
    )
    shipped = {str(file.relative_to(top)) for file in top.rglob("*") if file.is_file()}
    assert shipped - set(known.stdout.splitlines()) == {"FILES.json", "MANIFEST.json"}
    # nothing that is shipped counts on what is not
    code = [file for folder in ("playbooks", "plugins", "roles") for file in (top / folder).rglob("*.*")]
    away = re.compile(r"(^|[\s\"'(=/])(tests|extensions|inventory/demo)/")
    lines = {file: file.read_text().splitlines() for file in code if file.is_file()}
    assert not [(file.name, line) for file, text in lines.items() for line in text if away.search(line)]


def test_the_installed_module_syncs(installed: Path, tmp_path: Path, hub: HubProcess) -> None:
    store = tmp_path / "store"
    store.mkdir()
    arguments = {"store": str(store), "endpoint": hub.url, "models": [{"repo_id": "stand-in/tiny-model"}]}
    interpreter = json.dumps({"ansible_python_interpreter": sys.executable})
    done = run(
        tmp_path,
        "ansible",
        *("localhost", "-i", "localhost,", "-c", "local", "-e", interpreter),
        *("-m", "modelops.hf_mirror.mirror_models", "-a", json.dumps(arguments)),
        ANSIBLE_COLLECTIONS_PATH=str(installed),
    )
    assert "localhost | CHANGED" in done.stdout
    assert (store / "hub/models--stand-in--tiny-model/refs/main").is_file()


def test_installed_playbooks_are_found_and_read(installed: Path, tmp_path: Path) -> None:
    top = installed / "ansible_collections/modelops/hf_mirror"
    names = [f"modelops.hf_mirror.{file.stem}" for file in sorted((top / "playbooks").glob("*.yml"))]
    assert "modelops.hf_mirror.site" in names
    inventory = ("-i", str(top / "inventory/example"))
    command = ("ansible-playbook", "--syntax-check", *inventory, *names, str(top / "site.yml"))
    done = run(tmp_path, *command, check=False, ANSIBLE_COLLECTIONS_PATH=str(installed))
    assert done.returncode == 0, done.stderr
    assert len(re.findall("^playbook: ", done.stdout, re.MULTILINE)) == len(names) + 1


@pytest.mark.skipif(os.environ.get("TEST_PROFILE") != "full", reason="it lints all again for a minute: make test-full")
def test_galaxy_would_import_it_without_a_word(built: Path, tmp_path: Path) -> None:
    """Without its ansible-test, which wants an image from a registry: `make test` runs the sanity tests itself."""
    python = venvs.install(VENVS / "galaxy-importer", IMPORTER)
    path = f"{python.parent}:{os.environ['PATH']}"
    command = [str(python), "-m", "galaxy_importer.main", str(built)]
    environment = {"PATH": path, "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "Linting collection via ansible-lint" in said, said
    assert not [line for line in said.splitlines() if re.match("(WARNING|ERROR|CRITICAL)", line)]
    result = json.loads((tmp_path / "importer_result.json").read_text())
    roles = {content["name"] for content in result["contents"] if content["content_type"] == "role"}
    assert roles == {folder.name for folder in (TOP / "roles").iterdir()}


def test_the_requirements_are_those_of_the_collection() -> None:
    listed = yaml.safe_load((TOP / "requirements.yml").read_text())["collections"]
    of_the_collection = yaml.safe_load((TOP / "galaxy.yml").read_text())["dependencies"]
    assert {one["name"]: one["version"] for one in listed} == of_the_collection


def test_the_execution_environment_is_well_defined(tmp_path: Path) -> None:
    definition = str(TOP / "execution-environment.yml")
    run(tmp_path, "ansible-builder", "create", "--file", definition, "--context", str(tmp_path / "context"))
    assert "ansible-core>=2.19" in (tmp_path / "context/Containerfile").read_text()
    assert (tmp_path / "context/_build/requirements.yml").read_text() == (TOP / "requirements.yml").read_text()
