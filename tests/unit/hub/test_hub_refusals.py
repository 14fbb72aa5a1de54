# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the stand-in says no, or says it late: quotas, errors, URLs that end, gated and private repositories."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections import Counter
from typing import Any

import pytest
from polling import until

from hub.process import HubProcess
from hub.wire import Answer, ask, fetch, get, head, locate

REPO = "stand-in/tiny-model"
LFS = "model.safetensors"
PLAIN = "config.json"
INFO = f"/api/models/{REPO}"
TREE = f"{INFO}/tree/main"
RESOLVE = f"/{REPO}/resolve/main/{PLAIN}"
TOKEN = "hf_right"


def rate_limit(answer: Answer) -> tuple[str, int, int]:
    """Return bucket, requests left and seconds until there are more."""
    found = re.fullmatch(r'"(\w+)";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
    assert found
    return found[1], int(found[2]), int(found[3])


@pytest.mark.parametrize(
    ("bucket", "target", "other"), [("api", INFO, RESOLVE), ("api", TREE, RESOLVE), ("resolvers", RESOLVE, INFO)]
)
def test_limit(hub: HubProcess, bucket: str, target: str, other: str) -> None:
    hub.control("limit", {"bucket": bucket, "quota": 3, "window": 60})
    for left in (2, 1, 0):
        answer = get(hub.url, target)
        assert answer.status < 400
        assert rate_limit(answer)[:2] == (bucket, left)
        assert answer.headers["RateLimit-Policy"] == f'"fixed window";"{bucket}";q=3;w=60'
    for _time in range(2):
        refused = get(hub.url, target)
        assert refused.status == 429
        assert rate_limit(refused)[:2] == (bucket, 0)
        assert 0 < rate_limit(refused)[2] <= 60
        assert refused.headers["Retry-After"] is None
    assert get(hub.url, other).status < 400, "each bucket has its own quota"
    hub.control("reset", {})
    assert get(hub.url, target).status < 400


def test_limit_ends_when_it_says(hub: HubProcess) -> None:
    hub.control("limit", {"bucket": "api", "quota": 1, "window": 1, "retry_after": True})
    assert get(hub.url, INFO).headers["Retry-After"] is None
    # the first window may be over by now
    refused = until(lambda: answer if (answer := get(hub.url, INFO)).status == 429 else None)
    assert refused.headers["Retry-After"] == str(rate_limit(refused)[2]) == "1"
    told = time.monotonic() + rate_limit(refused)[2]
    asked = time.monotonic()
    while get(hub.url, INFO).status == 429:
        assert asked < told
        asked = time.monotonic()
    assert rate_limit(get(hub.url, INFO))[1] == 0


def test_quotas_that_nobody_ordered_refuse_nobody(hub: HubProcess) -> None:
    for _time in range(510):
        answer = head(hub.url, f"{INFO}/refs")
    assert answer.status == 200
    assert rate_limit(answer)[1] == 1


@pytest.mark.parametrize("kind", ["info", "revision", "tree", "refs", "paths_info", "resolve", "resolve_cache"])
@pytest.mark.parametrize("status", [403, 500, 502, 503])
def test_status(hub: HubProcess, kind: str, status: int) -> None:
    cached = locate(hub.url, REPO, PLAIN)[1]
    targets = {
        "info": INFO,
        "revision": f"{INFO}/revision/main",
        "tree": TREE,
        "refs": f"{INFO}/refs",
        "paths_info": f"{INFO}/paths-info/main",
        "resolve": RESOLVE,
        "resolve_cache": cached,
    }
    hub.control("status", {"kind": kind, "status": status, "times": 2, "message": "no luck"})
    came: dict[str, Counter[int]] = {name: Counter() for name in targets}
    for name, target in [*targets.items()] * 3:
        answer = ask("POST" if name == "paths_info" else "GET", hub.url, target, "paths=x")
        came[name][answer.status] += 1
        assert answer.status < 400 or answer.json == {"error": "no luck"}
    assert came[kind][status] == 2
    assert sum(count[status] for count in came.values()) == 2


@pytest.mark.parametrize(
    ("order", "spoiled"),
    [
        ({}, {"info", "resolve", "content", "other repo"}),
        ({"kind": ["info", "content"]}, {"info", "content", "other repo"}),
        ({"kind": "resolve_get"}, {"resolve"}),
        ({"kind": "resolve_head"}, set()),
        ({"kind": "content_get"}, {"content"}),
        ({"repo_id": REPO}, {"info", "resolve", "content"}),
        ({"repo_id": REPO, "path": LFS}, {"content"}),
        ({"repo_id": REPO, "path": PLAIN}, {"resolve"}),
    ],
)
def test_status_is_meant_for(hub: HubProcess, order: dict[str, Any], spoiled: set[str]) -> None:
    targets = {
        "info": (hub.url, INFO),
        "resolve": (hub.url, RESOLVE),
        "content": locate(hub.url, REPO, LFS),
        "other repo": (hub.url, "/api/models/tiny-canonical"),
    }
    hub.control("status", {**order, "status": 503, "times": None, "headers": {"Retry-After": "7"}})
    answers = {name: get(*target) for name, target in targets.items()}
    assert {name for name, answer in answers.items() if answer.status == 503} == spoiled
    assert all((answer.headers["Retry-After"] == "7") is (name in spoiled) for name, answer in answers.items())


def test_content_is_forbidden_for_ever(hub: HubProcess) -> None:
    hub.control("status", {"kind": "content", "status": 403, "times": None, "message": "gone & <lost>"})
    for _time in range(3):
        refused = fetch(hub.url, REPO, LFS)
        assert (refused.status, refused.headers["Content-Type"]) == (403, "application/xml")
        assert b"<Message>gone &amp; &lt;lost&gt;</Message>" in refused.body.splitlines()[0]
    assert fetch(hub.url, REPO, PLAIN).status == 200


def expiry(target: str) -> int:
    found = re.search(r"[?&]Expires=(\d+)(&|$)", target)
    assert found
    return int(found[1])


def test_content_urls_say_when_they_end(hub: HubProcess) -> None:
    base, target = locate(hub.url, REPO, LFS)
    assert time.time() + 3500 < expiry(target) < time.time() + 3700
    assert target != locate(hub.url, REPO, LFS)[1]
    forged = target.replace(str(expiry(target)), str(expiry(target) + 1))
    unsigned = target.partition("?")[0]
    for wrong in (forged, unsigned):
        assert get(base, wrong).status == 403


def test_expire_after_seconds(hub: HubProcess) -> None:
    before = locate(hub.url, REPO, LFS)
    hub.control("expire", {"repo_id": REPO, "seconds": 1})
    ordered = time.time()
    base, target = locate(hub.url, REPO, LFS)
    assert ordered + 1 <= expiry(target) <= time.time() + 2
    asked = time.time()
    while (answer := get(base, target, Range="bytes=0-9")).status == 206:
        assert asked < expiry(target)
        asked = time.time()
    assert time.time() >= expiry(target)
    assert answer.status == 403
    assert b"<Message>Request has expired</Message>" in answer.body.splitlines()[0]
    assert get(*before).status == 200, "issued before the order"
    assert get(*locate(hub.url, REPO, LFS)).status == 200, "a new one is good again"


def test_expire_before_it_is_used(hub: HubProcess) -> None:
    hub.control("expire", {"seconds": -1, "times": 1})
    assert fetch(hub.url, REPO, LFS).status == 403
    assert fetch(hub.url, REPO, LFS).status == 200


@pytest.mark.parametrize("uses", [0, 1, 3])
def test_expire_after_uses(hub: HubProcess, uses: int) -> None:
    hub.control("expire", {"repo_id": REPO, "path": LFS, "uses": uses})
    first, second = locate(hub.url, REPO, LFS), locate(hub.url, REPO, LFS)
    for url in (first, second):
        assert [get(*url, Range="bytes=0-0").status for _use in range(uses + 2)] == [206] * uses + [403] * 2
    hub.control("reset", {})
    assert fetch(hub.url, REPO, LFS).status == 200


@pytest.mark.parametrize(
    ("mode", "what", "anonymous", "wrong", "right"),
    [
        ("gated", "info", (200, None), (200, None), (200, None)),
        ("gated", "tree", (200, None), (200, None), (200, None)),
        ("gated", "resolve", (401, "GatedRepo"), (403, "GatedRepo"), (302, None)),
        ("gated", "resolve_cache", (401, "GatedRepo"), (403, "GatedRepo"), (200, None)),
        ("private", "info", (401, "RepoNotFound"), (401, "RepoNotFound"), (200, None)),
        ("private", "tree", (401, "RepoNotFound"), (401, "RepoNotFound"), (200, None)),
        ("private", "resolve", (401, "RepoNotFound"), (401, "RepoNotFound"), (302, None)),
        ("private", "resolve_cache", (401, "RepoNotFound"), (401, "RepoNotFound"), (200, None)),
    ],
)
def test_access(hub: HubProcess, mode: str, what: str, anonymous: object, wrong: object, right: object) -> None:
    target = {
        "info": INFO,
        "tree": TREE,
        "resolve": f"/{REPO}/resolve/main/{LFS}",
        "resolve_cache": locate(hub.url, REPO, PLAIN)[1],
    }[what]
    honest = get(hub.url, target).status
    hub.control("access", {"repo_id": REPO, "mode": mode, "token": TOKEN})
    answers = [
        get(hub.url, target),
        get(hub.url, target, Authorization="Bearer hf_wrong"),
        get(hub.url, target, Authorization=f"Bearer {TOKEN}"),
    ]
    assert [(answer.status, answer.headers["X-Error-Code"]) for answer in answers] == [anonymous, wrong, right]
    assert TOKEN not in str([(answer.headers.items(), answer.body) for answer in answers])
    hub.control("access", {"repo_id": REPO, "mode": None})
    assert get(hub.url, target).status == honest


@pytest.mark.parametrize(("mode", "told"), [("gated", (False, "auto")), ("private", (True, False))])
def test_info_tells_of_access(hub: HubProcess, mode: str, told: object) -> None:
    hub.control("access", {"repo_id": REPO, "mode": mode, "token": TOKEN})
    document = get(hub.url, INFO, Authorization=f"Bearer {TOKEN}").json
    assert (document["private"], document["gated"]) == told
    assert len(document["siblings"]) > 1


def test_content_origin_knows_no_tokens(hub: HubProcess) -> None:
    hub.control("access", {"repo_id": REPO, "mode": "gated", "token": TOKEN})
    base, target = locate(hub.url, REPO, LFS, Authorization=f"Bearer {TOKEN}")
    assert get(base, target).status == 200
    assert get(base, target, Authorization=f"Bearer {TOKEN}").status == 200
    requests = hub.control("requests")["last"]
    assert [entry["authorization"] for entry in requests if entry["origin"] == "content"] == [False, True]
    assert TOKEN not in str(requests)


@pytest.mark.parametrize(("order", "late"), [({}, {"hub", "content"}), ({"origin": "content"}, {"content"})])
def test_latency(hub: HubProcess, order: dict[str, str], late: set[str]) -> None:
    targets = {"hub": (hub.url, INFO), "content": locate(hub.url, REPO, LFS)}
    hub.control("latency", {**order, "seconds": 0.01})
    assert {get(*target).status for target in targets.values()} == {200}
    hub.control("latency", {**order, "seconds": 60})
    for origin, target in targets.items():
        if origin in late:
            with pytest.raises(TimeoutError):
                urllib.request.urlopen("".join(target), timeout=0.2)
        else:
            assert get(*target).status == 200
    hub.control("reset", {})
    assert get(*targets["hub"]).status == 200
    assert hub.control("requests")["counts"] == {"info": 1}, "those that waited are forgotten"


@pytest.mark.parametrize(
    ("page", "order"),
    [
        ("limit", {"bucket": "pages", "quota": 1, "window": 1}),
        ("status", {"kind": "tea", "status": 418}),
        ("status", {"kind": "info"}),
        ("range", {"mode": "twice"}),
        ("access", {"repo_id": REPO, "mode": "secret", "token": TOKEN}),
        ("latency", {"seconds": 1, "origin": "moon"}),
        ("bandwidth", {"bytes_per_second": 0}),
        ("unsteady", {"mean": 2, "p99": 1}),
        ("unsteady", {"mean": 1, "p99": 2, "failures": 1.5}),
        ("stall", {"repo_id": REPO, "path": "nope", "after": 0}),
    ],
)
def test_wrong_orders_are_refused(hub: HubProcess, page: str, order: dict[str, object]) -> None:
    assert ask("POST", hub.url, f"/_hub/{page}", json.dumps(order)).status == 400
