# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pickles are found by what is in a file, not by its name alone."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.scan import find_imports, refuse_pickle

from hub.drafts import safetensors


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("ran",))


def archive(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("model/data.pkl", content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.pkl", pickle.dumps(Evil())),
        ("model.onnx", pickle.dumps(Evil())),
        ("notes.txt", pickle.dumps(Evil(), protocol=0)),
        ("pytorch_model.bin", archive(pickle.dumps(Evil()))),
        ("weights.dat", archive(pickle.dumps(Evil()))),
        ("two.pkl", pickle.dumps([1, 2]) + pickle.dumps(Evil())),
    ],
)
def test_found(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "blob").write_bytes(content)
    assert set(find_imports(tmp_path / "blob", name)) & {"builtins.print", "__builtin__.print"}
    with pytest.raises(MirrorError, match=r"is a pickle \(it imports"):
        refuse_pickle(tmp_path / "blob", name, "a/b@123")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.txt", b""),
        ("model.safetensors", safetensors("x", 1000)),
        ("config.json", b'{"a": 1}'),
        ("table.csv", b"category,label\n1,2\n"),
        ("prose.md", b"The quick brown fox\njumps\n"),
        ("model.gguf", b"GGUF\x03\x00\x00\x00" + bytes(100)),
        ("model.onnx", b"\x08\x07\x12\x07pytorch" + bytes(range(256))),
        ("huge-string.bin.txt", b"B\xff\xff\xff\x7f" + bytes(1000)),
    ],
)
def test_content_that_is_none(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "blob").write_bytes(content)
    refuse_pickle(tmp_path / "blob", name, "a/b@123")
