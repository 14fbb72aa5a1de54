# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror audit`` and ``wanted``."""

from __future__ import annotations

import errno
import gzip
import json
import os
import pty
import re
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check import access_log as _access_log
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist_files import read_entries

from .conftest import LAUNCHER, Inside, Result

OLD, NEW = "0123456789abcdef0123456789abcdef01234567", "f" * 40
NOON = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
LINE = {
    "time": NOON.isoformat(),
    "node": "mirror1",
    "client": "10.0.0.7",
    "user": "alice",
    "auth": "token",
    "method": "GET",
    "uri": "/org/name/resolve/main/x.bin",
    "repo_type": "model",
    "repo_id": "org/name",
    "ref": "main",
    "commit": OLD,
    "path": "x.bin",
    "view": "",
    "status": 206,
    "bytes": 2_000_000,
    "duration": 0.012,
    "error": "",
    "range": "bytes=0-",
    "user_agent": "curl/8",
}

Told = Callable[..., Result]


def line(minutes: float = 0, **changes: Any) -> bytes:
    return json.dumps({**LINE, "time": (NOON + timedelta(minutes=minutes)).isoformat(), **changes}).encode() + b"\n"


def lacking(error: str, minutes: float = 0, **changes: Any) -> bytes:
    return line(minutes, **{"error": error, "status": 404, "commit": "", **changes})


@pytest.fixture
def told(inside: Inside, tmp_path: Path) -> Told:
    """Write a log, and say what a command makes of it."""

    def tell(content: bytes, *arguments: str) -> Result:
        (tmp_path / "log").write_bytes(content)
        return inside(*arguments, "--log", "log")

    return tell


FETCHED = b"".join(
    [
        line(0),
        line(5),
        line(6, client="10.0.0.8", user="", status=200, bytes=70),
        line(7, method="HEAD"),
        line(8, client="fd00::8", user="bob", commit=NEW, repo_type="dataset"),
        line(9, view="faces", repo_type="", repo_id="", ref="", commit="", path="face.onnx"),
        line(60),
    ]
)


def test_who_fetched_what(told: Told) -> None:
    got = told(FETCHED, "audit")
    assert (got.code, got.err) == (0, "")
    assert got.out.splitlines() == [
        "2026-11-25T12:05:00Z  10.0.0.7  alice  org/name@0123456789ab x.bin  4.0 MB in 2 requests",
        "2026-11-25T12:06:00Z  10.0.0.8  -  org/name@0123456789ab x.bin  70 B",
        "2026-11-25T12:08:00Z  fd00::8  bob  dataset org/name@ffffffffffff x.bin  2.0 MB",
        "2026-11-25T12:09:00Z  10.0.0.7  alice  view faces face.onnx  2.0 MB",
        "2026-11-25T13:00:00Z  10.0.0.7  alice  org/name@0123456789ab x.bin  2.0 MB",
    ]
    first, *_rest = [json.loads(one) for one in told(FETCHED, "audit", "--json").out.splitlines()]
    assert first == {
        "first": "2026-11-25T11:59:59Z",
        "last": "2026-11-25T12:05:00Z",
        "client": "10.0.0.7",
        "user": "alice",
        "repo_type": "model",
        "repo_id": "org/name",
        "commit": OLD,
        "view": "",
        "path": "x.bin",
        "bytes": 4_000_000,
        "requests": 2,
    }


@pytest.mark.parametrize(
    ("arguments", "minutes"),
    [
        (["--repo", "org/name"], [5, 6, 8, 60]),
        (["--repo", "org/name", "--repo-type", "dataset"], [8]),
        (["--repo", "org/other"], []),
        (["--commit", "FFFFFFF"], [8]),
        (["--commit", OLD], [5, 6, 60]),
        (["--user", "bob"], [8]),
        (["--client", "10.0.0.8"], [6]),
        (["--client", "FD00:0::8"], [8]),
        (["--since", "2026-11-25T12:06Z"], [6, 8, 9, 60]),
        (["--since", "30m"], [60]),
        (["--since", "1d", "--until", "2026-11-25T12:08:00"], [5, 6]),
    ],
)
def test_some_of_it(told: Told, monkeypatch: pytest.MonkeyPatch, arguments: list[str], minutes: list[int]) -> None:
    monkeypatch.setattr(Clock, "now", lambda _clock: (NOON + timedelta(minutes=80)).timestamp())
    got = [json.loads(one)["last"] for one in told(FETCHED, "audit", "--json", *arguments).out.splitlines()]
    assert got == [f"{NOON + timedelta(minutes=one):%Y-%m-%dT%H:%M:00Z}" for one in minutes]


def test_who_still_uses_a_commit(told: Told) -> None:
    got = told(FETCHED, "audit", "--commit", OLD[:7], "--by", "client")
    assert got.out.splitlines() == [
        "CLIENT    DOWNLOADS   BYTES  USERS  FIRST              LAST",
        "10.0.0.8          1    70 B      0  2026-11-25T12:05Z  2026-11-25T12:06Z",
        "10.0.0.7          2  6.0 MB      1  2026-11-25T11:59Z  2026-11-25T13:00Z",
    ]
    got = told(FETCHED, "audit", "--commit", OLD[:7], "--by", "user")
    assert [row.split()[:4] for row in got.out.splitlines()] == [
        ["USER", "DOWNLOADS", "BYTES", "CLIENTS"],
        ["-", "1", "70", "B"],
        ["alice", "2", "6.0", "MB"],
    ]
    assert told(FETCHED, "audit", "--by", "commit", "--json").json[0] == {
        "key": f"dataset org/name@{NEW}",
        "downloads": 1,
        "bytes": 2_000_000,
        "users": 1,
        "clients": 1,
        "first": "2026-11-25T12:07:59Z",
        "last": "2026-11-25T12:08:00Z",
    }
    assert told(b"", "audit", "--by", "repo").out == "" and told(b"", "audit", "--by", "repo", "--json").json == []


def test_older_parts_and_what_is_damaged(told: Told, tmp_path: Path) -> None:
    (tmp_path / "log.1").write_bytes(line(1, path="b") + b'{"time": "2026-11-\n')
    (tmp_path / "log.2.gz").write_bytes(gzip.compress(line(0, path="a"))[:-4])
    got = told(line(2, path="c") + b"strange\n", "audit", "--json")
    assert [json.loads(one)["path"] for one in got.out.splitlines()] == ["a", "b", "c"]
    assert (got.code, got.err.splitlines()) == (
        0,
        [
            "hf-mirror: ignored damaged lines of the log: 2",
            "hf-mirror: log.2.gz is damaged: only its readable part counts",
        ],
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["audit", "--commit", "abc"], "--commit 'abc' is no commit: give 7 to 40 hex digits of it"),
        (["audit", "--client", "host"], "--client 'host' is no IP address"),
        (["audit", "--since", "soon"], "'soon' is no time: write 3d, 12h, "),
        (["audit", "--by", "node"], "invalid choice"),
        (["wanted", "--since", "soon"], "'soon' is no time"),
        (["wanted", "--json", "--yaml"], "not allowed with argument"),
        (
            ["wanted", "--log", "none"],
            "hf-mirror: there is no none: name the access log of the mirror's nginx with --log",
        ),
    ],
)
def test_what_is_refused(told: Told, inside: Inside, arguments: list[str], words: str) -> None:
    got = inside(*arguments) if "--log" in arguments else told(FETCHED, *arguments)
    assert (got.code, got.out) == (2, "") and words in got.err


def test_a_log_for_others_only(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything: the file system is made to say what it says to others."""

    def forbidden(name: str, _flags: int) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)

    monkeypatch.setattr(_access_log, "no_wait", forbidden)
    got = inside("audit", "--log", "log")
    assert (got.code, got.out) == (2, "")
    assert got.err == "hf-mirror: log can't be read: do this as root or as a member of the group adm\n"


def test_the_configuration_is_not_needed(told: Told) -> None:
    """Members of adm may read the log and not the configuration, which the host's hf-mirror always names."""
    assert told(FETCHED, "--config", "none.yml", "audit", "--user", "bob").code == 0
    assert told(FETCHED, "--config", "none.yml", "status").code == 2


LACKING = b"".join(
    [
        lacking("EntryNotFound", 0, path="y.bin"),
        lacking("EntryNotFound", 1),
        lacking("EntryNotFound", 2, client="10.0.0.8"),
        lacking("RevisionNotFound", 3, ref="1.0"),
        lacking("RepoNotFound", 4, repo_id="org/new", repo_type="dataset", path=""),
        lacking("RepoNotFound", 5, repo_id="org/new", repo_type="dataset", status=302, path="模型 1.bin"),
        line(6),
    ]
)


def test_what_was_asked_for_in_vain(told: Told) -> None:
    got = told(LACKING, "wanted")
    assert (got.code, got.err) == (0, "")
    assert got.out.splitlines() == [
        "REPOSITORY       LACKS       REQUESTS  CLIENTS  LAST",
        "org/name                            4        2  2026-11-25T12:03Z",
        "  main x.bin     file               2        2  2026-11-25T12:02Z",
        "  1.0 x.bin      revision           1        1  2026-11-25T12:03Z",
        "  main y.bin     file               1        1  2026-11-25T12:00Z",
        "dataset org/new                     2        1  2026-11-25T12:05Z",
        "  main           repository         1        1  2026-11-25T12:04Z",
        "  main 模型 1.bin  repository         1        1  2026-11-25T12:05Z",
    ]
    assert [one["requests"] for one in told(LACKING, "wanted", "--json", "--since", "2026-11-25T12:02Z").json] == [2, 2]
    assert told(line(), "wanted").out == "" and told(line(), "wanted", "--json").json == []


def test_entries_for_a_whitelist(told: Told, tmp_path: Path) -> None:
    got = told(LACKING, "wanted", "--yaml")
    assert got.out == (
        "models_to_sync:\n"
        "- repo_id: org/name\n"
        "  files:\n"
        "  - x.bin\n"
        "  - y.bin\n"
        "- repo_id: org/name\n"
        "  revision: '1.0'\n"
        "- repo_id: org/new\n"
        "  repo_type: dataset\n"
    )
    (tmp_path / "whitelist.yml").write_text(got.out)
    assert len(read_entries(tmp_path / "whitelist.yml")) == 3
    assert told(b"", "wanted", "--yaml").out == "models_to_sync: []\n"


#: What a client may try: escape sequences of 7 and 8 bits, a second line, another direction, YAML.
EVIL = ["\x1b[2J", "\x9b2J", "\r", "\n- repo_id: evil/evil", "\u202e", "\x00", "\x7f", "\u2028", "\ud800"]


@pytest.mark.parametrize("key", ["repo_id", "repo_type", "ref", "commit", "path", "view", "client", "user", "error"])
def test_what_clients_say_moves_no_terminal(told: Told, key: str) -> None:
    changes = [{key: f"{LINE[key]}{evil}"} for evil in EVIL]
    content = b"".join(line(**change) for change in changes)
    content += b"".join(line(**{"error": "RepoNotFound", "status": 404, "commit": "", **change}) for change in changes)
    for by in ([], *[["--by", by] for by in ("user", "client", "repo", "commit", "file")]):
        shown = told(content, "audit", *by)
        assert shown.code == 0 and shown.out.isascii() and shown.out.replace("\n", "").isprintable()
        assert len(shown.out.splitlines()) <= len(EVIL) + 1
        raw = told(content, "audit", "--json", *by).out.replace("\n", "")
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", raw)
    for form in ([], ["--json"], ["--yaml"]):
        shown = told(content, "wanted", *form)
        assert shown.code == 0 and shown.out.replace("\n", "").isprintable() and "evil" not in shown.out
        if form == ["--yaml"]:
            yaml.safe_load(shown.out)


@pytest.mark.parametrize(
    "name", ["yes", "1.0", "a: b", "- a", "#", "'", '"', "!!python/x", "{a}", "&a", "*a", " a", "a ", "模 型"]
)
def test_names_that_mean_something_to_yaml(told: Told, name: str) -> None:
    got = told(lacking("EntryNotFound", path=name), "wanted", "--yaml")
    assert yaml.safe_load(got.out) == {"models_to_sync": [{"repo_id": "org/name", "files": [name]}]}


def test_at_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(LACKING + line(path="[red]x[/red]\x1b[2J", user="\x1b]0;x\x07"))
    shown = {}
    for command in ("audit", "wanted"):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [str(LAUNCHER), command, "--log", "log"],
            cwd=tmp_path,
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "200"},
            stdout=theirs,
        )
        os.close(theirs)
        shown[command] = b""
        try:
            while block := os.read(ours, 4096):
                shown[command] += block
        except OSError:  # the other side is closed
            pass
        os.close(ours)
        assert process.wait() == 0
    assert "[red]x[/red]?[2J" in shown["audit"].decode() and b"?]0;x?" in shown["audit"]
    assert b"\x1b[2J" not in shown["audit"] and b"\x1b]" not in shown["audit"]
    assert "  main 模型 1.bin" in shown["wanted"].decode()


def test_whoever_asks_to_stop_is_heard(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    check = Clock.check

    def stopped(clock: Clock) -> None:
        clock.stop()
        check(clock)

    monkeypatch.setattr(Clock, "check", stopped)
    assert told(FETCHED, "audit").code == 4
