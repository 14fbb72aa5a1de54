# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""huggingface_hub, unmodified and in the versions that people have, against the stand-in."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hub import venvs
from hub.process import HubProcess

MODEL = "stand-in/tiny-model"
MANY = "stand-in/many-small-files"


VERSIONS = ["0.36.2", "1.33.0", "2.4.0"]


@pytest.fixture(scope="session", params=VERSIONS)
def python(request: pytest.FixtureRequest) -> Path:
    cache = Path(__file__).parents[3] / ".cache" / "venvs"
    return venvs.install(cache / f"huggingface_hub-{request.param}", f"huggingface_hub=={request.param}")


def run(python: Path, hub: HubProcess, home: Path, code: str) -> str:
    """Run code in a process of its own: huggingface_hub reads its settings when it is imported."""
    settings = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_TOKEN": "hf_secret",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= settings
    done = subprocess.run(
        [python, "-c", code], env=environment, capture_output=True, check=False, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def described(hub: HubProcess, repo_id: str) -> dict[str, Any]:
    return next(repo for repo in hub.control("repos") if repo["repo_id"] == repo_id)


@pytest.mark.parametrize(
    ("repo_type", "repo_id"), [("model", MODEL), ("model", MANY), ("dataset", "stand-in/tiny-dataset")]
)
def test_snapshot_download(python: Path, hub: HubProcess, tmp_path: Path, repo_type: str, repo_id: str) -> None:
    code = (
        f"from huggingface_hub import snapshot_download; print(snapshot_download({repo_id!r}, repo_type={repo_type!r}))"
    )
    folder = Path(run(python, hub, tmp_path, code))
    repo = described(hub, repo_id)
    assert folder.name == repo["main"]
    expected = next(commit["files"] for commit in repo["commits"] if commit["commit"] == repo["main"])
    got = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert got.keys() == expected.keys()
    for path, file in got.items():
        assert hashlib.sha256(file.read_bytes()).hexdigest() == expected[path]["sha256"]
        assert file.resolve().name == expected[path]["etag"], "the blob's name is what the Hub declares"
    requests = hub.control("requests")["last"]
    assert any(request["authorization"] for request in requests if request["origin"] == "hub")
    assert not any(request["authorization"] for request in requests if request["origin"] == "content")


def test_one_session(python: Path, hub: HubProcess, tmp_path: Path) -> None:
    """What is quick to try one after the other: listings, revisions, errors, and a download cut short."""
    hub.control("cut", {"repo_id": MODEL, "path": "model.safetensors", "after": 15_000, "times": 2})
    repo = described(hub, MODEL)
    commits = [commit["commit"] for commit in repo["commits"]]
    run(
        python,
        hub,
        tmp_path,
        f"""
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download
from huggingface_hub.utils import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
api, model, commits = HfApi(), {MODEL!r}, {commits!r}
for attempt in range(3):  # 0.36 does not retry by itself when a body ends early, a second call resumes
    try:
        file = hf_hub_download(model, "model.safetensors")
        break
    except Exception as problem:
        assert "IncompleteRead" in str(problem), problem
assert len(open(file, "rb").read()) > 40_000
assert commits[1] in hf_hub_download(model, "config.json")
assert commits[2] in hf_hub_download(model, "config.json", revision="refs/pr/1")
assert commits[2] in hf_hub_download(model, "config.json", revision="feature/next")
assert commits[0] in hf_hub_download(model, "config.json", revision=commits[0])
assert hf_hub_download("tiny-canonical", "model.bin")
assert hf_hub_download("stand-in/tiny-space", "weights.bin", repo_type="space")
info = api.model_info(model, files_metadata=True)
assert info.sha == commits[1] and info.gated is False and info.created_at.year == 2026
lfs = next(s for s in info.siblings if s.rfilename == "model.safetensors").lfs
assert lfs["sha256"] if isinstance(lfs, dict) else lfs.sha256
assert api.model_info(model, expand=["sha"]).sha == commits[1]
assert "tokenizer/vocab.txt" in api.list_repo_files(model)
assert len(api.list_repo_files({MANY!r})) == 200
assert {{entry.path for entry in api.list_repo_tree(model, "tokenizer", expand=True)}} == {{"tokenizer/vocab.txt"}}
assert api.get_paths_info(model, ["model.safetensors"])[0].lfs.size
refs = api.list_repo_refs(model, include_pull_requests=True)
assert {{ref.name for ref in refs.branches}} == {{"main", "feature/next"}} and refs.pull_requests
assert f"{{model}}/config.json" in HfFileSystem().ls(model, detail=False)
for error, question in (
    (RepositoryNotFoundError, lambda: hf_hub_download("no/such", "x")),
    (RevisionNotFoundError, lambda: hf_hub_download(model, "config.json", revision="nope")),
    (EntryNotFoundError, lambda: hf_hub_download(model, "nope.txt")),
    (RepositoryNotFoundError, lambda: api.model_info("no/such")),
):
    try:
        question()
    except error:
        continue
    raise SystemExit(f"expected {{error}}")
""",
    )
    counts = hub.control("requests")["counts"]
    assert counts["content_get"] == 5, "three for the file that was cut twice, one for each other LFS file"


def test_refusals_mean_what_the_hub_means(python: Path, hub: HubProcess, tmp_path: Path) -> None:
    hub.control("access", {"repo_id": MODEL, "mode": "gated", "token": "hf_secret"})
    hub.control("access", {"repo_id": MANY, "mode": "private", "token": "hf_secret"})
    hub.control("rename", {"repo_id": "tiny-canonical", "to": "moved/name"})
    run(
        python,
        hub,
        tmp_path,
        f"""
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.utils import GatedRepoError, RepositoryNotFoundError
api, gated, private = HfApi(), {MODEL!r}, {MANY!r}
for token in (False, "hf_other"):
    assert api.model_info(gated, token=token).gated == "auto"
    for error, question in (
        (GatedRepoError, lambda: hf_hub_download(gated, "config.json", token=token)),
        (RepositoryNotFoundError, lambda: api.model_info(private, token=token)),
    ):
        try:
            question()
        except error:
            continue
        raise SystemExit(f"expected {{error}}")
assert api.model_info(private).private is True
assert hf_hub_download(private, "README.md") and hf_hub_download(gated, "model.safetensors")
assert api.model_info("tiny-canonical").id == "moved/name"
assert hf_hub_download("tiny-canonical", "config.json")
""",
    )


def test_moved_main_fetches_only_what_changed(python: Path, hub: HubProcess, tmp_path: Path) -> None:
    repo_id = "deepinsight/inswapper-128"
    code = f"from huggingface_hub import snapshot_download; print(snapshot_download({repo_id!r}))"
    run(python, hub, tmp_path, code)
    hub.control("move", {"repo_id": repo_id, "commit": 2})
    before = hub.control("requests")["counts"]
    assert Path(run(python, hub, tmp_path, code)).name == described(hub, repo_id)["commits"][2]["commit"]
    after = hub.control("requests")["counts"]
    assert after["content_get"] - before["content_get"] == 1
    assert after["resolve_cache_get"] == before["resolve_cache_get"]
