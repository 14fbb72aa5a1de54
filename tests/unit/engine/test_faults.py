# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Hub that misbehaves, through the front door. docs/reliability.md is the table of what is tried here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base import fs as _fs
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import fetch as _fetch
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import http as _http
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import source as _source
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import window as _window

from hub.process import HubProcess
from storecheck import check_store, snapshot

Run = Callable[..., dict[str, Any]]
Listed = Callable[[str], dict[str, Any]]

TINY, SWAPPER, ONNX = "stand-in/tiny-model", "deepinsight/inswapper-128", "inswapper_128.onnx"
FILE = {"repo_id": SWAPPER, "path": ONNX}
MB = 1_000_000


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes half a minute in life takes a second here."""
    monkeypatch.setattr(_source, "_STALL_SECONDS", 1.0)
    monkeypatch.setattr(_http, "READ_TIMEOUT", 1)
    monkeypatch.setattr(_http.Http, "backoff", lambda http, attempt: http.clock.sleep(0.01 * attempt))


def in_segments(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(_fetch, "SEGMENT", size)
    monkeypatch.setattr(_window, "SEGMENT", size)


@pytest.fixture(params=[_window.SEGMENT, 73 * _fs.PAGE, 300_000], ids=["whole", "segments", "uneven segments"])
def segments(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file comes in one piece, or in 14 of which several are under way."""
    in_segments(monkeypatch, request.param)


HEALED = [
    ("cut", {"after": 100_000, "times": 3}),
    ("cut", {"after": 0, "times": 2}),
    ("stall", {"after": 100_000, "times": 1}),
    ("drip", {"after": 100_000, "interval": 0.05, "times": 1}),
    ("length", {"by": 1000, "times": 1}),
    ("length", {"by": -1000, "times": 1}),
    ("flip", {"times": 1}),
    ("expire", {"uses": 0, "times": 1}),
    ("expire", {"seconds": -5, "times": 2}),
    ("status", {"status": 503, "kind": "content", "times": 2}),
    ("status", {"status": 500, "kind": "content", "times": 1}),
    ("status", {"status": 502, "kind": "resolve", "times": 2}),
    ("status", {"status": 503, "kind": "revision", "times": 1}),
    ("status", {"status": 504, "kind": "tree", "times": 1}),
]


@pytest.mark.usefixtures("segments")
@pytest.mark.parametrize(("order", "body"), HEALED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_heals(sync: Run, store: Path, hub: HubProcess, listed: Listed, order: str, body: dict[str, Any]) -> None:
    listing = body.get("kind") in ("revision", "tree")
    hub.control(order, {"repo_id": SWAPPER, **body} if listing else {**FILE, **body})
    answer = sync({"repo_id": SWAPPER})
    assert not answer["failures"]
    assert snapshot(store, SWAPPER, listed(SWAPPER)["main"]).keys() == listed(SWAPPER)["files"].keys()
    check_store(store)
    counts = hub.control("requests")["counts"]
    assert sum(counts.values()) > 8, "the fault was met"


@pytest.mark.usefixtures("segments")
@pytest.mark.parametrize("mode", ["ignore", "ignore-with-range", "shift"])
def test_a_range_that_is_not_what_was_asked_for(
    sync: Run, store: Path, hub: HubProcess, listed: Listed, mode: str
) -> None:
    hub.control("cut", {**FILE, "after": 100_000, "times": 1})
    hub.control("range", {**FILE, "mode": mode, "times": 1})
    assert not sync({"repo_id": SWAPPER})["failures"]
    assert any(r["range"] for r in hub.control("requests")["last"]), "a range was asked for"
    check_store(store)


def test_a_late_segment_is_asked_for_on_a_second_connection(
    sync: Run, store: Path, hub: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_segments(monkeypatch, 73 * _fs.PAGE)
    monkeypatch.setattr(_window, "_PATIENCE", 0.1)
    monkeypatch.setattr(_source, "_STALL_SECONDS", 3600.0)
    hub.control("drip", {**FILE, "after": 100_000, "interval": 0.2, "times": 1})
    assert not sync({"repo_id": SWAPPER})["failures"]
    asked = [r["range"] for r in hub.control("requests")["last"] if r["kind"] == "content_get" and r["range"]]
    assert len(asked) > len(set(asked))
    check_store(store)


REFUSED = [
    ("status", {"status": 403, "kind": "content", "times": None, "message": "AccessDenied"}, "answers 403"),
    ("status", {"status": 404, "kind": "content", "times": None}, "answers 404"),
    ("status", {"status": 500, "kind": "content", "times": None}, "answers 500"),
    ("flip", {"times": None}, "is corrupt upstream: expected SHA-256"),
    ("length", {"by": -1000, "times": None}, "can't be fetched"),
    ("cut", {"after": 0, "times": None}, "can't be fetched"),
    ("stall", {"after": 0, "times": None}, "can't be fetched"),
]


@pytest.mark.parametrize(
    ("order", "body", "words"),
    [
        ("status", {"status": 403, "kind": "content", "message": "AccessDenied"}, "{content} answers 403"),
        ("length", {"by": -1000}, "{content} announces other sizes than the listing"),
    ],
)
def test_who_refuses_is_named_and_one_cause_is_one_clause(
    sync: Run, hub: HubProcess, order: str, body: dict[str, Any], words: str
) -> None:
    """A firewall that lets nobody to the contents' own host is not the Hub's refusal."""
    entries = [{"repo_id": SWAPPER, "files": [ONNX]}, {"repo_id": TINY, "files": ["model.safetensors"]}]
    for entry in entries:
        hub.control(order, {"repo_id": entry["repo_id"], **body, "times": None})
    answer = sync(*entries, {"repo_id": "tiny-canonical"})
    told = words.format(content=hub.content_url)
    head, names, cause = answer["msg"].split(": ", 2)
    assert (head, cause) == ("2 of 3 entries failed", f"files can't be fetched: {told}")
    assert sorted(names.split(", ")) == [f"{SWAPPER}@main", f"{TINY}@main"]
    assert ".onnx" in answer["failures"][f"{SWAPPER}@main"]


@pytest.mark.usefixtures("segments")
@pytest.mark.parametrize(("order", "body", "words"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_does_not_heal_is_told_and_harms_nobody(
    sync: Run,
    store: Path,
    hub: HubProcess,
    published: Callable[[str], str | None],
    order: str,
    body: dict[str, Any],
    words: str,
) -> None:
    sync({"repo_id": SWAPPER})
    before = published(SWAPPER)
    hub.control("move", {"repo_id": SWAPPER, "commit": 2})
    hub.control(order, {**FILE, **body})
    answer = sync({"repo_id": SWAPPER}, {"repo_id": TINY})
    assert answer["failed"] and words in answer["failures"][f"{SWAPPER}@main"]
    assert answer["failures"].keys() == {f"{SWAPPER}@main"}
    assert published(SWAPPER) == before and published(TINY)
    check_store(store)


def test_the_limit_is_obeyed_by_all_threads(sync: Run, store: Path, hub: HubProcess) -> None:
    hub.control("limit", {"bucket": "resolvers", "quota": 60, "window": 1})
    assert not sync({"repo_id": "stand-in/many-small-files"})["failures"]
    statuses = [r["status"] for r in hub.control("requests")["last"]]
    assert statuses.count(429) <= 16, "the threads that were under way, not one request for each file"
    check_store(store)


@pytest.mark.parametrize("retry_after", [True, False])
def test_a_refusal_by_the_api_is_waited_for(sync: Run, hub: HubProcess, retry_after: bool) -> None:
    hub.control("limit", {"bucket": "api", "quota": 1, "window": 1, "retry_after": retry_after})
    assert not sync({"repo_id": TINY}, {"repo_id": SWAPPER})["failures"]
    assert 429 in [r["status"] for r in hub.control("requests")["last"]]


@pytest.mark.parametrize("mode", ["gated", "private"])
def test_gated_and_private(
    sync: Run, hub: HubProcess, store: Path, published: Callable[[str], str | None], mode: str
) -> None:
    hub.control("access", {"repo_id": TINY, "mode": mode, "token": "hf_right"})
    entry = {"repo_id": TINY, "token": "team"}
    answer = sync(entry, {"repo_id": "tiny-canonical"}, tokens={"team": "hf_wrong"})
    assert "token" in answer["failures"][f"{TINY}@main"] and published("tiny-canonical")
    assert "hf_wrong" not in json.dumps(answer)
    unknown = sync({**entry, "token": "hf_secret"})["failures"][f"{TINY}@main"]
    assert "the entry names a token that does not exist" in unknown and "hf_secret" not in unknown
    assert not sync(entry, tokens={"team": "hf_right"})["failures"]
    before = published(TINY)
    assert (store / "hub/models--stand-in--tiny-model/.mirror/gated").exists()
    assert not list(store.glob("hub/models--tiny-canonical/.mirror/gated"))
    answer = sync({**entry, "views": ["flat"]}, tokens={"team": "hf_right"})
    assert "is gated or private, but a view is public" in answer["failures"][f"{TINY}@main"]
    assert not list(store.glob("views/*"))
    assert "token" in sync(entry, tokens={"team": "hf_wrong"})["failures"][f"{TINY}@main"], (
        "told although nothing moved"
    )
    assert published(TINY) == before


@pytest.mark.parametrize(
    ("order", "body", "words"),
    [
        ("delete_repo", {}, "has no model stand-in/tiny-model"),
        ("rename", {"to": "stand-in/renamed"}, "the Hub renamed stand-in/tiny-model to stand-in/renamed"),
        ("edit", {"drop_all": True}, "stand-in/tiny-model@main has no files on the Hub"),
        ("edit", {"drop_all": True, "changes": {".gitattributes": "x"}}, "has none of its 3 files any more"),
        ("edit", {"changes": {"../evil": "x"}}, "'../evil' has an empty, '.' or '..' component"),
        ("edit", {"changes": {"/etc/passwd": "x"}}, "'/etc/passwd' is absolute"),
        ("edit", {"changes": {"a\nb": "x"}}, "can't be mirrored"),
        ("edit", {"changes": {"x/.mirror.flat.json": "[]"}}, "can't be mirrored"),
        ("move", {"commit": 0}, "went back to"),
    ],
)
def test_an_upstream_that_is_not_followed(
    sync: Run,
    store: Path,
    hub: HubProcess,
    published: Callable[[str], str | None],
    order: str,
    body: dict[str, Any],
    words: str,
) -> None:
    hub.control("move", {"repo_id": TINY, "commit": 0})
    sync({"repo_id": TINY})
    hub.control("move", {"repo_id": TINY, "commit": 1})
    sync({"repo_id": TINY})
    before = published(TINY)
    hub.control(order, {"repo_id": TINY, **body})
    answer = sync({"repo_id": TINY}, {"repo_id": "tiny-canonical"})
    assert words in answer["failures"][f"{TINY}@main"]
    assert published(TINY) == before and published("tiny-canonical")
    check_store(store)


def test_a_deleted_file_is_told_by_name(sync: Run, hub: HubProcess, published: Callable[[str], str | None]) -> None:
    entry = {"repo_id": TINY, "files": ["config.json"]}
    sync(entry)
    before = published(TINY)
    hub.control("edit", {"repo_id": TINY, "changes": {"config.json": None}})
    assert "the Hub has no config.json" in sync(entry)["failures"][f"{TINY}@main"]
    assert published(TINY) == before


def test_main_moves_while_it_is_fetched(sync: Run, store: Path, hub: HubProcess, listed: Listed) -> None:
    first = listed(SWAPPER)["main"]
    hub.control("move_after", {"repo_id": SWAPPER, "commit": 2, "requests": 3})
    assert not sync({"repo_id": SWAPPER})["failures"]
    content = snapshot(store, SWAPPER, first)
    assert content.keys() == {".gitattributes", "README.md", ONNX}, "what was begun is finished, and nothing is mixed"
    check_store(store)
    assert not sync({"repo_id": SWAPPER})["failures"]
    assert snapshot(store, SWAPPER, listed(SWAPPER)["main"])


def test_one_message_for_one_cause(sync: Run, hub: HubProcess) -> None:
    repos = [{"repo_id": f"stand-in/none-{number}"} for number in range(9)]
    answer = sync(*repos, endpoint="http://127.0.0.1:9")
    assert answer["msg"].count("can't be reached") == 1 and "and 6 more" in answer["msg"]


def test_a_full_disk_ends_fetching_and_not_publishing(
    sync: Run, store: Path, hub: HubProcess, monkeypatch: pytest.MonkeyPatch, published: Callable[[str], str | None]
) -> None:
    sync({"repo_id": SWAPPER})
    hub.control("move", {"repo_id": SWAPPER, "commit": 2})
    before = published(SWAPPER)
    from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.fs import Fs

    monkeypatch.setattr(Fs, "free", lambda _fs, _folder: (100 * MB, 100 * MB, 1 << 30))
    answer = sync({"repo_id": SWAPPER}, {"repo_id": TINY}, reserve=98)
    assert f"{ONNX} of {SWAPPER} needs" in answer["failures"][f"{SWAPPER}@main"]
    assert "98 % stay free" in answer["msg"]
    assert published(SWAPPER) == before
    monkeypatch.undo()
    assert not sync({"repo_id": SWAPPER})["failures"]


def test_a_part_is_gone_on_with_but_for_its_end(
    sync: Run, store: Path, hub: HubProcess, listed: Listed, monkeypatch: pytest.MonkeyPatch, contents: Path
) -> None:
    monkeypatch.setattr(_fetch, "_TAIL", 500_000)
    sync({"repo_id": "tiny-canonical"})
    etag = listed(SWAPPER)["files"][ONNX]["sha256"]
    # the end of what was written is lost in a power cut: zeros, though the size is right
    right = (contents / "blobs" / etag).read_bytes()[:1_500_000]
    (store / "staging" / f"{etag}.part").write_bytes(right + bytes(400_000))
    assert not sync({"repo_id": SWAPPER, "files": [ONNX]})["failures"]
    asked = [r["range"] for r in hub.control("requests")["last"] if r["kind"] == "content_get"]
    # 500,000 bytes less, and from a page's first byte
    assert asked[-1] == "bytes=1396736-3999999" and len(asked) == 2, "the other is tiny-canonical's"
    check_store(store)
