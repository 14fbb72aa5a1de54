# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an honest Hub has: small repositories of three commits each, and the documents that tell of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

#: Entries of a page of a listing: each repository has two pages.
PAGE = 5
#: Names as people write them: no reason to refuse anybody's files.
ODD_NAMES = [
    *["Screenshot\u202f1.png", "a\u00a0b", "a\u3000b", "\ufeffa", "a\u00adb", "\U0001f469\u200d\U0001f680", "e\u0301"],
    *["a b", "a?b#c", "%2e%2e%2f", "a%00b", "*", "[a]", "$(touch x)", "a\\b", "é" * 127, "x" * 255],
]
#: What is no name, or of no file: nobody wants it of this repository.
UNWANTED: list[dict[str, Any]] = [
    *[
        {"type": "file", "oid": "0" * 40, "size": 5, "path": path}
        for path in ("../x", "/x", "a\nb", "\ud800", "x" * 256)
    ],
    *[{"type": "file", "oid": oid, "size": 5, "path": f"{oid}.txt"} for oid in ("../../../victim", 5)],
    {"type": "file", "oid": "0" * 40, "size": -5, "path": "negative"},
]
PREFIXES = {"model": "", "dataset": "datasets/", "space": "spaces/"}


@dataclass(frozen=True)
class HonestRepo:
    """A repository whose commits and files follow from its name. ``LFS`` files end with ``.bin``."""

    repo_id: str
    repo_type: str = "model"

    @property
    def folder(self) -> str:
        return "--".join([f"{self.repo_type}s", *self.repo_id.split("/")])

    @property
    def name(self) -> str:
        """How the engine names it to people."""
        return f"{'' if self.repo_type == 'model' else f'{self.repo_type} '}{self.repo_id}"

    @property
    def entry(self) -> str:
        """How the engine names its entry in the whitelist."""
        return f"{self.name}@main"

    @property
    def has_odd_names(self) -> bool:
        return self.repo_id == "honest/names"

    @property
    def has_unwanted(self) -> bool:
        return self.repo_id == "honest/unwanted"

    def commit(self, number: int) -> str:
        return sha1(f"{self.folder} {number}")

    def files(self, number: int) -> dict[str, bytes]:
        """Return path -> content at a commit: some are the same everywhere, some in all commits."""
        who = f"{self.repo_id} {number}"
        return {
            ".gitattributes": b"*.bin filter=lfs\n",
            "README.md": b"---\nlicense: mit\n---\n# A model\n",
            "config.json": json.dumps({"who": who}).encode(),
            "empty.txt": b"",
            "folder/deep/notes.txt": f"notes of {self.repo_id}\n".encode(),
            "folder/shard.bin": f"shard of {who}\n".encode() * 50,
            "weights.bin": f"weights of {self.repo_id}\n".encode() * 100,
            **{name: f"{name} of {who}".encode() for name in (ODD_NAMES if self.has_odd_names else ())},
        }

    def wanted(self, number: int) -> dict[str, bytes]:
        """Return those of its files that the whitelist names."""
        files = self.files(number)
        return {"config.json": files["config.json"]} if self.has_unwanted else files

    def info(self, number: int) -> dict[str, Any]:
        """Return what the API says of a commit, with all that the real one says of some repositories."""
        listed = self.tree(number)
        document: dict[str, Any] = {
            "_id": sha1(self.repo_id)[:24],
            "id": self.repo_id,
            "author": self.repo_id.partition("/")[0],
            "sha": self.commit(number),
            "lastModified": f"2026-11-{number + 1:02}T10:00:00.000Z",
            "createdAt": "2026-10-01T10:00:00.000Z",
            "private": False,
            "gated": False,
            "disabled": False,
            "downloads": 5,
            "likes": 2,
            "tags": ["license:mit", "region:us"],
            "cardData": {"license": "mit", "tags": ["small"], "model-index": []},
            "siblings": [
                {"rfilename": one["path"], "size": one["size"], "blobId": one["oid"], **_sibling_lfs(one)}
                for one in listed
                if one["type"] == "file"
            ],
            "usedStorage": 5000,
        }
        if self.repo_type == "model":
            document.update(
                modelId=self.repo_id,
                pipeline_tag="text-generation",
                library_name="transformers",
                config={"architectures": ["Some"], "model_type": "some"},
                transformersInfo={"auto_model": "AutoModel", "pipeline_tag": "text-generation"},
                safetensors={"parameters": {"F32": 5}, "total": 5},
            )
        return document

    def tree(self, number: int) -> list[dict[str, Any]]:
        """Return the whole listing of a commit."""
        files = self.files(number)
        entries = {path: _entry(path, content) for path, content in files.items()}
        for path in files:
            above = path.rpartition("/")[0]
            while above:
                entries[above] = {"type": "directory", "oid": sha1(f"{self.commit(number)} {above}"), "size": 0}
                above = above.rpartition("/")[0]
        unwanted = UNWANTED if self.has_unwanted else []
        return [*[{**entry, "path": path} for path, entry in sorted(entries.items())], *unwanted]

    def number(self, revision: str, main: int) -> int | None:
        """Return which commit a revision means."""
        names = {"main": main, **{self.commit(number): number for number in range(3)}}
        return names.get(revision)


def etag(path: str, content: bytes) -> str:
    """Return what a content is called."""
    return hashlib.sha256(content).hexdigest() if path.endswith(".bin") else git_blob(content)


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def pointer(content: bytes) -> bytes:
    """Return what Git has in the place of an LFS file."""
    told = f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(content).hexdigest()}\nsize "
    return f"{told}{len(content)}\n".encode()


def _entry(path: str, content: bytes) -> dict[str, Any]:
    if not path.endswith(".bin"):
        return {"type": "file", "oid": git_blob(content), "size": len(content)}
    lfs = {"oid": etag(path, content), "size": len(content), "pointerSize": len(pointer(content))}
    return {"type": "file", "oid": git_blob(pointer(content)), "size": len(content), "lfs": lfs}


def _sibling_lfs(entry: dict[str, Any]) -> dict[str, Any]:
    lfs = entry.get("lfs")
    return {"lfs": {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": lfs["pointerSize"]}} if lfs else {}
