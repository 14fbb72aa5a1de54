# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several upstreams: whose listings count, whose tokens go where. Each habit is that of the first and of the second."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.rate_limit import BandwidthLimit
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli.ledger_text import describe
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import http as _http
from unit.engine.upstreams import FILE, SWAPPER, TINY, Odd, counts, repo_of, told, urls

from hub.process import HubProcess
from storecheck import check_store

pytestmark = pytest.mark.usefixtures("hurried")

Run = Callable[..., dict[str, Any]]
NOBODY = "http://127.0.0.1:9"


# ---- who is asked for what


def test_the_first_alone_is_asked_while_it_answers(
    telling: Run, hub: HubProcess, other: HubProcess, store: Path
) -> None:
    answer = telling({"repo_id": SWAPPER}, endpoint=urls(hub, other))
    assert not answer["failures"] and not answer["warnings"]
    assert counts(hub) and not counts(other)
    state = json.loads((store / "ledger/state.json").read_text())
    assert state["upstreams"] == {}
    check_store(store)


def test_a_list_of_one_is_as_one_url(telling: Run, hub: HubProcess, store: Path) -> None:
    assert not telling({"repo_id": SWAPPER}, endpoint=[hub.url])["failures"]
    assert not telling({"repo_id": SWAPPER}, endpoint=hub.url)["changed"]
    check_store(store)


def test_who_is_away_is_asked_once_and_the_others_have_it(
    telling: Run, hub: HubProcess, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    monkeypatch.setattr(_http.Http, "backoff", lambda _http, attempt: tries.append(attempt))
    answer = telling({"repo_id": SWAPPER}, {"repo_id": TINY}, endpoint=[NOBODY, hub.url], workers=1)
    assert not answer["failures"]
    assert tries == [1, 2, 3, 4], "one request's attempts, and not one of each repository and file"
    (warning,) = answer["warnings"]
    assert warning.startswith(f"{NOBODY} gives no answer (") and ": it is asked last until 20" in warning
    (line,) = [
        line for line in (store / "ledger").glob("2*.jsonl").__next__().read_text().splitlines() if "upst" in line
    ]
    assert json.loads(line)["upstreams"] == [warning] and warning in str(describe(json.loads(line)))
    check_store(store)


def test_where_nobody_answers_each_is_named(telling: Run, other: HubProcess) -> None:
    other.control("status", {"status": 500, "times": None})
    answer = telling({"repo_id": SWAPPER}, endpoint=[NOBODY, other.url])
    problem = answer["failures"][f"{SWAPPER}@main"]
    assert f"{NOBODY}: {NOBODY} can't be reached" in problem and f"{other.url} answers 500" in problem


def test_who_is_for_bytes_alone_is_asked_for_no_listing(
    telling: Run, hub: HubProcess, other: HubProcess, published: Callable[[], str | None]
) -> None:
    other.control("move", {"repo_id": SWAPPER, "commit": 0})
    answer = telling({"repo_id": SWAPPER}, endpoint=[{"url": other.url, "listings": False}, hub.url])
    assert not answer["failures"] and published() == repo_of(hub)["main"]
    assert not {"revision", "tree"} & counts(other).keys()
    assert counts(other)["content_get"] and "content_get" not in counts(hub)


# ---- an older main


def test_who_is_behind_moves_nothing_back(
    telling: Run, hub: HubProcess, odd: Odd, published: Callable[[], str | None]
) -> None:
    behind, both = odd
    hub.control("move", {"repo_id": SWAPPER, "commit": 0})
    assert not telling({"repo_id": SWAPPER})["failures"]
    hub.control("move", {"repo_id": SWAPPER, "commit": 1})
    assert not telling({"repo_id": SWAPPER})["failures"]
    newest = published()
    behind.control("move", {"repo_id": SWAPPER, "commit": 0})
    answer = telling({"repo_id": SWAPPER}, endpoint=urls(*both))
    assert not answer["failures"] and not answer["changed"] and published() == newest
    is_first = both[0] is behind
    assert ("is behind" in told(answer, behind)) == is_first
    # and it is nobody's failure while the one that is ahead is away
    hub.control("status", {"status": 500, "times": None})
    answer = telling({"repo_id": SWAPPER}, endpoint=urls(*both))
    assert not answer["failures"] and published() == newest
    assert f"{SWAPPER}@main" in told(answer, behind) and "is behind" in told(answer, behind)


def test_what_everybody_took_back_is_held_as_ever(
    telling: Run, hub: HubProcess, other: HubProcess, published: Callable[[], str | None]
) -> None:
    commits = [one["commit"] for one in repo_of(hub)["commits"]]
    for one in (hub, other):
        one.control("move", {"repo_id": SWAPPER, "commit": 0})
    assert not telling({"repo_id": SWAPPER})["failures"]
    for one in (hub, other):
        one.control("move", {"repo_id": SWAPPER, "commit": 1})
    assert not telling({"repo_id": SWAPPER}, endpoint=urls(hub, other))["failures"]
    for one in (hub, other):
        one.control("move", {"repo_id": SWAPPER, "commit": 0})
    answer = telling({"repo_id": SWAPPER}, endpoint=urls(hub, other))
    assert "went back to" in answer["failures"][f"{SWAPPER}@main"] and published() == commits[1]
    rewind = {"repo_id": SWAPPER, "allow_rewind": True}
    other.control("status", {"status": 500, "times": None})
    assert not telling(rewind, endpoint=urls(hub, other))["failures"]
    assert published() == commits[1], "who is away may have what is newer"
    other.control("reset", {})
    other.control("move", {"repo_id": SWAPPER, "commit": 0})
    assert not telling(rewind, endpoint=urls(hub, other))["failures"] and published() == commits[0]


# ---- what is missing


def test_what_one_does_not_have_comes_from_the_other(telling: Run, hub: HubProcess, odd: Odd, store: Path) -> None:
    poor, both = odd
    poor.control("delete_repo", {"repo_id": SWAPPER})
    answer = telling({"repo_id": SWAPPER}, endpoint=urls(*both))
    assert not answer["failures"]
    lacks = f"{poor.url} did not list {SWAPPER}@main ({poor.url} has no model {SWAPPER}"
    assert any(line.startswith(lacks) for line in answer["warnings"]) == (both[0] is poor)
    check_store(store)


def test_a_commit_that_a_person_pinned_comes_from_who_has_it(
    telling: Run,
    hub: HubProcess,
    odd: Odd,
    published: Callable[[], str | None],
    store: Path,
) -> None:
    poor, both = odd
    rich = next(one for one in both if one is not poor)
    commit = rich.control("edit", {"repo_id": SWAPPER, "changes": {"new.txt": "only here"}})["commit"]
    answer = telling({"repo_id": SWAPPER, "revision": commit}, endpoint=urls(*both))
    assert not answer["failures"]
    assert (store / "hub/models--deepinsight--inswapper-128/snapshots" / commit / "new.txt").read_text() == "only here"


def test_a_file_that_one_refuses_comes_from_the_other(telling: Run, odd: Odd, store: Path) -> None:
    """403 above a size: that one is left neither for other files nor for listings."""
    mean, both = odd
    mean.control("status", {**FILE, "kind": "resolve", "status": 403, "times": None})
    answer = telling({"repo_id": SWAPPER}, {"repo_id": TINY}, endpoint=urls(*both))
    assert not answer["failures"] and not answer["warnings"]
    assert bool(counts(mean)) == (both[0] is mean)
    check_store(store)


def test_gated_is_what_the_first_says(telling: Run, hub: HubProcess, other: HubProcess) -> None:
    """A cache that shows what the Hub has closed meanwhile is no way around that."""
    hub.control("access", {"repo_id": SWAPPER, "mode": "gated", "token": "hf_right"})
    answer = telling({"repo_id": SWAPPER}, endpoint=urls(hub, other))
    assert "gated or private" in answer["failures"][f"{SWAPPER}@main"] and not counts(other)


# ---- tokens, bandwidth


def test_a_token_stays_at_its_own_upstream(telling: Run, hub: HubProcess, other: HubProcess, store: Path) -> None:
    """Of the entry's the second one never hears, and the first one never of the second's."""
    entry, tokens = {"repo_id": SWAPPER, "token": "entry"}, {"entry": "hf_entry", "other": "hf_other"}
    hub.control("access", {"repo_id": SWAPPER, "mode": "private", "token": "hf_entry"})
    hub.control("flip", FILE)
    for second, opens in ((other.url, False), ({"url": other.url, "token": "other"}, True)):
        other.control("reset", {})
        other.control("access", {"repo_id": SWAPPER, "mode": "private", "token": "hf_other"})
        answer = telling(entry, endpoint=[hub.url, second], tokens=tokens)
        assert bool(answer["failures"]) != opens
        asked = other.control("requests")["last"]
        assert {one["authorization"] for one in asked if one["origin"] == "hub"} == {opens}
        (store / "ledger/state.json").unlink()  # what it knows of wrong contents
    # whoever writes the second's into an entry does not send it to the first
    hub.control("reset", {})
    named = [hub.url, {"url": other.url, "token": "other"}]
    assert not telling({"repo_id": SWAPPER, "token": "other"}, endpoint=named, tokens=tokens)["failures"]
    assert not counts(hub)


@pytest.mark.parametrize(
    ("entry", "options"), [({}, {"token": "hf_x"}), ({"token": "entry"}, {"tokens": {"entry": "hf_x"}})]
)
def test_the_entries_tokens_are_for_the_first_that_is_believed(
    telling: Run, hub: HubProcess, other: HubProcess, entry: dict[str, Any], options: dict[str, Any]
) -> None:
    """And not for one that is there for bytes alone, be it the first of the list."""
    hub.control("access", {"repo_id": SWAPPER, "mode": "private", "token": "hf_x"})
    both = [{"url": other.url, "listings": False}, hub.url]
    assert not telling({"repo_id": SWAPPER, **entry}, endpoint=both, **options)["failures"]
    assert counts(other) and not any(one["authorization"] for one in other.control("requests")["last"])


def test_an_upstream_has_a_bandwidth_of_its_own(
    telling: Run, hub: HubProcess, other: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: set[int] = set()
    monkeypatch.setattr(BandwidthLimit, "take", lambda limiter, _count: rates.add(limiter._rate))
    both = [{"url": other.url, "bandwidth": 50_000}, {"url": hub.url, "bandwidth": 60_000}]
    assert not telling({"repo_id": TINY}, endpoint=both, bandwidth=10**9)["failures"]
    assert rates == {10**9, 50_000}
