# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How files of a whitelist are joined, and what nodes tell each other of them. Pure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.names import NameProblem
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import WhitelistError, parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist_files import Entries
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist_folder import join_files
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.whitelist_record import (
    FileRecord,
    merge_records,
    records_of,
    to_json,
)


def entries(*several: Any) -> Entries:
    found = Entries()
    found.extend({"repo_id": one} if isinstance(one, str) else one for one in several)
    found.sources = [f"FILE line {number}" for number in range(1, len(several) + 1)]
    return found


A, B, C = "team/a", "team/b", "team/c"
A_CONFIG = {"repo_id": A, "files": ["config.json"]}
WRONG = WhitelistError("x.yml line 1: not YAML")

JOINED: dict[str, tuple[dict[str, Any], dict[str, list[Any]], list[str], str]] = {
    "two files": ({"1.yml": [A], "2.yml": [B]}, {}, [A, B], ""),
    "an empty file": ({"1.yml": [A], "2.yml": []}, {}, [A], ""),
    "nothing but empty files": ({"1.yml": []}, {}, [], ""),
    "equal entries": ({"1.yml": [A], "2.yml": [A, B]}, {}, [A, B], ""),
    "equal but for labels": ({"1.yml": [A], "2.yml": [{"repo_id": A, "labels": ["mine"]}]}, {}, [A], ""),
    "entries that differ": (
        {"1.yml": [A], "2.yml": [A_CONFIG, B]},
        {},
        [A],
        "2.yml (team/a@main): 1.yml has it with other files or settings: merge the two",
    ),
    "entries that differ, of a file that was right": (
        {"1.yml": [A], "2.yml": [A_CONFIG, B]},
        {"2.yml": [B, C]},
        [A, B, C],
        "The previous entries of 2.yml stay wanted",
    ),
    "one name in one view": (
        {
            "1.yml": [{"repo_id": A, "files": ["m.onnx"], "views": ["v"]}],
            "2.yml": [{"repo_id": B, "files": ["x/m.onnx"], "views": ["v"]}],
        },
        {},
        [A],
        "view v would hold two files named m.onnx (team/a@main)",
    ),
    # what a file has nobody takes from it, also where his sorts first
    "an entry that another file had before": (
        {"0.yml": [A_CONFIG, C], "1.yml": [A]},
        {"1.yml": [A]},
        [A],
        "0.yml (team/a@main): 1.yml has it with other files or settings",
    ),
    "the same in another case": (
        {"0.yml": ["Team/A"], "1.yml": [A]},
        {"1.yml": [A]},
        [A],
        "0.yml (Team/A@main): 1.yml has it",
    ),
    "the same while the file that had it is wrong": (
        {"0.yml": [A_CONFIG], "1.yml": WRONG},
        {"1.yml": [A]},
        [A],
        "0.yml",
    ),
    "the same while the file that had it is gone": (
        {"0.yml": [A_CONFIG]},
        {"gone.yml": [A]},
        [A],
        "/d/gone.yml is missing",
    ),
    "a name in a view that another file had before": (
        {
            "0.yml": [{"repo_id": B, "files": ["x/m.onnx"], "views": ["v"]}],
            "1.yml": [{"repo_id": A, "files": ["m.onnx"], "views": ["v"]}],
        },
        {"1.yml": [{"repo_id": A, "files": ["m.onnx"], "views": ["v"]}]},
        [A],
        "0.yml (team/b@main): view v would hold two files",
    ),
    "a copy of a file, of which one is changed": (
        {"0.yml": [A_CONFIG], "1.yml": [A]},
        {"0.yml": [A], "1.yml": [A]},
        [A],
        "0.yml (team/a@main): 1.yml has it",
    ),
    "an entry that its file gives away": ({"0.yml": [A_CONFIG], "1.yml": [B]}, {"1.yml": [A, B]}, [B, A], ""),
    "too many entries": ({"1.yml": [f"team/x{number}" for number in range(5001)]}, {}, [], "more than 5000"),
    "a wrong file": ({"1.yml": [A], "2.yml": WRONG}, {"1.yml": [A], "2.yml": [B]}, [A, B], "not YAML"),
    "a wrong file that was never right": ({"1.yml": [A], "2.yml": WRONG}, {}, [A], "not YAML"),
    "a wrong entry": ({"1.yml": [A], "2.yml": ["no/such/name", C]}, {"2.yml": [B]}, [A, B], "FILE line 1"),
    "a file that is gone": ({"1.yml": [A]}, {"1.yml": [A], "gone.yml": [B]}, [A, B], "/d/gone.yml is missing"),
    "a file that got another name": ({"new.yml": [A, B]}, {"gone.yml": [A, B]}, [A, B], ""),
    "a file that is gone, some of it in others": (
        {"1.yml": [A]},
        {"gone.yml": [A_CONFIG, B]},
        [A, B],
        "/d/gone.yml is missing. Its entries stay wanted. Restore it",
    ),
    "a file of another node": ({"1.yml": [A]}, {"theirs.yml": [B]}, [A, B], ""),
    "an entry that is dropped": ({"1.yml": [A]}, {"1.yml": [A, B]}, [A], ""),
    "a file that was emptied": ({"1.yml": [A], "2.yml": []}, {"2.yml": [B]}, [A], ""),
    "a file that was emptied, then removed": ({"1.yml": [A]}, {"gone.yml": []}, [A], ""),
}


@pytest.mark.parametrize("what", JOINED)
def test_files_are_joined(what: str) -> None:
    read, last, wanted, problem = JOINED[what]
    found = join_files(
        {name: one if isinstance(one, WhitelistError) else entries(*one) for name, one in read.items()},
        {name: parse(entries(*one)) if one else [] for name, one in last.items()},
        {"gone.yml": "/d/gone.yml"},
    )
    assert sorted(one.repo_id for one in found.wanted) == sorted(wanted)
    told = "; ".join(found.problems.values())
    assert (problem in told) if problem else not told
    # whatever was wrong, the next time it is known what stays
    again = join_files(
        {name: one if isinstance(one, WhitelistError) else entries(*one) for name, one in read.items()},
        found.files,
        {"gone.yml": "/d/gone.yml"},
    )
    assert (again.files, again.problems, {*again.wanted}) == (found.files, found.problems, {*found.wanted})


RECORD = FileRecord(tuple(parse(entries(A_CONFIG, B))), "2026-11-30T02:00:00Z", "a" * 32)


def test_a_record_is_read_as_it_was_written() -> None:
    records = {"team.yml": RECORD, "empty.yaml": FileRecord((), "2026-11-30T02:00:00Z", "b" * 32, is_gone=True)}
    assert records_of(json.loads(json.dumps(to_json(records)))) == records


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {"../x.yml": RECORD.to_json()},
        {".x.yml": RECORD.to_json()},
        {"x.txt": RECORD.to_json()},
        {f"{'x' * 300}.yml": RECORD.to_json()},
        {"x.yml": {**RECORD.to_json(), "entries": "a/b"}},
        {"x.yml": {**RECORD.to_json(), "entries": [{"repo_id": "../../etc"}]}},
        {"x.yml": {**RECORD.to_json(), "entries": [{"repo_id": "../" * 100}] * 2000}},
        {"x.yml": {**RECORD.to_json(), "time": 5}},
        {"x.yml": {**RECORD.to_json(), "node": "me"}},
        {"x.yml": None},
        {f"{number}.yml": RECORD.to_json() for number in range(3000)},
    ],
)
def test_what_a_peer_tells_of_files_is_looked_at(wrong: Any) -> None:
    with pytest.raises(NameProblem) as problem:
        records_of(wrong)
    assert str(problem.value).isprintable() and len(str(problem.value)) < 1000


@pytest.mark.parametrize(
    ("mine", "theirs", "wins"),
    [
        (None, "2026-11-30T02:00:00Z", "theirs"),
        ("2026-11-30T02:00:00Z", "2026-11-30T02:00:01Z", "theirs"),
        ("2026-11-30T02:00:00Z", "2026-11-30T02:00:00Z", "theirs"),
        ("2026-11-30T02:00:01Z", "2026-11-30T02:00:00Z", "mine"),
        ("2026-11-30T02:00:00Z", "2036-11-30T02:00:00Z", "mine"),
    ],
    ids=["new", "later", "same second", "earlier", "clock"],
)
def test_what_was_said_last_counts(mine: str | None, theirs: str, wins: str) -> None:
    here = {"x.yml": FileRecord((), mine, "a" * 32)} if mine else {}
    there = {"x.yml": FileRecord((), theirs, "b" * 32)}
    now = 1796004001  # 2026-11-30T02:00:01Z
    assert merge_records(here, there, now) == (here if wins == "mine" else there)


LATER = "2026-11-30T02:00:00Z"
NOW = 1796004001.0  # 2026-11-30T02:00:01Z


@pytest.mark.parametrize(
    ("entries_of_each", "files", "most"),
    [(1, 2000, 1000), (5000, 6, 4), (0, 2000, 1000)],
    ids=["names", "entries", "names that say nothing"],
)
def test_a_peer_that_tells_of_very_many_files_leaves_room(entries_of_each: int, files: int, most: int) -> None:
    wanted = tuple(parse(entries(*(f"team/x{number}" for number in range(entries_of_each)))) if entries_of_each else ())
    theirs = {f"{number:04}.yml": FileRecord(wanted, LATER, "b" * 32) for number in range(files)}
    mine = {"ansible.yml": RECORD}
    merged = merge_records(mine, theirs, NOW)
    assert merged["ansible.yml"] == RECORD and len(merged) <= most
    # told a second time it grows no further, and what it has can be read
    assert merge_records(merged, theirs, NOW) == merged
    assert records_of(json.loads(json.dumps(to_json(merged)))) == merged
    # what its owner empties goes, whatever there is room for
    emptied = FileRecord((), "2026-11-30T02:00:01Z", "b" * 32)
    assert merge_records(merged, {"0000.yml": emptied}, NOW)["0000.yml"] == emptied


def test_long_names_count_as_what_they_are_written_out() -> None:
    long = [f"{number}/{'/'.join(['x' * 250] * 4)}" for number in range(3000)]
    found = join_files({"1.yml": entries({"repo_id": A, "ignore_patterns": long})}, {}, {})
    assert not found.wanted and "have more than 2 MiB" in found.problems["1.yml"]
