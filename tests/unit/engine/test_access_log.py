# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The access log: what is read of it, and what is skipped."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.access_log import (
    AccessLog,
    AccessLogError,
    Request,
    parse,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LINE: dict[str, Any] = {
    "time": "2026-11-25T23:29:32+00:00",
    "node": "mirror1",
    "client": "10.0.0.7",
    "user": "alice",
    "auth": "token",
    "method": "GET",
    "uri": "/org/name/resolve/main/x.bin",
    "repo_type": "model",
    "repo_id": "org/name",
    "ref": "main",
    "commit": COMMIT,
    "path": "x.bin",
    "view": "",
    "status": 200,
    "bytes": 123,
    "duration": 0.5,
    "error": "",
    "range": "bytes=0-",
    "user_agent": "curl/8",
}


def encoded(**changes: Any) -> bytes:
    return json.dumps({**LINE, **changes}).encode()


def test_a_line() -> None:
    assert parse(encoded()) == Request(
        1795649371.5,
        1795649372.0,
        200,
        123,
        "10.0.0.7",
        "alice",
        "GET",
        "model",
        "org/name",
        "main",
        COMMIT,
        "x.bin",
        "",
        "",
        "bytes=0-",
    )


@pytest.mark.parametrize(
    ("line", "change"),
    [
        (encoded(time="2026-11-26T07:29:32+08:00"), {}),
        (b"\0\0\0" + encoded(), {}),
        (encoded(path="a\nb \u6a21"), {"path": "a\nb 模"}),
        # whoever sends bytes that are no UTF-8 is in the log all the same
        (encoded(user_agent="X").replace(b'"X"', b'"\xff\xfe"'), {}),
        (encoded(path="X").replace(b'"X"', b'"\xff"'), {"path": "\ufffd"}),
    ],
)
def test_a_line_that_is_odd_and_counts(line: bytes, change: dict[str, Any]) -> None:
    whole = parse(encoded())
    assert whole and parse(line) == whole._replace(**change)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"[]",
        b"7",
        b"null",
        b"[" * 100_000,
        encoded()[:-20],
        encoded()[20:],
        encoded()[:40] + encoded(),
        b'10.0.0.7 - - [25/Nov/2026:23:29:32 +0000] "GET / HTTP/1.1" 200 5',
        json.dumps({key: value for key, value in LINE.items() if key != "repo_id"}).encode(),
        encoded(time="yesterday"),
        encoded(time="2026-11-25T23:29:32"),
        encoded(time=7),
        encoded(time="1960-01-01T00:00:00+00:00"),
        encoded(status="200"),
        encoded(bytes=-1),
        encoded(bytes=None),
        encoded(bytes=float("nan")),
        encoded(duration=-1),
        encoded(duration=1e30),
        encoded(duration=float("nan")),
        encoded(duration="0.5"),
        encoded(path=None),
        encoded(user=["alice"]),
    ],
)
def test_a_line_that_is_torn_or_strange(line: bytes) -> None:
    assert parse(line) is None


def paths(log: AccessLog) -> list[str]:
    return [request.path for request in log]


def lines(*names: str) -> bytes:
    return b"".join(encoded(path=name) + b"\n" for name in names)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def write(log: Path, suffix: str, content: bytes) -> None:
    log.with_name(f"{log.name}{suffix}").write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)


def test_what_logrotate_made_of_it_comes_first(log: Path) -> None:
    write(log, "", lines("h", "i"))
    write(log, ".1", lines("g"))
    write(log, ".2.gz", lines("e", "f"))
    write(log, ".3", lines("d"))
    write(log, ".3.gz", lines("d")[:5])  # it is being written
    write(log, ".10.gz", lines("a", "b", "c"))
    for other in (".old", ".1.bak", ".gz", "x.1"):
        write(log, other, lines("no"))
    assert "".join(paths(AccessLog(log))) == "abcdefghi"
    assert "".join(paths(AccessLog(log.with_name("access.log.2.gz")))) == "ef"


def test_just_rotated(log: Path) -> None:
    write(log, ".1", lines("a"))
    assert paths(AccessLog(log)) == ["a"]
    os.link(log.with_name("access.log.1"), log)
    assert paths(AccessLog(log)) == ["a"], "moved between two looks"


def test_what_is_skipped_is_counted(log: Path) -> None:
    long = b"x" * (3 << 20)
    write(log, "", lines("a") + b"torn\n\n" + long + b"\n" + lines("b") + encoded(path="c"))
    found = AccessLog(log)
    assert paths(found) == ["a", "b", "c"]
    assert (found.skipped, found.damaged) == (3, [])


@pytest.mark.parametrize("end", [-1, -9, -30])
def test_a_compressed_part_that_is_damaged(log: Path, end: int) -> None:
    names = [f"{number}" for number in range(500)]
    part = log.with_name("access.log.2.gz")
    part.write_bytes(gzip.compress(lines(*names))[:end])
    write(log, ".3.gz", b"")
    log.with_name("access.log.4.gz").write_bytes(b"not gzip")
    write(log, "", lines("last"))
    found = AccessLog(log)
    got = paths(found)
    assert got[-1] == "last" and got[:-1] == names[: len(got) - 1] and len(got) > 1
    assert found.damaged == [log.with_name("access.log.4.gz"), part]


def test_no_log(log: Path) -> None:
    with pytest.raises(AccessLogError, match=r"^there is no .*access\.log: name"):
        paths(AccessLog(log))
    with pytest.raises(AccessLogError, match=r"^there is no .*log: name"):
        paths(AccessLog(log / "no" / "log"))
    log.mkdir()
    with pytest.raises(AccessLogError, match=r"access\.log can't be read: Is a directory$"):
        paths(AccessLog(log))
