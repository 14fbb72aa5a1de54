# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is a name for the engine is one for nginx, and nothing else is, even where the store has it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.modelops.hf_mirror.plugins.filter.glob_pattern import glob_pattern
from ansible_collections.modelops.hf_mirror.plugins.filter.name_pattern import name_pattern
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.names import (
    Commit,
    Etag,
    NameProblem,
    Ref,
    ViewName,
    repo_id,
)
from unit.roles.nginx_server import Answer, Mirror, Store, commit_of, serving

COMMIT = commit_of("named")
FILES = {"config.json": b"{}\n"}
LONG = "a" * 96

REPOS = {
    **dict.fromkeys(
        ["gpt2", "org/name", "Org/Name_2", "_/_", "o.r.g/n-a-m.e", "o/a.-b", "o/a-.-_b", "1/2", "x.git/y"], True
    ),
    **dict.fromkeys([f"{LONG}/{LONG}", LONG, "org/gitgit", "org/git"], True),
    **dict.fromkeys(
        ["a--b", "org/a--b", "a--b/name", "-a", "a-", "org/-a", "org/a-", ".a", "a.", "org/.a", "org/a."], False
    ),
    **dict.fromkeys(["a..b", "org/a..b", "a.git", "org/a.git", f"{LONG}a", f"org/{LONG}a", f"{LONG}a/name"], False),
    **dict.fromkeys(["a b", "a+b", "org/ä", "org/a\n", "a\n", "a@b", "org/a~", "org/a:b", "org/a,b"], False),
}
REFS = {
    **dict.fromkeys(
        ["main", "v1.0", "1", "a--b", "a-", "a.", "_x", "a+b", "refs/pr/1", "refs/convert/x.y", "r" * 200], True
    ),
    **dict.fromkeys(
        ["-a", ".a", "a..b", "a.lock", "refs/pr/a.lock", "refs/pr/-", "a b", "a~1", "a^", "a:b", "r" * 201], False
    ),
    **dict.fromkeys(["main\n", "ä", "a@{1}", "a\\b", "a*"], False),
}
VIEWS = {
    **dict.fromkeys(["a--b", "faces", "faces-3.1", "a.b.c", "a-", "a_", "0", "v" * 200], True),
    **dict.fromkeys(["_a", "-a", "a.", "a..b", "a b", "ä", "a+b", "a\n", "v" * 201], False),
}
COMMITS = {
    **dict.fromkeys(["0123456789abcdef" * 2 + "01234567", "f" * 40], True),
    **dict.fromkeys(["f" * 39, "f" * 41, "F" * 40, "g" * 40, "f" * 39 + " ", "f" * 64, "f" * 40 + "\n"], False),
}
ETAGS = {
    **dict.fromkeys(["f" * 40, "0" * 64, "0123456789abcdef" * 4], True),
    **dict.fromkeys(["f" * 39, "f" * 41, "f" * 63, "f" * 65, "F" * 64, "g" * 40, "f" * 32], False),
}


def spell(name: str) -> str:
    return quote(name, safe="/")


def served(answer: Answer) -> bool:
    """Say whether it is the file, which comes with an ETag wherever it comes from."""
    assert (answer.status == 200) == (answer.body == FILES["config.json"]) == (answer.header("ETag") is not None)
    return answer.status == 200


class Named:
    """A mirror of everything that is in the tables, good and bad, and what it serves of that."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def repo(self, name: str) -> bool:
        said = {
            served(self._mirror.ask(f"/{spell(name)}/resolve/main/config.json")),
            served(self._mirror.ask(f"/{spell(name)}/raw/{COMMIT}/config.json")),
            self._mirror.ask(f"/api/models/{spell(name)}").status == 200,
        }
        assert len(said) == 1, name
        return said.pop()

    def ref(self, name: str) -> bool:
        answer = self._mirror.ask(f"/org/name/resolve/{spell(name)}/config.json")
        assert answer.header("X-Error-Code") == (None if answer.status == 200 else "RevisionNotFound")
        return served(answer)

    def view(self, name: str) -> bool:
        is_listed = self._mirror.ask(f"/models/{spell(name)}/").status == 200
        is_served = served(self._mirror.ask(f"/models/{spell(name)}/config.json"))
        assert is_listed == is_served
        return is_served

    def commit(self, name: str) -> bool:
        return served(self._mirror.ask(f"/org/name/resolve/{spell(name)}/config.json"))

    def etag(self, name: str) -> bool:
        answer = self._mirror.ask(f"/org/etags/resolve/{COMMIT}/{name}")
        assert answer.header("ETag") in (None, f'"{name}"')
        return answer.header("ETag") is not None


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Named]:
    folder = tmp_path_factory.mktemp("names")
    store = Store(folder / "store")
    for name in REPOS:
        store.commit(name, COMMIT, FILES)
        store.ref(name, "main", COMMIT)
    for name in REFS:
        if name != "main":
            store.ref("org/name", name, COMMIT)
    for name in COMMITS:
        store.commit("org/name", name, FILES)
    for name in VIEWS:
        store.view(name, FILES)
    store.commit("org/etags", COMMIT, FILES)
    blobs = store.folder("org/etags") / "blobs"
    for name in ETAGS:
        (blobs / name).write_bytes(b"")
        link = blobs.parent / "snapshots" / COMMIT / name
        link.symlink_to(os.path.relpath(blobs / name, link.parent))
    with serving(store, folder / "nginx") as mirror:
        yield Named(mirror)


def is_taken(kind: Callable[[str], Any], name: str) -> bool:
    try:
        kind(name)
    except NameProblem:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "table", "asked"),
    [
        (repo_id, REPOS, "repo"),
        (Ref, REFS, "ref"),
        (ViewName, VIEWS, "view"),
        (Commit, COMMITS, "commit"),
        (Etag, ETAGS, "etag"),
    ],
)
def test_the_engine_and_nginx_know_the_same_names(
    named: Named, kind: Callable[[str], Any], table: Mapping[str, bool], asked: str
) -> None:
    assert {name: is_taken(kind, name) for name in table} == dict(table)
    assert {name: getattr(named, asked)(name) for name in table} == dict(table)


def test_a_kind_that_nobody_knows() -> None:
    with pytest.raises(AnsibleFilterError, match="commit, etag, word"):
        name_pattern("comit")


# ---- Patterns of rules

MATCHED = ["a", "ab", "aba/abab", "a.b/a-b", "axb/a-b", f"{LONG}/{LONG}", f"{LONG}/{LONG[1:]}b", "b/a"]
GLOBS = [
    *[
        "**",
        "a",
        "*b",
        "*/*",
        "a*b",
        "*a*b*",
        "a*ab",
        "aba*abab",
        "aba/*ab*ab",
        "*ab*ab*ab*",
        "a.b/*",
        "***b***/***a***",
    ],
    *[f"{LONG}/{LONG}", f"{LONG}/*", "a" * 202],
    # each of which an expression that tries in every way would never get through
    *["*a" * 100 + "*b", "a*" * 101, "*aa" * 60 + "*ab"],
]


@pytest.fixture(scope="module")
def matched(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("globs") / "store")
    for name in MATCHED:
        store.commit(name, COMMIT, FILES)
        store.ref(name, "main", COMMIT)
    return store


@pytest.mark.parametrize("pattern", GLOBS, ids=range(len(GLOBS)))
def test_a_pattern_means_the_same_to_a_guard_and_a_listing(matched: Store, tmp_path: Path, pattern: str) -> None:
    wanted = sorted(name for name in MATCHED if fnmatchcase(name, pattern))
    rules = [{"repos": [pattern]}]
    with serving(matched, tmp_path / "nginx", mirror_nginx_access=rules) as mirror:
        assert [name for name in sorted(MATCHED) if mirror.ask(f"/api/models/{name}").status == 200] == wanted
        assert sorted(entry["id"] for entry in mirror.ask("/api/models").json) == wanted
        assert [line for line in mirror.errors() if "[notice]" not in line] == []


@pytest.mark.parametrize("pattern", ["", "a" * 203, "*" * 203, "a b", "a\n", "[ab]", "a?", "a;b", 'a"b', "(a)", "a\\"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(AnsibleFilterError, match="1 to 202 letters"):
        glob_pattern(pattern)
