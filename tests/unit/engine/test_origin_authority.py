# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several upstreams: what one after the first may say while that is away, and what counts once it is back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from served import served
from unit.engine.test_border import COMMIT, OddHub
from unit.engine.upstreams import SWAPPER, TINY, counts, repo_of, told, urls

from hub.process import HubProcess
from storecheck import check_store

pytestmark = pytest.mark.usefixtures("hurried")

Run = Callable[..., dict[str, Any]]
Published = Callable[..., "str | None"]
ENTRY, DAY = {"repo_id": SWAPPER}, 86_400


def edited(hub: HubProcess, name: str, repo_id: str = SWAPPER, **more: Any) -> str:
    """Let main name a new commit."""
    order = {"repo_id": repo_id, "changes": {f"{name}.txt": name}, "title": name, **more}
    return str(hub.control("edit", order)["commit"])


def away(hub: HubProcess) -> None:
    hub.control("status", {"status": 500, "times": None})


def back(hub: HubProcess) -> None:
    hub.control("status", {"status": 200, "times": 0})


# ---- dates


@pytest.mark.parametrize("seconds", [4_070_908_800, None], ids=["2099", "tomorrow"])
def test_no_date_of_another_holds_back_the_first(
    telling: Run, hub: HubProcess, other: HubProcess, published: Published, store: Path, seconds: int | None
) -> None:
    """While the first is away the second publishes what it likes, and dates it as it likes."""
    both = urls(hub, other)
    assert not telling(ENTRY, endpoint=both)["failures"]
    theirs = edited(other, "theirs", time=seconds or int(time.time()) + DAY // 2)
    edited(other, "theirs", TINY)
    away(hub)
    assert not telling(ENTRY, endpoint=both)["failures"] and published() == theirs
    back(hub)
    new = edited(hub, "new")
    answer = telling(ENTRY, {"repo_id": TINY}, endpoint=both)
    assert not answer["failures"] and published() == new
    assert published(TINY) == repo_of(hub, TINY)["main"], "other repositories come from the first as ever"
    check_store(store)


def test_being_behind_leaves_nobody_for_other_repositories(
    telling: Run, hub: HubProcess, other: HubProcess, published: Published, store: Path
) -> None:
    both, tiny = urls(hub, other), {"repo_id": TINY}
    assert not telling(ENTRY, tiny, endpoint=both)["failures"]
    theirs = edited(other, "theirs")
    away(hub)
    assert not telling(ENTRY, endpoint=both)["failures"] and published() == theirs
    back(hub)  # where main is what was published before
    new = edited(hub, "new", TINY)
    answer = telling(ENTRY, tiny, endpoint=both, workers=1)
    assert not answer["failures"] and published() == theirs and published(TINY) == new
    assert "is behind" in told(answer, hub) and f"{SWAPPER}@main" in told(answer, hub)
    assert json.loads((store / "ledger/state.json").read_text())["upstreams"] == {}


def test_a_stale_second_moves_nothing_back_while_the_first_is_away(
    telling: Run, hub: HubProcess, other: HubProcess, published: Published
) -> None:
    """Be it to what was never published here: the first told a later date."""
    other.control("move", {"repo_id": SWAPPER, "commit": 0})
    assert not telling(ENTRY, endpoint=urls(hub, other))["failures"]
    newest = published()
    away(hub)
    answer = telling(ENTRY, endpoint=urls(hub, other))
    assert not answer["failures"] and published() == newest and "is behind" in told(answer, other)


@pytest.mark.parametrize("is_right", [True, False])
def test_what_another_listed_is_compared_once_the_first_is_back(
    telling: Run, published: Published, store: Path, is_right: bool
) -> None:
    """A commit's id says nothing of its files: who is believed less may list others of the same commit."""
    first, second = (type("Handler", (OddHub,), {"odd": {}, "seen": []}) for _each in range(2))
    second.content = OddHub.content if is_right else b"another file"
    entry = {"repo_id": "odd/one"}
    with served(first) as one, served(second) as two:
        first.odd["/api/"] = lambda hub: hub.send(b"", {}, 500)
        assert not telling(entry, endpoint=[one, two])["failures"] and published("odd/one") == COMMIT
        first.odd.clear()
        answer = telling(entry, endpoint=[one, two])
        assert ("a commit never changes" in str(answer["failures"])) != is_right
        first.seen.clear()
        telling(entry, endpoint=[one, two])
        assert any("/tree/" in path for path, _token in first.seen) != is_right, "once, where they agree"
    check_store(store)


def test_an_upstream_has_one_name(telling: Run, hub: HubProcess, store: Path) -> None:
    """However it is written, what is known of it is kept under that."""
    port = hub.url.rpartition(":")[2]
    assert not telling(ENTRY, endpoint=[f"HTTP://LocalHost.:{port}/./", hub.url])["failures"]
    told_by = next(store.glob("hub/*/.mirror/upstream/*.json")).read_text()
    assert json.loads(told_by)["teller"] == f"http://localhost:{port}"


# ---- closed, taken down


@pytest.mark.parametrize("status", [403, 410, 451])
def test_what_the_first_closed_is_held(
    telling: Run, hub: HubProcess, other: HubProcess, published: Published, status: int
) -> None:
    hub.control("status", {**ENTRY, "status": status, "times": None, "headers": {"X-Error-Message": "disabled"}})
    answer = telling(ENTRY, endpoint=urls(hub, other))
    problem = answer["failures"][f"{SWAPPER}@main"]
    assert f"answers {status}" in problem and "closed" in problem and not published() and not counts(other)


@pytest.mark.parametrize("status", [410, 451])
def test_a_file_that_the_first_took_down_is_held(
    telling: Run, hub: HubProcess, other: HubProcess, published: Published, status: int
) -> None:
    hub.control("status", {**ENTRY, "kind": "resolve", "status": status, "times": None})
    answer = telling(ENTRY, endpoint=urls(hub, other))
    assert f"answers {status}" in answer["failures"][f"{SWAPPER}@main"] and not counts(other)


def test_what_a_later_one_closed_the_first_may_give(
    telling: Run, hub: HubProcess, other: HubProcess, store: Path
) -> None:
    """The second has no token; the first is asked after it for a while, and opens."""
    for one in (hub, other):
        one.control("access", {**ENTRY, "mode": "gated", "token": "hf_x"})
    hub.control("limit", {"bucket": "api", "quota": 0, "window": 1})
    answer = telling(ENTRY, endpoint=urls(hub, other), token="hf_x")
    assert not answer["failures"]
    check_store(store)


@pytest.mark.parametrize("moves_on", [True, False])
def test_what_is_gone_at_who_told_it_stays_as_it_is(
    telling: Run, hub: HubProcess, other: HubProcess, published: Published, moves_on: bool
) -> None:
    assert not telling(ENTRY, endpoint=urls(hub, other))["failures"]
    before = published()
    hub.control("delete_repo", ENTRY)
    if moves_on:
        edited(other, "theirs")
    answer = telling(ENTRY, endpoint=urls(hub, other))
    assert not answer["failures"] and published() == before
    words = f"no longer has {SWAPPER}@main" if moves_on else f"did not list {SWAPPER}@main"
    assert words in told(answer, hub)


def test_what_the_first_never_had_goes_on_at_the_second(
    telling: Run, hub: HubProcess, other: HubProcess, published: Published
) -> None:
    hub.control("delete_repo", ENTRY)
    assert not telling(ENTRY, endpoint=urls(hub, other))["failures"]
    new = edited(other, "new")
    assert not telling(ENTRY, endpoint=urls(hub, other))["failures"] and published() == new


# ---- a person publishes


def test_what_waits_is_replaced_by_nothing_older(
    telling: Run, hub: HubProcess, other: HubProcess, published: Published, store: Path
) -> None:
    """The second is between what is published and what waits."""
    manual, both = {**ENTRY, "publish": "manual"}, urls(hub, other)
    for one in (hub, other):
        one.control("move", {**ENTRY, "commit": 0})
    assert not telling(ENTRY, endpoint=both)["failures"]
    for one in (hub, other):
        edited(one, "between")
    waiting = edited(hub, "newest")

    def pending() -> Any:
        return Store(store).repository(Repo("model", SWAPPER)).facts().pending

    assert not telling(manual, endpoint=both)["failures"] and pending() == {"main": waiting}
    away(hub)
    answer = telling(manual, endpoint=both)
    assert not answer["failures"] and pending() == {"main": waiting} and "is behind" in told(answer, other)
