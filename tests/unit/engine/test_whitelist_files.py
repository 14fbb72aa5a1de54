# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whitelists on disk: which files are read, and what is said of those that can't be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base import yaml as _yaml
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import WhitelistError, parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist_files import (
    Entries,
    read_entries,
    read_folder,
)

ARTICLE = """\
models_to_sync:
  - repo_id: deepinsight/inswapper-128
    files: [inswapper_128.onnx]
  - repo_id: bonnetti/yoloface
    files: [yoloface_8n.onnx]
  - repo_id: hysts/ArcFace-resnet100
    files: [model.onnx]
"""


def test_the_article_s_file_is_accepted_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(ARTICLE)
    entries = read_entries(file)
    assert [(str(one), one.files) for one in parse(entries)] == [
        ("deepinsight/inswapper-128@main", ("inswapper_128.onnx",)),
        ("bonnetti/yoloface@main", ("yoloface_8n.onnx",)),
        ("hysts/ArcFace-resnet100@main", ("model.onnx",)),
    ]
    assert entries.sources == [f"{file} line {line}" for line in (2, 4, 6)]


@pytest.mark.parametrize(
    ("text", "entries", "lines"),
    [
        ("- repo_id: a/b\n- {repo_id: c/d}\n", [{"repo_id": "a/b"}, {"repo_id": "c/d"}], [1, 2]),
        ('{"models_to_sync": [{"repo_id": "a/b"}]}', [{"repo_id": "a/b"}], [1]),
        ("\ufeff- repo_id: a/模型\n", [{"repo_id": "a/模型"}], [1]),
        # what an entry may say is checked elsewhere
        ("# mine\n- a/b\n-\n- repo_id: 7\n", ["a/b", None, {"repo_id": 7}], [2, 3, 4]),
        # anchors are a way to say the same files twice, and overriding a merged key is no mistake
        (
            "- &a\n  repo_id: a/b\n  keep: 5\n- {<<: *a, repo_id: c/d}\n- *a\n",
            [{"repo_id": "a/b", "keep": 5}, {"repo_id": "c/d", "keep": 5}, {"repo_id": "a/b", "keep": 5}],
            [1, 4, 1],
        ),
        (
            "{<<: {models_to_sync: [1]},\nmodels_to_sync: [2,\n3]}",
            [2, 3],
            [2, 3],
        ),
    ],
)
def test_read(tmp_path: Path, text: str, entries: list[Any], lines: list[int]) -> None:
    file = tmp_path / "mine"
    file.write_text(text, encoding="utf-8")
    found = read_entries(file)
    assert found == entries
    assert found.sources == [f"{file} line {line}" for line in lines]


def test_a_folder_is_read_no_deeper(tmp_path: Path) -> None:
    for name in ("20-b.yml", "10-a.yaml", "30-c.yml"):
        (tmp_path / name).write_text(f"- repo_id: team/{name[3]}\n- repo_id: team/{name[3]}2\n")
    for name in (".hidden.yml", "README.md", "old.yml.bak", "notes.yml/x.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("[")
    found = read_folder(tmp_path)
    assert {name: [one["repo_id"] for one in told] for name, told in found.items() if isinstance(told, Entries)} == {
        "10-a.yaml": ["team/a", "team/a2"],
        "20-b.yml": ["team/b", "team/b2"],
        "30-c.yml": ["team/c", "team/c2"],
    }
    told = found["10-a.yaml"]
    assert isinstance(told, Entries) and told.sources == [f"{tmp_path}/10-a.yaml line {line}" for line in (1, 2)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "FILE has no entry"),
        (b"# nothing yet\n", "FILE has no entry"),
        (b"[]", "FILE has no entry"),
        (b"models_to_sync:\n  # - repo_id: a/b\n", "FILE has no entry"),
        (b"models_to_sync: []", "FILE has no entry"),
        (b"a/b", "FILE must be a list of entries, or models_to_sync with one; it is a text"),
        (b"models_to_sync: a/b", "FILE must be .*; it is a text"),
        (b"models_to_sync: {repo_id: a/b}", "FILE must be .*; it is a mapping"),
        (b"models_to_sync: []\nkeep: 2", "FILE must be .* single key models_to_sync; its keys: models_to_sync, keep"),
        (b"repo_id: a/b", "FILE must be .*; its keys: repo_id"),
        (b"{}", "FILE must be .*; its keys: none"),
        (b"- repo_id: a/b\n- [", "FILE line 2: not YAML: while parsing"),
        (b"models_to_sync:\n\t- a", "FILE line 2: not YAML"),
        (b"- a: b: c", "FILE line 1: not YAML: mapping values are not allowed here"),
        (b"- repo_id: {{ mine }}", "FILE line 1: not YAML: .*unhashable"),
        (b"- repo_id: a/b\n- token: !vault x", "FILE line 2: not YAML: .*tag '!vault'"),
        (b"- !!python/object/apply:os.getcwd []", "FILE line 1: not YAML: .*could not determine a constructor"),
        (b"- a\n---\n- b", "FILE line 2: not YAML: expected a single document"),
        (b"- *files", "FILE line 1: not YAML: found undefined alias"),
        (b"- \xff", "FILE: not YAML: invalid start byte at position 2"),
        (b"- \x00", "FILE: not YAML: special characters are not allowed"),
        (b"- 2026-13-01", "FILE: not YAML: month must be in 1..12"),
        (b"[" * 3000, "FILE: not YAML: maximum recursion"),
        (b"- repo_id: a/b\n  keep: 1\n  repo_id: c/d", "FILE line 3: repo_id is there twice, first on line 1"),
        (b"- {files: [x], files: [y]}", "FILE line 1: files is there twice"),
        (b"models_to_sync: [a]\nmodels_to_sync: [b]", "FILE line 2: models_to_sync is there twice, first on line 1"),
        (b"- repo_id: a/b\n  'repo_id': c/d", "FILE line 2: repo_id is there twice"),
    ],
)
def test_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "mine.yml"
    file.write_bytes(content)
    with pytest.raises(WhitelistError, match="^" + words.replace("FILE", re.escape(str(file)))):
        read_entries(file)


def test_a_bad_file_of_a_folder_says_so_and_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("- repo_id: a/b\n  keep: 1\n  keep: 2\n  files: [x]\n  files: [y]\n")
    (tmp_path / "b.yml").write_text("- repo_id: c/d\n")
    for number, text in enumerate(("", "# nothing yet\n", "[]", "models_to_sync: []", "models_to_sync:\n")):
        (tmp_path / f"c{number}.yml").write_text(text)
    (tmp_path / "d.yml").symlink_to("gone.yml")
    found = read_folder(tmp_path)
    assert {name: str(told) for name, told in found.items() if isinstance(told, WhitelistError)} == {
        "a.yml": f"{tmp_path}/a.yml line 3: keep is there twice, first on line 2\n"
        f"{tmp_path}/a.yml line 5: files is there twice, first on line 4",
        "d.yml": f"{tmp_path}/d.yml can't be read: No such file or directory",
    }
    assert found["b.yml"] == [{"repo_id": "c/d"}]
    assert [found[f"c{number}.yml"] for number in range(5)] == [[]] * 5


def test_a_path_with_nothing_to_read_is_refused(tmp_path: Path) -> None:
    for read in (read_entries, read_folder):
        with pytest.raises(WhitelistError, match=r"gone\.yml can't be read: No such file or directory"):
            read(tmp_path / "gone.yml")
    for number in range(1001):
        (tmp_path / f"{number}.yml").touch()
    with pytest.raises(WhitelistError, match="has 1001 files, more than 1000: merge some"):
        read_folder(tmp_path)


def test_a_host_without_pyyaml_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yml").write_text("- repo_id: a/b")
    monkeypatch.setattr(_yaml, "YAML_ERROR", "ImportError: no yaml")
    with pytest.raises(WhitelistError, match="without PyYAML"):
        read_entries(tmp_path / "a.yml")
