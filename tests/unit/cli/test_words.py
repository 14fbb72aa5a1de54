# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records in words, and lines as they are shown. Pure."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli.ledger_text import describe
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli.run_display import RunDisplay
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli.terminal import (
    QuietTerminal,
    Terminal,
    clean,
    open_terminal,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.report import human
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store

REPO = {"repo_type": "model", "repo_id": "a/b", "run": 3}
A, B = "a" * 40, "b" * 40
RUN = {
    "kind": "run",
    "run": 3,
    "duration": 61.26,
    "unchanged": 7,
    "succeeded": ["a/b@main"],
    "fetched_bytes": 5_800_000,
}


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"kind": "start", "run": 3, "actor": "alice"}, "run 3 begins (alice)"),
        ({"kind": "recover", "run": 3, "what": "x was there"}, "recovered: x was there"),
        ({"kind": "intent", **REPO}, None),
        ({"kind": "seal", **REPO, "commit": A}, None),
        (
            {"kind": "publish", **REPO, "ref": "main", "serial": 2, "old": A, "new": B, "actor": "alice"},
            "a/b main: aaaaaaaaaaaa -> bbbbbbbbbbbb (publish 2, alice)",
        ),
        (
            {"kind": "publish", **REPO, "ref": "v1", "serial": 1, "old": None, "new": B, "actor": "alice"},
            "a/b v1: nothing -> bbbbbbbbbbbb (publish 1, alice)",
        ),
        (
            {
                "kind": "publish",
                **REPO,
                "ref": "main",
                "serial": 3,
                "old": B,
                "new": A,
                "actor": "alice",
                "rollback": True,
                "note": "faces turn green",
            },
            "a/b main: bbbbbbbbbbbb -> aaaaaaaaaaaa (roll-back 3, alice): faces turn green",
        ),
        (
            {"kind": "mark", **REPO, "mark": "pins", "name": A, "is_set": True, "actor": "alice", "note": "release 7"},
            "a/b aaaaaaaaaaaa: pinned (alice): release 7",
        ),
        (
            {"kind": "mark", **REPO, "mark": "frozen", "name": "main", "is_set": False, "actor": "alice"},
            "a/b main: follows the upstream again (alice)",
        ),
        (
            {"kind": "retire", **REPO, "commits": [A, B], "actor": "alice"},
            "a/b: nothing names aaaaaaaaaaaa, bbbbbbbbbbbb any more; served by id until the grace is over (alice)",
        ),
        (
            {"kind": "collected", **REPO, "commits": [A], "bytes": 5_800_000, "actor": "alice"},
            "a/b: aaaaaaaaaaaa collected, 5.8 MB freed (alice)",
        ),
        (
            {"kind": "pending", **REPO, "repo_type": "space", "ref": "main", "commit": A},
            "space a/b main: aaaaaaaaaaaa was downloaded and waits for approval",
        ),
        ({"kind": "withdraw", **REPO, "ref": "v1", "actor": "alice"}, "a/b v1: withdrawn (alice)"),
        ({"kind": "remove", **REPO, "actor": "alice"}, "a/b: removed (alice)"),
        (
            {"kind": "stopped", "run": 3, "actor": "alice"},
            "stopped before the run was finished (alice); the next one continues from there",
        ),
        ({**RUN, "failed": {}}, "run 3 ended after 61.3 s: 1 updated, 7 unchanged, 5.8 MB came in"),
        (
            {**RUN, "failed": {"c/d@main": ["c/d is gone", "it is gone"], "e/f@main": ["e/f is gone", "it is gone"]}},
            "run 3 ended after 61.3 s: 1 updated, 7 unchanged, 5.8 MB came in; 2 of 10 entries failed: c/d@main,"
            " e/f@main: it is gone",
        ),
        (
            {**RUN, "succeeded": ["a/b@main", "views"], "failed": {"max_delete": ["too much", "too much"]}},
            "run 3 ended after 61.3 s: 1 updated, 7 unchanged, 5.8 MB came in; max_delete: too much",
        ),
        (
            {**RUN, "unchanged": 0, "succeeded": [], "failed": {"a/b@main": ["x", "x"], "views": ["x", "x"]}},
            "run 3 ended after 61.3 s: 0 updated, 0 unchanged, 5.8 MB came in; 1 of 1 entries failed: a/b@main, views:"
            " x",
        ),
        (
            {"kind": "alert", "failing": ["a/b@main"], "recovered": ["c/d@main"], "problems": ["receiver 2 is deaf"]},
            "alert sent: a/b@main fails, c/d@main recovered; receiver 2 is deaf",
        ),
        (
            {"kind": "alert", "failing": [], "recovered": [], "problems": ["receiver 1 is deaf"]},
            "no alert could be sent; receiver 1 is deaf",
        ),
        ({"kind": "suspect", "etag": B, "names": [], "bytes": 7, "problem": "x", "actor": "alice"}, None),
        (
            {"kind": "rot", "etag": B, "names": ["pool/b", "hub/b"], "bytes": 7, "problem": "x", "actor": "alice"},
            "bbbbbbbbbbbb is rotten, and is not served any more: x (pool/b, hub/b)",
        ),
        (
            {"kind": "repair", "etag": B, "bytes": 7, **REPO, "commit": A, "path": "c.bin", "actor": "alice"},
            "bbbbbbbbbbbb is sound again: c.bin of a/b@aaaaaaaaaaaa was fetched (alice)",
        ),
        (
            {"kind": "discard", "etag": B, "bytes": 7000, "actor": "alice"},
            "bbbbbbbbbbbb was rotten, and nothing needed it: removed, 7.0 kB freed (alice)",
        ),
        (
            {"kind": "scrub", "contents": 3, "bytes": 7, "repaired": 1, "removed": 0, "left": 1, "actor": "alice"},
            "3 contents, 7 B read again: 1 repaired, 0 removed, 1 rotten (alice)",
        ),
        # another version's
        ({"kind": "scrub", "time": "t", "blobs": 3}, "scrub: blobs 3"),
        ({"kind": "run", "run": 4}, "run: run 4"),
    ],
)
def test_tell(record: dict[str, Any], text: str | None) -> None:
    assert describe(record) == text


def test_the_end_of_a_run_without_its_failures() -> None:
    failed = {"c/d@main": ["c/d is gone", "it is gone"]}
    told = describe({**RUN, "failed": failed}, failures=False)
    assert told == "run 3 ended after 61.3 s: 1 updated, 7 unchanged, 1 failed, 5.8 MB came in"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (554_253_681, "554.3 MB"), (4e9, "4.0 GB"), (12.3e15, "12300.0 TB")],
)
def test_human(size: float, text: str) -> None:
    assert human(size) == text


def test_plain_lines() -> None:
    stream = io.StringIO()
    terminal = open_terminal(stream)
    terminal.say("red\x1b[31m\r模型", "red")
    terminal.table(["NAME", ">SIZE", ""], [["a/b", "1.0 kB", ""], ["long/name", "3 B", "odd\x07"]])
    for phase in ("starting", "asking the Hub", "asking the Hub", "fetching", "fetching"):
        terminal.progress(
            {"phase": phase, "total": 3 * (phase != "starting"), "bytes_total": 5000 * (phase == "fetching")}
        )
    terminal.progress(None)
    terminal.data({"a": 1})
    assert stream.getvalue().splitlines() == [
        "red?[31m?模型",
        "NAME         SIZE",
        "a/b        1.0 kB",
        "long/name     3 B  odd?",
        "fetching: 3 files, 5.0 kB",
    ]


def test_a_record_is_told_once_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever follows may look while a line is being written."""
    (tmp_path / "ledger").mkdir()
    ledger = tmp_path / "ledger" / "2026-11.jsonl"
    ledger.write_text('{"kind": "start", "run": 1, "actor": "before"}\n')
    pieces = [
        '{"kind": "start", "run": 2,',
        ' "actor": "alice"}\n{"kind": "sta',
        'rt"\n{"kind": "start", "run": 3, "actor": "bob"}\n',
    ]

    def write_more(_clock: Clock, _seconds: float) -> None:
        with ledger.open("a") as file:
            file.write(pieces.pop(0))

    monkeypatch.setattr(Store, "running", lambda _store: "pid 1" if pieces else None)
    monkeypatch.setattr(Clock, "sleep", write_more)
    stream = io.StringIO()
    RunDisplay(Store(tmp_path), Terminal(stream)).follow()
    assert stream.getvalue() == "run 2 begins (alice)\nrun 3 begins (bob)\n"


def test_json_and_nothing_else() -> None:
    stream = io.StringIO()
    terminal: Terminal = QuietTerminal(stream)
    terminal.say("x")
    terminal.table(["A"], [["b"]])
    terminal.progress({"phase": "fetching", "total": 1, "bytes_total": 1})
    terminal.data({"模": 1}, indent=None)
    assert stream.getvalue() == '{"模": 1}\n'


def test_two_lines_stay_two_lines() -> None:
    assert clean("a\nb\x00\u202e") == "a\nb??"
