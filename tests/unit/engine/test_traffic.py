# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the access log comes to: how requests end, the hit rate, and that no line counts twice or never."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check import traffic as _traffic
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.access_log import Request
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.log_cursor import Cursor, NewLines
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.traffic import Traffic, from_json, to_json
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo

NOON = 1_795_608_000.0  # 2026-11-25T12:00:00Z
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def request(**changes: Any) -> Request:
    given: dict[str, Any] = {
        "began": NOON,
        "ended": NOON,
        "status": 200,
        "bytes": 100,
        "client": "10.0.0.7",
        "user": "alice",
        "method": "GET",
        "repo_type": "model",
        "repo_id": "org/name",
        "ref": "main",
        "commit": COMMIT,
        "path": "x.bin",
        "view": "",
        "error": "",
        "range": "",
    }
    return Request(**{**given, **changes})


def lookup(repo: Repo, asked: Request) -> _traffic.Sought:
    """org/name is here, and has one more file, which is not mirrored; org/secret is here for others."""
    is_here = repo.repo_id in ("org/name", "org/secret")
    if asked.path == "more.bin":
        return _traffic.Sought(is_here, size=900)
    return _traffic.Sought(is_here, asked.commit == COMMIT)


def counted(*requests: Request) -> Traffic:
    found = Traffic()
    assert found.count(requests, lookup) == len(requests)
    return found


LACKS = {"status": 404, "error": "EntryNotFound", "bytes": 0}


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "served"),
        ({"status": 304, "bytes": 0}, "served"),
        ({"status": 206, "range": "bytes=0-"}, "served"),
        ({"status": 206, "range": "bytes=0-99"}, "served"),
        ({"status": 206, "range": "bytes=100-"}, "rest"),
        ({"status": 206, "range": "bytes=-5"}, "rest"),
        ({"repo_type": "", "repo_id": "", "ref": "", "commit": "", "view": "faces"}, "served"),
        ({"method": "HEAD"}, "other"),
        ({"path": ""}, "other"),
        ({"method": "POST", "status": 405}, "other"),
        ({**LACKS, "path": "more.bin"}, "missing"),
        ({**LACKS, "path": "more.bin", "method": "HEAD"}, "missing"),
        ({**LACKS, "path": "optional.json"}, "absent"),
        ({**LACKS, "error": "RepoNotFound", "commit": "", "repo_id": "org/other"}, "missing"),
        ({**LACKS, "error": "RepoNotFound", "commit": "", "repo_id": "org/other", "status": 401}, "missing"),
        ({**LACKS, "error": "RepoNotFound", "commit": "", "repo_id": "org/secret"}, "denied"),
        ({**LACKS, "error": "RepoNotFound", "commit": "", "repo_id": "org/secret", "status": 401}, "denied"),
        ({**LACKS, "error": "RevisionNotFound", "commit": ""}, "missing"),
        ({"status": 206, "range": "bytes=0-0"}, "rest"),
        ({**LACKS, "error": "RepoNotFound", "commit": "", "repo_id": "a/b/../c"}, "missing"),
        ({"status": 302, "commit": ""}, "hub"),
        ({"status": 302, "commit": "", "method": "HEAD"}, "hub"),
        ({"status": 403}, "denied"),
        ({"status": 429}, "limited"),
        ({"status": 503}, "failed"),
        ({"status": 412}, "other"),
        ({"status": 307, "method": "HEAD"}, "other"),
    ],
)
def test_how_a_request_ends(changes: dict[str, Any], outcome: str) -> None:
    found = counted(request(**changes))
    assert {name: one[0] for name, one in found.total.items()} == {outcome: 1}
    assert found.days == {"2026-11-25": found.total} and outcome in _traffic.OUTCOMES


def test_a_miss_is_one_however_often_a_client_tries() -> None:
    gone = {**LACKS, "error": "RepoNotFound", "commit": "", "repo_id": "org/other"}
    tries = [request(**gone, method="HEAD"), request(**gone, ended=NOON + 1), request(**gone, ended=NOON + 500)]
    assert counted(*tries).total == {"missing": [1, 0], "other": [2, 0]}
    later = [*tries, request(**gone, ended=NOON + 1101), request(**gone, client="10.0.0.8")]
    assert counted(*later).total["missing"] == [3, 0]


def test_the_hit_rate() -> None:
    served = [request(path=f"{number}.bin") for number in range(18)]
    found = counted(*served, request(status=206, range="bytes=50-"))
    assert found.rate("2026-11-25") == _traffic.Rate(18, 0, None, None), "too few"
    missed = [request(**LACKS, path="more.bin"), request(status=302, commit="", bytes=0)]
    probes = [request(**LACKS, path=f"optional-{number}.json") for number in range(50)]
    found = counted(*served, request(status=206, range="bytes=50-"), *missed, *probes)
    assert found.rate("2026-11-25") == _traffic.Rate(18, 2, 0.9, 1900 / 2800)
    assert found.rate("2026-11-26").rate is None
    assert found.repos["org/name"] == _traffic.Tally(18, 2, 1900, NOON) == found.users["alice"]


def test_it_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in {"DAYS": 3, "REPOS": 5, "USERS": 2, "_RECENT": 10}.items():
        monkeypatch.setattr(_traffic, name, most)
    requests = [
        request(
            repo_id=f"org/{number}", user=f"u{number % 7}", ended=NOON + number * 8640, status=404, commit="", bytes=1
        )
        for number in range(100)
    ]
    found = counted(*requests)
    assert list(found.days) == ["2026-12-03", "2026-12-04", "2026-12-05"]
    assert list(found.repos) == ["", *(f"org/{number}" for number in range(95, 100))]
    assert sum(one.bytes for one in found.repos.values()) == sum(one.bytes for one in found.users.values()) == 100
    assert len(found.users) == 3 and len(found._misses) == 10
    again = from_json(json.loads(json.dumps(to_json(found))))
    assert (again.total, again.days, again.repos, again.users) == (found.total, found.days, found.repos, found.users)


class Log:
    """A log that nginx writes and logrotate rotates."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "access.log"
        self.cursor: Cursor | None = None
        self.is_gap = False

    def write(self, text: str) -> None:
        with self.file.open("a") as target:
            target.write(text)

    def rotate(self) -> None:
        for number in (2, 1):
            part = self.file.with_name(f"access.log.{number}")
            if part.exists() and number == 1:
                with gzip.open(f"{self.file}.2.gz", "wb") as target:
                    target.write(part.read_bytes())
                part.unlink()
        self.file.rename(f"{self.file}.1")

    def new(self) -> str:
        lines = NewLines(self.file, self.cursor)
        found = b"".join(lines).decode()
        self.cursor, self.is_gap = lines.cursor, lines.is_gap
        return found.replace("\n", "")


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_each_line_once(log: Log) -> None:
    log.write("a\nb\n")
    assert log.new() == "ab"
    assert log.new() == ""
    log.write("c\nd")
    assert log.new() == "c", "nginx is writing d"
    log.write("\n")
    assert log.new() == "d"
    log.write("e\n")
    log.rotate()
    assert log.new() == "e", "there is no new file yet"
    log.write("f\n")
    assert log.new() == "f"
    log.write("g\n")
    log.rotate()
    log.write("h\n")
    assert log.new() == "gh" and not log.is_gap


def test_what_was_rotated_away_is_a_gap(log: Log) -> None:
    log.write("a\n")
    assert log.new() == "a"
    for text in "bc":
        log.rotate()
        log.write(f"{text}\n")
    assert log.new() == "c" and log.is_gap
    log.write("d\n")
    assert log.new() == "d" and not log.is_gap


def test_a_log_that_was_emptied_begins_anew(log: Log) -> None:
    log.write("abc\n")
    assert log.new() == "abc"
    os.truncate(log.file, 0)
    log.write("d\n")
    assert log.new() == "d"


def test_a_line_without_end_holds_nothing_up(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write("x" * (3 << 20) + "\na\n")
    assert log.new() == "a"
    assert log.new() == ""
