# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several upstreams: bytes from any of them, and who is left for a while."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import fetch as _fetch
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import reach as _reach
from unit.engine.upstreams import FILE, ONNX, SWAPPER, TINY, Odd, counts, repo_of, told, urls

from hub.process import HubProcess
from storecheck import check_store

pytestmark = pytest.mark.usefixtures("hurried")

Run = Callable[..., dict[str, Any]]
NOBODY = "http://127.0.0.1:9"


ELSEWHERE = {**FILE, "kind": "resolve", "status": 308, "times": None, "headers": {"Location": NOBODY}}
LIMITED = "limits the rate of requests"
#: What one of them does, what is told of it, and whether it is left for that.
SPOILERS = [
    pytest.param("flip", FILE, "sends other contents than listed", True, id="wrong bytes"),
    pytest.param("length", {**FILE, "by": 1000, "times": None}, "sends other contents", True, id="another size"),
    pytest.param("untold", FILE, "does not return the hash", True, id="no X-Linked-Etag"),
    pytest.param("stall", {**FILE, "after": 0, "times": None}, f"did not give {ONNX}", False, id="it stalls"),
    pytest.param("status", ELSEWHERE, f"{NOBODY} can't be reached", False, id="308 to elsewhere"),
    pytest.param("limit", {"bucket": "resolvers", "quota": 0, "window": 3600}, LIMITED, True, id="429"),
    pytest.param("limit", {"bucket": "api", "quota": 0, "window": 3600}, LIMITED, True, id="429 of the API"),
]


@pytest.mark.parametrize(("page", "order", "words", "is_left"), SPOILERS)
def test_bytes_come_from_any(
    telling: Run, odd: Odd, store: Path, page: str, order: dict[str, Any], words: str, is_left: bool
) -> None:
    spoiled, both = odd
    spoiled.control(page, order)
    answer = telling({"repo_id": SWAPPER}, endpoint=urls(*both))
    assert not answer["failures"]
    assert (words in told(answer, spoiled)) == (both[0] is spoiled)
    check_store(store)
    # it is remembered, but for what is over as soon as it says so
    kept = json.loads((store / "ledger/state.json").read_text())["upstreams"]
    assert list(kept) == ([spoiled.url] if both[0] is spoiled and is_left else [])
    if both[0] is spoiled:
        before = counts(spoiled)
        assert not telling({"repo_id": TINY}, endpoint=urls(*both))["failures"]
        assert (counts(spoiled) == before) == is_left, "the other one is asked first where this one is left"


def test_a_connection_that_is_cut_many_times_is_used_on(telling: Run, odd: Odd, store: Path) -> None:
    cutting, both = odd
    cutting.control("cut", {**FILE, "after": 200_000, "times": 12})
    answer = telling({"repo_id": SWAPPER}, endpoint=urls(*both))
    assert not answer["failures"] and not answer["warnings"]
    check_store(store)


@pytest.mark.parametrize("is_right", [True, False])
def test_what_one_began_the_next_one_ends(
    telling: Run, hub: HubProcess, other: HubProcess, store: Path, monkeypatch: pytest.MonkeyPatch, is_right: bool
) -> None:
    """And where the beginning was wrong it is fetched anew, and who is right bears no blame."""
    monkeypatch.setattr(_fetch, "_TAIL", 0)
    size = next(one["files"][ONNX]["size"] for one in repo_of(hub)["commits"])
    other.control("cut", {**FILE, "after": size * 3 // 4, "times": 1})
    other.control("expire", {**FILE, "uses": 1})
    other.control("limit", {"bucket": "resolvers", "quota": 1, "window": 3600})
    if not is_right:
        other.control("flip", FILE)
    answer = telling({"repo_id": SWAPPER, "files": [ONNX]}, endpoint=urls(other, hub))
    assert not answer["failures"] and not told(answer, hub)
    ranges = [one["range"] for one in hub.control("requests")["last"] if one["kind"] == "content_get"]
    assert ranges[0].startswith("bytes=") and ranges[0] != "bytes=0-"
    assert ranges[1:] == ([] if is_right else [None])
    check_store(store)


def test_listings_with_wrong_hashes_are_found_out(
    telling: Run, odd: Odd, store: Path, published: Callable[[], str | None]
) -> None:
    """Two that send the same, and not what is listed, are right: who listed it is asked last from then on."""
    lying, both = odd
    lying.control("mislist", FILE)
    endpoint = [both[0].url, both[1].url.replace("127.0.0.1", "localhost")]
    answer = telling({"repo_id": SWAPPER}, endpoint=endpoint)
    if both[0] is not lying:
        assert not answer["failures"] and not answer["warnings"]
        return
    assert f"{SWAPPER}@main" in answer["failures"] and published() is None
    assert "lists inswapper_128.onnx of deepinsight/inswapper-128" in told(answer, lying)
    assert not telling({"repo_id": SWAPPER}, endpoint=endpoint)["failures"]
    check_store(store)


def test_two_of_one_host_convict_nobody(
    telling: Run, hub: HubProcess, other: HubProcess, contents: Path, store: Path
) -> None:
    """Who lists what is right, and can't give it just now, is believed on where one host lies under two addresses."""
    hub.control("status", {**FILE, "kind": "resolve", "status": 503, "times": None})
    with HubProcess(contents) as third:
        for one in (other, third):
            one.control("flip", FILE)
        for second, is_convicted in ((other.url, False), (other.url.replace("127.0.0.1", "localhost"), True)):
            answer = telling({"repo_id": SWAPPER}, endpoint=[hub.url, second, third.url])
            assert f"{SWAPPER}@main" in answer["failures"]
            assert (f"{hub.url} lists" in told(answer, hub)) == is_convicted
            (store / "ledger/state.json").unlink()  # what it knows of wrong contents


def test_none_sends_into_the_network_that_the_mirror_stands_in(
    telling: Run, hub: HubProcess, other: HubProcess, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_reach, "is_inside", lambda address, outside: address == "127.0.0.2" and not outside)
    answer = telling({"repo_id": SWAPPER, "files": [ONNX]}, endpoint=urls(hub, other))
    problem = answer["failures"][f"{SWAPPER}@main"]
    assert all(
        f"{url} redirects to 127.0.0.2, which has the private address 127.0.0.2: refused" in problem
        for url in urls(hub, other)
    )
    allowed = telling({"repo_id": SWAPPER}, endpoint=urls(hub, other), allow_networks=["127.0.0.2/32"])
    assert not allowed["failures"]
    check_store(store)


def test_all_wrong_is_as_with_one(telling: Run, hub: HubProcess, other: HubProcess, store: Path) -> None:
    for one in (hub, other):
        one.control("flip", FILE)
    answer = telling({"repo_id": SWAPPER}, endpoint=urls(hub, other))
    problem = answer["failures"][f"{SWAPPER}@main"]
    assert (
        all(f"{url}: {ONNX} of {SWAPPER}" in problem for url in urls(hub, other)) and "is corrupt upstream" in problem
    )
    again = telling({"repo_id": SWAPPER}, endpoint=urls(hub, other))
    assert "tried 1 times, again in 1 h" in again["failures"][f"{SWAPPER}@main"]


def test_health_comes_back(
    telling: Run, hub: HubProcess, other: HubProcess, later: Callable[[float], None], store: Path
) -> None:
    other.control("flip", FILE)
    both = urls(other, hub)
    assert told(telling({"repo_id": SWAPPER}, endpoint=both), other)
    other.control("reset", {})
    later(86_400 + 60)
    answer = telling({"repo_id": TINY}, endpoint=both)
    assert not answer["failures"] and not answer["warnings"] and counts(other)
    assert json.loads((store / "ledger/state.json").read_text())["upstreams"] == {}


def test_a_state_that_somebody_spoiled_leaves_nobody_for_years(
    telling: Run, hub: HubProcess, other: HubProcess, store: Path
) -> None:
    assert not telling({"repo_id": TINY}, endpoint=hub.url)["failures"]
    file = store / "ledger/state.json"
    state = json.loads(file.read_text())
    for left in ({"times": 3, "until": 1e12, "message": "x"}, {"times": "x"}, 7):
        state["upstreams"] = {hub.url: left}
        file.write_text(json.dumps(state))
        hub.control("reset", {})
        assert not telling({"repo_id": TINY}, endpoint=urls(hub, other))["failures"]
        assert counts(hub) and not counts(other)
