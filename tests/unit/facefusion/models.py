# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that are placed in tests, and what FaceFusion says of a folder."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.modelops.hf_mirror.plugins.module_utils._facefusion.choice import choose

from hub.drafts import Changes, Draft, Noise

TOP = Path(__file__).parents[3]
CATALOGUE: dict[str, Any] = yaml.safe_load((TOP / "roles/facefusion/files/models.yml").read_text(encoding="utf-8"))
FACE_SWAPPER = choose(CATALOGUE, "3.8.1", ["face_swapper"], [])

LARGE_SIZE = 24 << 20
LARGE = {"repo_id": "example/large", "names": ["large"]}
SWAPPER = {"repo_id": "facefusion/models-3.0.0", "names": ["inswapper_128"]}
SAFETY = {"repo_id": "facefusion/models-3.3.0", "names": ["nsfw_1", "nsfw_2", "nsfw_3"]}
BROKEN = {"repo_id": "example/broken", "names": ["fine", "newline", "other"]}
NOBODY = {"repo_id": "facefusion/deepfacelive-models-example", "names": ["nobody_224"]}


def _pair(name: str, size: int, suffix: str = ".onnx", hash_of: str = "", end: str = "") -> Changes:
    content = bytes(Noise(name, size))
    crc32 = zlib.crc32(bytes(Noise(hash_of or name, size)))
    return {f"{name}{suffix}": content, f"{name}.hash": f"{crc32:08x}{end}".encode()}


DRAFTS = [
    Draft("example/large", [("Upload", _pair("large", LARGE_SIZE))]),
    Draft(
        "example/broken",
        [
            (
                "Upload",
                {
                    **_pair("fine", 30_000),
                    **_pair("newline", 30_000, end="\n"),
                    **_pair("other", 30_000, hash_of="another"),
                },
            )
        ],
    ),
    Draft("facefusion/deepfacelive-models-example", [("Upload", _pair("nobody_224", 30_000, ".dfm"))]),
]
REPOS = [
    *(draft.repo_id for draft in DRAFTS),
    *(f"facefusion/models-{version}" for version in ("3.0.0", "3.1.0", "3.3.0")),
]


class Models:
    """What the Hub has: for each file of a repository's main its SHA-256, and the commit."""

    def __init__(self, repos: Iterable[dict[str, Any]]) -> None:
        self.commits: dict[str, str] = {}
        self._files: dict[tuple[str, str], dict[str, Any]] = {}
        for repo in repos:
            files = [commit["files"] for commit in repo["commits"] if commit["commit"] == repo["main"]]
            self.commits[repo["repo_id"]] = repo["main"]
            self._files.update({(repo["repo_id"], path): file for path, file in files[0].items()})

    def check(self, folder: Path, *models: dict[str, Any]) -> None:
        """See that all of these are in the folder, to the byte, and that FaceFusion would take them."""
        for model in models:
            for name in model["names"]:
                for suffix in (".onnx", ".hash"):
                    content = (folder / f"{name}{suffix}").read_bytes()
                    assert hashlib.sha256(content).hexdigest() == self.file(model, name + suffix)["sha256"], name
                assert accepts(folder / f"{name}.onnx"), name

    def file(self, model: dict[str, Any], path: str) -> dict[str, Any]:
        return self._files[model["repo_id"], path]


def accepts(model: Path) -> bool:
    """Compare a model with its hash as FaceFusion does."""
    return f"{zlib.crc32(model.read_bytes()):08x}" == model.with_suffix(".hash").read_text(encoding="utf-8")


def visible(folder: Path) -> set[str]:
    """Return the names of all files that are no business of the module alone."""
    return {path.name for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")}
