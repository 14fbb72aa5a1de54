# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building the contents."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from hub import contents as builder
from hub.repos import Library


def test_second_build_does_nothing(contents: Path) -> None:
    before = (contents / "repos.json").stat()
    assert builder.build(contents, small=True) is False
    assert (contents / "repos.json").stat().st_mtime_ns == before.st_mtime_ns


def test_interrupted_build_is_not_taken_for_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builder.BlobStore.add
    added: list[str] = []

    def add(self: builder.BlobStore, source: builder.Source) -> tuple[str, int]:
        if len(added) == 20:
            raise KeyboardInterrupt
        digest, size = real(self, source)
        added.append(digest)
        return digest, size

    with monkeypatch.context() as patch:
        patch.setattr(builder.BlobStore, "add", add)
        with pytest.raises(KeyboardInterrupt):
            builder.build(tmp_path, small=True)
    assert not (tmp_path / "repos.json").exists()
    (tmp_path / "build-left-by-a-kill").mkdir()
    assert builder.build(tmp_path, small=True) is True
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs", "lock", "repos.json"]
    assert builder.build(tmp_path, small=True) is False


def test_lost_blob_is_made_again(tmp_path: Path) -> None:
    builder.build(tmp_path, small=True)
    blob = next((tmp_path / "blobs").iterdir())
    blob.unlink()
    assert builder.build(tmp_path, small=True) is True
    assert blob.exists()


def test_facefusion_pairs_are_valid(contents: Path) -> None:
    library = Library(contents)
    pairs = 0
    for repo in library.repos.values():
        if not repo.repo_id.startswith("facefusion/"):
            continue
        for commit in repo.commits:
            for path, file in commit.files.items():
                if path.endswith(".hash"):
                    model = library.blob(commit.files[path.removesuffix(".hash") + ".onnx"]).read_bytes()
                    assert library.blob(file).read_bytes() == f"{zlib.crc32(model):08x}".encode()
                    pairs += 1
    assert pairs > 20
    safety = library.repo("model", "facefusion/models-3.3.0").main.files
    assert {f"nsfw_{number}.{suffix}" for number in (1, 2, 3) for suffix in ("onnx", "hash")} <= safety.keys()
