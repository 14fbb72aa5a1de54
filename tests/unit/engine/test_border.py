# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upstream may say, and what becomes of it: one hostile Hub through the front door, and tables for the rest."""

from __future__ import annotations

import gzip
import hashlib
import ipaddress
import json
import os
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base import inside as _inside
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base import limits
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.names import (
    NameProblem,
    Size,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._border.hub import card_of
from ansible_collections.modelops.hf_mirror.plugins.module_utils._border.json import AnswerProblem, read_json
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import answer as _answer
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import http as _http
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import hub as _hub
from served import served

from .conftest import everything

Run = Callable[..., dict[str, Any]]
ODD, FINE = {"repo_id": "odd/one"}, {"repo_id": "fine/one"}
COMMIT = "c" * 40


def oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class OddHub(BaseHTTPRequestHandler):
    """Answers honestly, but for what a test puts into ``odd``: part of a path -> what answers it."""

    protocol_version = "HTTP/1.1"
    content = b"one file"
    odd: dict[str, Callable[[OddHub], None]]
    seen: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers.get("Authorization")))
        for part, answer in self.odd.items():
            if part in self.path:
                answer(self)
                return
        parts = urlsplit(self.path)
        if "/revision/" in parts.path:
            self.json({"id": parts.path.split("/models/")[1].partition("/revision/")[0], "sha": COMMIT})
        elif "/tree/" in parts.path:
            self.json([self.file("a.txt")])
        else:
            self.send(self.content, {"X-Repo-Commit": COMMIT, "ETag": f'"{oid(self.content)}"'})

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    @classmethod
    def file(cls, path: Any, **changes: Any) -> dict[str, Any]:
        return {"type": "file", "path": path, "size": len(cls.content), "oid": oid(cls.content), **changes}

    def json(self, value: Any, **headers: str) -> None:
        self.send(json.dumps(value).encode(), headers)

    def send(self, body: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


Odd = type[OddHub]


@pytest.fixture
def odd() -> Odd:
    return type("Handler", (OddHub,), {"odd": {}, "seen": []})


@pytest.fixture
def endpoint(odd: Odd) -> Iterator[str]:
    with served(odd) as url:
        yield url


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http.Http, "backoff", lambda http, attempt: http.clock.sleep(0.01 * attempt))


@pytest.fixture
def both(sync: Run, endpoint: str) -> Callable[..., tuple[str, dict[str, Any]]]:
    """Sync the odd repository and one beside it, which nothing odd may harm; return why the odd one failed."""

    def run(**options: Any) -> tuple[str, dict[str, Any]]:
        answer = sync({**ODD, **options.pop("entry", {})}, FINE, endpoint=endpoint, **options)
        failures = answer.get("failures") or {}
        assert "fine/one@main" not in failures
        assert "Traceback" not in json.dumps(answer)
        return failures.get("odd/one@main", ""), answer

    return run


def tree_of(odd: Odd, *entries: Any, **headers: str) -> None:
    odd.odd["odd/one/tree"] = lambda hub: hub.json(list(entries), **headers)


# ---- names


@pytest.mark.parametrize(
    "sha", ["../" * 14 + "etc", "../../../../store", "ABCDEF", "C" * 40, "c" * 39, "c" * 41, "", None, 7, ["c" * 40]]
)
def test_a_commit_is_40_digits(both: Any, odd: Odd, store: Path, sha: Any) -> None:
    odd.odd["odd/one/revision"] = lambda hub: hub.json({"id": "odd/one", "sha": sha})
    why, _answer = both()
    assert "names no commit" in why
    assert not (store / "hub" / "models--odd--one" / ".mirror" / "rev").exists()


@pytest.mark.parametrize("told", ["../../../../store", "C" * 40, "abc"])
def test_a_commit_of_a_header_is_40_digits(both: Any, odd: Odd, told: str) -> None:
    assert both()[0] == ""
    odd.odd["odd/one/resolve"] = lambda hub: hub.send(b"", {"X-Repo-Commit": told})
    assert "names no commit" in both()[0]


LFS = {"oid": "a" * 64, "size": 8, "pointerSize": 127}
WRONG = [
    ({"oid": "../" * 12 + "etc/passwd"}, "no hash"),
    ({"oid": "../../../victim"}, "no hash"),
    ({"oid": None}, "no hash"),
    ({"oid": 7}, "no hash"),
    ({"oid": "a" * 64}, "no SHA-1"),
    ({"lfs": {**LFS, "oid": "../../../victim"}}, "no hash"),
    ({"lfs": {**LFS, "oid": "a" * 40}}, "no SHA-256"),
    ({"lfs": {**LFS, "size": 9}}, "in LFS"),
    ({"lfs": "yes"}, "no mapping"),
    *[({"size": size}, "no size") for size in ("5", None, -5, 5.5, 1 << 70, True, [])],
    ({"type": "commit"}, "of the type"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG, ids=str)
def test_a_file_that_can_not_be_right_fails_who_wants_it(
    both: Any, odd: Odd, store: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    outside = tmp_path / "victim"
    outside.write_text("mine")
    before = [one for one in everything(tmp_path) if not one[0].startswith(str(store))]
    tree_of(odd, odd.file("a.txt"), odd.file("b.txt", **changes))
    why, _answer = both()
    assert "b.txt" in why and words in why
    assert before == [one for one in everything(tmp_path) if not one[0].startswith(str(store))]
    # who does not want it has the rest
    assert both(entry={"ignore_patterns": ["b.*"]})[0] == ""


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"type": "file", "path": 7, "size": 1, "oid": "a" * 40}], "with the name 7"),
        (["a.txt"], "no mapping"),
        ({"a": 1}, "no files"),
        ("no", "no files"),
    ],
)
def test_a_listing_that_makes_no_sense(both: Any, odd: Odd, entries: Any, words: str) -> None:
    odd.odd["odd/one/tree"] = lambda hub: hub.json(entries)
    assert words in both()[0]


ODD_NAMES = [
    "Screenshot 2026-11-30 at 9.41.12\u202fPM.png",
    "a\u00a0b",
    "\u3000",
    "\ufeffbom",
    "soft\u00adhyphen",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467.png",
    "x" * 255,
]


def test_names_that_are_names_like_others(both: Any, odd: Odd, store: Path) -> None:
    tree_of(odd, *(odd.file(name) for name in ODD_NAMES))
    assert both()[0] == ""
    snapshot = store / "hub" / "models--odd--one" / "snapshots" / COMMIT
    assert sorted(os.listdir(snapshot)) == sorted(ODD_NAMES)


REFUSED_NAMES = [
    ("a\nb", "line break"),
    ("a\u2028b", "line break"),
    ("a\x7fb", "control"),
    ("\ud800", "control"),
    ("\u202egnp.exe", "control"),
    ("a/../b", "'..'"),
    ("/etc/passwd", "absolute"),
    ("a//b", "empty"),
    ("x" * 256, "part of 256 bytes"),
    ("\u3000" * 86, "part of 258 bytes"),
    ("a/" * 70 + "b", "folders deep"),
    ("/".join(["x" * 200] * 11), "bytes, 2048"),
    (".mirror.flat.json", ".mirror."),
]


@pytest.mark.parametrize(("name", "words"), REFUSED_NAMES, ids=lambda value: ascii(value)[:20])
def test_names_that_are_refused_where_they_are_wanted(both: Any, odd: Odd, name: str, words: str) -> None:
    tree_of(odd, odd.file("a.txt"), odd.file(name))
    assert words in both()[0]
    assert not any("/resolve/" in path for path, _token in odd.seen if "odd/one" in path), "nothing was fetched"
    assert both(entry={"files": ["a.txt"]})[0] == "", "only what is wanted is judged"


def test_a_file_that_is_a_folder_too(both: Any, odd: Odd) -> None:
    tree_of(odd, odd.file("a"), odd.file("a/b"), odd.file("c"))
    assert "as a file and as a folder" in both()[0]
    assert both(entry={"files": ["c"]})[0] == ""


def test_a_file_that_is_listed_twice(both: Any, odd: Odd) -> None:
    tree_of(odd, odd.file("a"), odd.file("a", size=7))
    assert "twice" in both()[0]


@pytest.mark.parametrize(
    "document",
    [
        {"self": 1, "cardData": {"self": "x"}, "tags": 5},
        {"tags": [5, None, "fine", "x" * 9999, "\ud800"], "gated": None},
        {"lastModified": "2026-11-30T10:00:00+00:00", "createdAt": "yesterday", "transformersInfo": {"new": 1}},
        {"author": {"name": "x"}, "pipeline_tag": 7, "disabled": None},
    ],
)
def test_a_card_is_never_in_the_way(both: Any, odd: Odd, document: dict[str, Any]) -> None:
    odd.odd["odd/one/revision"] = lambda hub: hub.json({"id": "odd/one", "sha": COMMIT, **document})
    lfs = {"oid": hashlib.sha256(odd.content).hexdigest(), "size": len(odd.content)}
    tree_of(odd, odd.file("a.txt", lfs=lfs))
    assert both()[0] == ""


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"gated": False}, False),
        ({"gated": "auto"}, "auto"),
        ({"gated": "manual"}, "manual"),
        ({"gated": True}, "manual"),
        ({"gated": 0}, False),
        ({"gated": {"x": 1}}, "manual"),
        ({"gated": "surely"}, "manual"),
        ({}, None),
    ],
)
def test_what_closes_a_repository_is_never_left_out(given: dict[str, Any], kept: Any) -> None:
    assert card_of(given).get("gated") == kept


def test_dates_are_passed_on_as_clients_read_them() -> None:
    card = card_of({"createdAt": "2026-11-30T10:00:00+08:00", "lastModified": "2026-11-30T02:00:00.123456Z"})
    assert card == {"createdAt": "2026-11-30T02:00:00.000Z", "lastModified": "2026-11-30T02:00:00.000Z"}


# ---- how much


def test_pages_that_lead_in_a_circle(both: Any, odd: Odd) -> None:
    odd.odd["odd/one/tree"] = lambda hub: hub.json([], Link=f'<{hub.path}>; rel="next"')
    assert "form a loop" in both()[0]


@pytest.mark.parametrize("link", ["http://[", "", "?", "file:///etc/passwd", "http://x/#?cursor=1"])
def test_a_link_that_leads_nowhere(both: Any, odd: Odd, link: str) -> None:
    odd.odd["odd/one/tree"] = lambda hub: hub.json([], Link=f'<{link}>; rel="next"')
    assert "form a loop" in both()[0] or "no files" in both()[0]


def test_pages_without_end(both: Any, odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_hub, "LISTING_PAGES", 20)

    def page(hub: OddHub) -> None:
        cursor = int(parse_qs(urlsplit(hub.path).query).get("cursor", ["0"])[0])
        hub.json([], Link=f'<http://x/?cursor={cursor + 1}>; rel="next"')

    odd.odd["odd/one/tree"] = page
    assert "more than 20 pages" in both()[0]
    assert len([path for path, _token in odd.seen if "odd/one/tree" in path]) == 20


def test_a_listing_that_takes_too_long(both: Any, odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_answer, "ANSWER_SECONDS", 0.3)

    odd.odd["odd/one/tree"] = lambda hub: drip(hub, b"HTTP/1.1 200 OK\r\n\r\n")
    assert "did not come in 0.3 seconds" in both()[0]


def drip(hub: OddHub, begin: bytes) -> None:
    """Send these bytes, and then one after the other for longer than anybody waits: who does has ``seen`` it end."""
    hub.close_connection = True
    try:
        hub.wfile.write(begin)
        until = time.monotonic() + 120
        while time.monotonic() < until:
            hub.wfile.write(b"x")
            time.sleep(0.05)
    except OSError:
        return
    hub.seen.append(DRIPPED)


DRIPPED = ("all that dripped", None)
DRIPS = [
    ("revision", b"HTTP/1.1 200 OK\r\nX-Odd: ", "did not begin its answer"),
    ("tree", b"HTTP/1.1 200 OK\r\nX-Odd: ", "did not begin its answer"),
    ("tree", b"HTTP/1.1 404 Not Found\r\nContent-Length: 60000\r\n\r\n", "has no model"),
    ("resolve", b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 60000\r\n\r\n", ""),
    ("resolve", b"HTTP/1.1 500 Oh\r\nContent-Length: 60000\r\n\r\n", "answers 500"),
]


@pytest.mark.parametrize(("kind", "begin", "words"), DRIPS, ids=str)
def test_what_drips_beside_its_body(
    both: Any, odd: Odd, monkeypatch: pytest.MonkeyPatch, kind: str, begin: bytes, words: str
) -> None:
    monkeypatch.setattr(_http, "HEADER_SECONDS", 0.3)
    monkeypatch.setattr(_http, "_DISCARD_SECONDS", 0.3)
    tree_of(odd, odd.file("a.txt", oid=oid(b"x"), size=1))  # nobody has that content yet
    odd.odd[f"odd/one/{kind}"] = lambda hub: drip(hub, begin)
    assert words in both()[0]
    assert DRIPPED not in odd.seen, "it ends before what drips"


def test_an_answer_that_is_too_large(both: Any, odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_answer, "ANSWER_BYTES", 10_000)
    odd.odd["odd/one/tree"] = lambda hub: hub.send(b"[" + b" " * 10_000 + b"]", {})
    assert "10000 are the most" in both()[0]


def test_an_answer_that_is_packed(both: Any, odd: Odd) -> None:
    bomb = gzip.compress(b"[" + b" " * 10_000_000 + b"]")
    odd.odd["odd/one/tree"] = lambda hub: hub.send(bomb, {"Content-Encoding": "gzip"})
    assert "packed (gzip)" in both()[0]


def test_too_many_entries(both: Any, odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.modelops.hf_mirror.plugins.module_utils._border import hub as _border_hub

    monkeypatch.setattr(_border_hub, "LISTING_ENTRIES", 5)
    tree_of(odd, *(odd.file(f"{number}.txt") for number in range(6)))
    assert "more than 5 files" in both()[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b"[" + b"0," * limits.ANSWER_VALUES + b"0]", "more than"),
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"", "no JSON"),
    ],
)
def test_json_within_limits(text: bytes, words: str) -> None:
    with pytest.raises(AnswerProblem, match=words):
        read_json(text)


def test_a_number_of_a_million_digits_is_none() -> None:
    (number,) = read_json(b"[" + b"7" * 1_000_000 + b"]")
    with pytest.raises(NameProblem):
        Size(number)


# ---- to whom


def test_the_token_stays_at_the_hub(both: Any, odd: Odd) -> None:
    elsewhere: Odd = type("Elsewhere", (OddHub,), {"odd": {}, "seen": []})
    with served(elsewhere) as other:
        pages = iter([f'<{other}/next?cursor=2>; rel="next"', ""])
        odd.odd["odd/one/tree"] = lambda hub: hub.json([hub.file("a.txt")], Link=next(pages))
        why, _answer = both(token="hf_secret")
        assert why == ""
        assert elsewhere.seen == [], "where a link leads is not asked"
        asked = [path for path, token in odd.seen if "/tree/" in path and "cursor=2" in path and token]
        assert asked, "the next page is the Hub's"
        odd.odd["odd/one/revision"] = lambda hub: hub.send(b"", {"Location": f"{other}/x"}, 307)
        odd.odd["odd/one/resolve"] = lambda hub: hub.send(b"", {})
        assert "refused" in both(token="hf_secret")[0]
        assert elsewhere.seen == []


@pytest.mark.parametrize(
    "odd_url", ["http://{evil}\\@{hub}/x", "//{evil}\\@{hub}/x", "http://{evil}@{hub}/x", "http://{hub}\t@/x"]
)
@pytest.mark.parametrize("kind", ["revision", "tree", "resolve"])
def test_an_address_that_is_read_in_two_ways_is_refused(
    both: Any, odd: Odd, endpoint: str, kind: str, odd_url: str
) -> None:
    elsewhere: Odd = type("Elsewhere", (OddHub,), {"odd": {}, "seen": []})
    with served(elsewhere) as other:
        location = odd_url.format(evil=other.partition("//")[2], hub=endpoint.partition("//")[2])
        odd.odd[f"odd/one/{kind}"] = lambda hub: hub.send(b"", {"Location": location, "X-Repo-Commit": COMMIT}, 302)
        tree_of(odd, odd.file("a.txt", oid=oid(b"x"), size=1)) if kind == "resolve" else None
        assert both(token="hf_secret")[0]
        assert elsewhere.seen == []


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 127.0.0.1 be a public address, and 127.0.0.2 one inside."""
    monkeypatch.setattr(_inside, "_INSIDE", (ipaddress.ip_network("127.0.0.2/32"),))


@pytest.mark.usefixtures("public")
def test_a_redirect_into_the_network_is_refused(both: Any, odd: Odd) -> None:
    victim: Odd = type("Victim", (OddHub,), {"odd": {}, "seen": []})
    with served(victim, "127.0.0.2") as url:
        victim.content = b"another file"
        tree_of(odd, victim.file("a.txt"))
        odd.odd["odd/one/resolve"] = lambda hub: hub.send(
            b"", {"Location": f"{url}/admin", "X-Repo-Commit": COMMIT}, 302
        )
        why, _answer = both()
        assert "which has the private address" in why and "allow_networks" in why
        assert victim.seen == [], "nothing was sent there"
        assert both(allow_networks=["127.0.0.2/32"])[0] == ""
        assert victim.seen
