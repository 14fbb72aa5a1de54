# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whitelists: what is accepted, and what is refused with which words."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.wanted import Wanted
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import WhitelistError, parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ({"repo_id": "a/b"}, Wanted("a/b")),
        ({"repo_id": "gpt2"}, Wanted("gpt2")),
        ({"repo_id": "a/b", "files": ["x.onnx"]}, Wanted("a/b", files=("x.onnx",))),
        ({"repo_id": "a/b", "files": None, "revision": None}, Wanted("a/b")),
        ({"repo_id": "a/b", "allow_patterns": ["*.json", "sub/"]}, Wanted("a/b", allow_patterns=("*.json", "sub/"))),
        ({"repo_id": "a/b", "repo_type": "dataset"}, Wanted("a/b", "dataset")),
        ({"repo_id": "a/b", "revision": "v1.0"}, Wanted("a/b", revision="v1.0")),
        ({"repo_id": "a/b", "revision": "refs/pr/1"}, Wanted("a/b", revision="refs/pr/1")),
        ({"repo_id": "a/b", "revision": COMMIT}, Wanted("a/b", revision=COMMIT)),
        ({"repo_id": "a/b", "views": ["facefusion"]}, Wanted("a/b", views=("facefusion",))),
        ({"repo_id": "a/b", "ignore_patterns": ["*.bin"]}, Wanted("a/b", ignore_patterns=("*.bin",))),
        (
            {"repo_id": "a/b", "publish": "manual", "keep": 5, "token": "team-a", "labels": ["prod"]},
            Wanted("a/b", publish="manual", keep=5, token="team-a", labels=("prod",)),
        ),
        (
            {"repo_id": "a/b", "formats": "no-pickle", "allow_rewind": True},
            Wanted("a/b", formats="no-pickle", allow_rewind=True),
        ),
        (
            {"repo_id": "a/b", "formats": "safe", "formats_allow": ["*.bin", "sub/"]},
            Wanted("a/b", formats="safe", formats_allow=("*.bin", "sub/")),
        ),
        (
            {"repo_id": "a/b", "files": ["odd/a b+c%.txt", "模型/权重.txt"]},
            Wanted("a/b", files=("odd/a b+c%.txt", "模型/权重.txt")),
        ),
    ],
)
def test_accepted(entry: dict[str, Any], wanted: Wanted) -> None:
    assert parse([entry]) == [wanted]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (None, "the whitelist is null"),
        ({}, "the whitelist is a mapping"),
        ([], "the whitelist is empty"),
        (["a/b"], "entry 1: is a text"),
        ([{"files": ["x"]}], "entry 1: repo_id is missing"),
        ([{"repo_id": "a/b", "fles": ["x"]}], r"entry 1 \(a/b\): unknown key fles"),
        ([{"repo_id": "a/b/c"}], "repo_id 'a/b/c'"),
        ([{"repo_id": "a--b/c"}], "repo_id 'a--b/c'"),
        ([{"repo_id": "../b"}], r"repo_id '\.\./b'"),
        ([{"repo_id": "a/.."}], "repo_id"),
        ([{"repo_id": "a/b c"}], "repo_id"),
        ([{"repo_id": "a/" + "b" * 97}], "repo_id"),
        ([{"repo_id": 7}], "repo_id 7"),
        ([{"repo_id": "a/b\n"}], "repo_id"),
        ([{"repo_id": "a/b", "repo_type": "models"}], "repo_type 'models'"),
        ([{"repo_id": "a/b", "revision": "feature/x"}], "revision 'feature/x'"),
        ([{"repo_id": "a/b", "revision": 1.0}], "must be quoted"),
        ([{"repo_id": "a/b", "revision": ".."}], "revision"),
        ([{"repo_id": "a/b", "files": []}], "files must be a list"),
        ([{"repo_id": "a/b", "files": "x"}], "files must be a list"),
        ([{"repo_id": "a/b", "files": ["x", "x"]}], "files has x twice"),
        ([{"repo_id": "a/b", "files": ["../x"]}], r"file name '\.\./x'"),
        ([{"repo_id": "a/b", "files": ["a/../../x"]}], "'..' component"),
        ([{"repo_id": "a/b", "files": ["/etc/passwd"]}], "is absolute"),
        ([{"repo_id": "a/b", "files": ["a//b"]}], "empty"),
        ([{"repo_id": "a/b", "files": ["a\nb"]}], "can't be mirrored"),
        ([{"repo_id": "a/b", "files": [".mirror.flat.json"]}], "can't be mirrored"),
        ([{"repo_id": "a/b", "allow_patterns": ["../*"]}], "'..' component"),
        ([{"repo_id": "a/b", "allow_patterns": ["/"]}], "is absolute"),
        ([{"repo_id": "a/b", "files": ["x"], "allow_patterns": ["y"]}], "exclude each other"),
        ([{"repo_id": "a/b", "files": ["x"], "ignore_patterns": ["y"]}], "exclude each other"),
        ([{"repo_id": "a/b", "publish": "never"}], "publish 'never' is none of auto, manual"),
        ([{"repo_id": "a/b", "formats": "unsafe"}], "formats 'unsafe' is none of any, no-pickle, safe"),
        ([{"repo_id": "a/b", "formats": "safe", "formats_allow": []}], "formats_allow must be a list"),
        ([{"repo_id": "a/b", "formats": "safe", "formats_allow": "*.bin"}], "formats_allow must be a list"),
        ([{"repo_id": "a/b", "formats": "safe", "formats_allow": ["../*"]}], "'..' component"),
        ([{"repo_id": "a/b", "formats_allow": ["*.bin"]}], "formats_allow needs formats"),
        ([{"repo_id": "a/b", "keep": 0}], "keep is 0"),
        ([{"repo_id": "a/b", "keep": True}], "keep is True"),
        ([{"repo_id": "a/b", "token": "a b"}], "token must be a name"),
        ([{"repo_id": "a/b", "token": 7}], "token must be a name"),
        ([{"repo_id": "a/b", "labels": "prod"}], "labels must be a list"),
        ([{"repo_id": "a/b", "allow_rewind": "yes"}], "allow_rewind is 'yes'"),
        ([{"repo_id": "a/b", "views": ["../x"]}], "view '../x'"),
        ([{"repo_id": "a/b", "views": [".build"]}], "view '.build'"),
        ([{"repo_id": "a/b"}, {"repo_id": "A/B", "files": ["x"]}], "entry A/B@main: is listed twice"),
        (
            [
                {"repo_id": "a/b", "files": ["m.onnx"], "views": ["v"]},
                {"repo_id": "c/d", "files": ["n/m.onnx"], "views": ["v"]},
            ],
            "view v would hold two files named m.onnx",
        ),
        ([{"repo_id": "a/b", "files": ["1/m", "2/m"], "views": ["v"]}], "view v would hold two files named m"),
    ],
)
def test_refused(entries: Any, words: str) -> None:
    with pytest.raises(WhitelistError, match=words):
        parse(entries)


@pytest.mark.parametrize(
    ("entry", "judged"),
    [
        ({}, []),
        ({"formats": "any"}, []),
        ({"formats": "safe"}, ["a.bin", "b.json", "sub/c.bin", "sub/d.py"]),
        ({"formats": "no-pickle", "formats_allow": ["*.bin"]}, ["b.json", "sub/d.py"]),
        ({"formats": "safe", "formats_allow": ["sub/", "b.json"]}, ["a.bin"]),
        ({"formats": "safe", "files": ["b.json"], "formats_allow": ["*.bin"]}, ["b.json"]),
    ],
)
def test_what_is_judged(entry: dict[str, Any], judged: list[str]) -> None:
    paths = ["sub/d.py", "sub/c.bin", "b.json", "a.bin"]
    assert parse([{"repo_id": "a/b", **entry}])[0].to_judge(paths) == judged


def test_every_wrong_entry_is_named() -> None:
    with pytest.raises(WhitelistError) as caught:
        parse([{"repo_id": "a/b", "x": 1}, {"repo_id": "good/one"}, {"repo_id": "c"}, {"repo_id": "/"}])
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "whitelist entry 1 (a/b)",
        "whitelist entry 4 (/)",
    ]


PATHS = ["README.md", "a.json", "sub/b.json", "sub/deep/c.bin", "subject.txt"]


@pytest.mark.parametrize(
    ("entry", "selected"),
    [
        ({}, PATHS),
        ({"files": ["sub/b.json"]}, ["sub/b.json"]),
        ({"allow_patterns": ["*.json"]}, ["a.json", "sub/b.json"]),
        ({"allow_patterns": ["sub/"]}, ["sub/b.json", "sub/deep/c.bin"]),
        ({"ignore_patterns": ["*.json", "sub/"]}, ["README.md", "subject.txt"]),
        ({"allow_patterns": ["*.json"], "ignore_patterns": ["sub/"]}, ["a.json"]),
        ({"allow_patterns": ["?.json", "*.bin"]}, ["a.json", "sub/deep/c.bin"]),
    ],
)
def test_selected(entry: dict[str, Any], selected: list[str]) -> None:
    assert parse([{"repo_id": "a/b", **entry}])[0].select(PATHS) == selected


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"files": ["a.json", "none.bin"]}, "no none.bin in a/b@main"),
        ({"allow_patterns": ["*.onnx"]}, "nothing in a/b@main"),
    ],
)
def test_what_the_hub_lacks_is_named(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(MirrorError, match=words):
        parse([{"repo_id": "a/b", **entry}])[0].select(PATHS)
