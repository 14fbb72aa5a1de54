# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several upstreams: what one repository meets at one of them is that repository's trouble, and no other's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import answer as _answer
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import http as _http
from served import served
from unit.engine.upstreams import SWAPPER, TINY, counts, told, urls

from hub.process import HubProcess
from storecheck import check_store

pytestmark = pytest.mark.usefixtures("hurried")

Run = Callable[..., dict[str, Any]]
NOBODY, NOBODY_EITHER = "http://127.0.0.1:9", "http://127.0.0.1:10"
BOTH = ({"repo_id": TINY}, {"repo_id": SWAPPER})

#: What one repository meets at the first upstream, in listings and in files.
TROUBLES = [
    pytest.param("status", {"kind": "revision", "status": 500}, id="500 of the API"),
    pytest.param("status", {"kind": "resolve", "status": 503}, id="503 for files"),
    pytest.param("stall", {"after": 0}, id="files stall"),
    pytest.param("status", {"kind": "resolve", "status": 302, "headers": {"Location": NOBODY}}, id="its CDN is away"),
]


@pytest.mark.parametrize(("page", "order"), TROUBLES)
def test_one_repository_takes_no_upstream_from_the_others(
    telling: Run, hub: HubProcess, other: HubProcess, store: Path, page: str, order: dict[str, Any]
) -> None:
    """SWAPPER is private, and only the first has it."""
    hub.control("access", {"repo_id": SWAPPER, "mode": "private", "token": "hf_x"})
    other.control("delete_repo", {"repo_id": SWAPPER})
    hub.control(page, {"repo_id": TINY, "times": None, **order})
    answer = telling(*BOTH, endpoint=urls(hub, other), token="hf_x", workers=1)
    assert not answer["failures"] and f"{TINY}@" in told(answer, hub)
    assert json.loads((store / "ledger/state.json").read_text())["upstreams"] == {}
    check_store(store)


def test_the_others_new_commits_come_from_the_first(
    telling: Run, hub: HubProcess, other: HubProcess, published: Callable[..., str | None]
) -> None:
    """Which the second does not have yet."""
    assert not telling(*BOTH, endpoint=urls(hub, other))["failures"]
    new = hub.control("edit", {"repo_id": SWAPPER, "changes": {"new.txt": "new"}})["commit"]
    hub.control("status", {"repo_id": TINY, "status": 500, "times": None})
    assert not telling(*BOTH, endpoint=urls(hub, other), workers=1)["failures"]
    assert published() == new


def test_several_repositories_in_a_row_are_the_upstreams_trouble(
    telling: Run, hub: HubProcess, other: HubProcess, store: Path
) -> None:
    """Then it is asked last, and what only it has is not lost."""
    many = [{"repo_id": f"some/{name}"} for name in "abcde"]
    for one in many:
        for upstream in (hub, other):
            upstream.control("edit", {**one, "create": True, "changes": {"a.txt": "a"}})
        hub.control("status", {**one, "status": 500, "times": None})
    other.control("delete_repo", {"repo_id": SWAPPER})
    answer = telling(*many, {"repo_id": SWAPPER}, endpoint=urls(hub, other), workers=1)
    assert not answer["failures"]
    assert "failed for 3 repositories in a row" in told(answer, hub)
    asked = " ".join(one["target"] for one in hub.control("requests")["last"])
    assert [name for name in "abcde" if f"some/{name}/" in asked] == ["a", "b", "c"]
    check_store(store)


def test_who_is_left_as_away_is_asked_before_an_entry_fails(
    telling: Run, hub: HubProcess, other: HubProcess, store: Path
) -> None:
    """An earlier run found nobody there; this one asks again, and names each with its reason where that is in vain."""
    assert not telling({"repo_id": TINY}, endpoint=[NOBODY, other.url])["failures"]
    other.control("delete_repo", {"repo_id": SWAPPER})
    problem = telling({"repo_id": SWAPPER}, endpoint=[NOBODY, other.url])["failures"][f"{SWAPPER}@main"]
    assert f"{NOBODY}: {NOBODY} can't be reached" in problem and f"{other.url}: {other.url} has no model" in problem
    file = store / "ledger/state.json"
    file.write_text(file.read_text().replace(NOBODY, hub.url))  # somebody is there now
    assert not telling({"repo_id": SWAPPER}, endpoint=urls(hub, other))["failures"] and counts(hub)
    check_store(store)


def test_where_all_are_away_each_is_asked_once(telling: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []
    monkeypatch.setattr(_http.Http, "backoff", lambda _http, attempt: tries.append(attempt))
    many = [{"repo_id": f"some/m{number}"} for number in range(20)]
    answer = telling(*many, endpoint=[NOBODY, NOBODY_EITHER], workers=1)
    assert len(answer["failures"]) == 20
    assert tries == [1, 2, 3, 4] * 2, "one request's attempts at each of them"
    assert all(NOBODY in problem and NOBODY_EITHER in problem for problem in answer["failures"].values())


class Dripping(BaseHTTPRequestHandler):
    """Begins each answer at once, and never ends it."""

    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.path)
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" ")
                time.sleep(0.05)  # a Hub that drips is what is tried
        except OSError:
            return

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def dripping() -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []
    with served(type("Handler", (Dripping,), {"seen": seen})) as url:
        yield url, seen


def test_who_drips_its_listings_is_left(
    telling: Run, dripping: tuple[str, list[str]], hub: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_answer, "ANSWER_SECONDS", 0.2)
    url, seen = dripping
    many = [{"repo_id": f"some/{name}"} for name in "abcde"]
    for one in many:
        hub.control("edit", {**one, "create": True, "changes": {"a.txt": "a"}})
    answer = telling(*many, endpoint=[url, hub.url], workers=1)
    assert not answer["failures"]
    assert any(line.startswith(f"{url} failed for 3 repositories in a row") for line in answer["warnings"])
    assert len([path for path in seen if "/api/" in path]) == 3
