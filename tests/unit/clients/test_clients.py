# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other clients, unmodified, against the mirror; all but curl with TEST_PROFILE=full."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from unit.clients import npm
from unit.clients.mirror import PROGRAMS, Mirror, Published
from unit.clients.profile import FULL
from unit.clients.repositories import BERT, DATASET, FACEFUSION, MODEL, WORDS
from unit.conftest import VENVS

from hub import venvs

#: huggingface.js writes names into URLs as they are, and wants a Content-Range, which an empty file has not.
UNFIT = re.compile(r"[%#?]|^empty\.txt$")
full = pytest.mark.skipif(not FULL, reason="installs packages: make test-full")


# ---- FaceFusion's curl


@pytest.fixture
def facefusion(mirror: Mirror) -> dict[str, dict[str, Any]]:
    repo = mirror.repos[FACEFUSION]
    return {
        path: {"size": file["size"], "sha256": file["sha256"]}
        for path, file in repo.files[repo.commits["main"]].items()
        if path.endswith((".onnx", ".hash"))
    }


def fetch(mirror: Mirror, home: Path, names: list[str]) -> Any:
    url = f"{mirror.url}/{FACEFUSION}/resolve/main"
    return mirror.json(home, sys.executable, PROGRAMS / "facefusion_curl.py", url, home / "models", *names)


def test_facefusion(mirror: Mirror, facefusion: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    answer = fetch(mirror, tmp_path, sorted(facefusion))
    assert answer["reachable"].startswith("HTTP/1.1 200")
    assert answer["files"] == facefusion
    assert answer["valid"] == {name: True for name in facefusion if name.endswith(".onnx")}


def test_facefusion_continues(mirror: Mirror, facefusion: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    names = sorted(facefusion)
    fetch(mirror, tmp_path, names)
    model = next(name for name in names if name.endswith(".onnx"))
    file = tmp_path / "models" / model
    part = file.read_bytes()[:10_000]
    for name in names:
        (tmp_path / "models" / name).unlink()
    file.write_bytes(part)
    assert fetch(mirror, tmp_path, names)["files"] == facefusion
    assert {"status": 206, "bytes": facefusion[model]["size"] - len(part)}.items() <= next(
        line for line in mirror.asked if line["range"]
    ).items()


# ---- aria2


@full
def test_aria2(mirror: Mirror, tmp_path: Path) -> None:
    odd = mirror.repos[MODEL]
    command = [sys.executable, PROGRAMS / "aria2_ranges.py", f"{mirror.url}/{MODEL}/resolve/main/large.bin", tmp_path]
    assert mirror.json(tmp_path, *command) == {"sha256": odd.sha256()["large.bin"]}
    assert len([line for line in mirror.asked if line["status"] == 206]) >= 3, "in parts"


# ---- transformers


@full
@pytest.mark.parametrize("version", ["4.57.6", "5.24.0"])
def test_transformers(mirror: Mirror, tmp_path: Path, version: str) -> None:
    python = venvs.install(VENVS / f"transformers-{version}", f"transformers=={version}")
    answer = mirror.json(tmp_path, python, PROGRAMS / "transformers_client.py", BERT, "v1")
    repo = mirror.repos[BERT]
    assert answer["hidden_size"] == {"main": 16, "v1": 8}
    assert answer["has_file"] == [True, False]
    assert answer["tokens"] == ["a", "mirror", "of", "models"]
    assert [WORDS[number] for number in answer["ids"]] == ["[CLS]", *answer["tokens"], "[SEP]"]
    expected = {
        f"{repo.commits[ref]}/{path}": digest for ref in repo.commits for path, digest in repo.sha256(ref).items()
    }
    assert answer["files"].items() <= expected.items()
    wanted = ["config.json", "vocab.txt", "tokenizer_config.json"]
    assert {f"{repo.commits['main']}/{name}" for name in wanted} <= answer["files"].keys()


# ---- datasets


@full
def test_datasets(mirror: Mirror, tmp_path: Path) -> None:
    python = venvs.install(VENVS / "datasets-5.2.0", "datasets==5.2.0")
    # Unless told not to, it asks Amazon's S3 at each load, so that the Hub can count.
    program = PROGRAMS / "datasets_client.py"
    answer = mirror.json(tmp_path, python, program, DATASET, "v1", HF_UPDATE_DOWNLOAD_COUNTS="0")
    old = [{"x": 1, "word": "one"}, {"x": 2, "word": "two"}]
    train = [*old, {"x": 3, "word": "three"}]
    assert answer == {
        "splits": ["test", "train"],
        "whole": {"train": train, "test": [{"x": 7, "word": "sieben für 七"}]},
        "ref": old,
        "stream": train,
        "file": old,
    }
    found = [re.search(r"/resolve/([^/]+)/data/", line["uri"]) for line in mirror.asked]
    repo = mirror.repos[DATASET]
    assert {match[1] for match in found if match} == {repo.commits["main"], repo.commits["v1"], "v1"}


# ---- huggingface.js


@pytest.fixture(scope="module")
def javascript(mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("javascript")
    folder = npm.install(VENVS.parent / "npm" / "huggingface_hub-2.17.5", "@huggingface/hub@2.17.5")
    paths = sorted(fit(mirror.repos[MODEL].sha256("v1")))
    order = json.dumps({"repo": MODEL, "plain": BERT, "dataset": DATASET, "ref": "v1", "paths": paths})
    answers = mirror.json(home, "node", PROGRAMS / "huggingface_js.mjs", folder, mirror.url, order)
    assert isinstance(answers, dict)
    return answers


def fit(files: dict[str, str]) -> dict[str, str]:
    return {path: digest for path, digest in files.items() if not UNFIT.search(path)}


@full
def test_huggingface_js(javascript: dict[str, Any], odd: Published) -> None:
    assert javascript["main"] == fit(odd.sha256())
    assert javascript["ref"] == fit(odd.sha256("v1"))
    assert javascript["missing"] is None
    for question, ref in (("list", "main"), ("listOfRef", "v1")):
        listed = {path: entry for path, entry in javascript[question].items() if entry is not None}
        assert listed == odd.listed(ref)
    assert javascript["exists"] == [True, False, True, False]


@full
def test_huggingface_js_info(javascript: dict[str, Any], odd: Published) -> None:
    assert javascript["info"] == {"name": MODEL, "sha": odd.commits["main"]}


@full
def test_huggingface_js_snapshots(javascript: dict[str, Any], mirror: Mirror, odd: Published) -> None:
    bert, rows = mirror.repos[BERT], mirror.repos[DATASET]
    assert javascript["pathsInfo"] == sorted(fit(odd.sha256("v1")))
    assert javascript["snapshot"] == {"commit": bert.commits["main"], "files": bert.sha256()}
    assert javascript["dataset"] == {"commit": rows.commits["v1"], "files": rows.sha256("v1")}


@full
def test_huggingface_js_lists_models(javascript: dict[str, Any]) -> None:
    assert javascript["models"] == sorted([MODEL, BERT, FACEFUSION])
