# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes behind real servers: one syncs with the stand-in Hub, the other one follows it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import StoppedError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.fsck import fsck
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import peer as _peer
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.download import Downloads
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import Http
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.peer import Peer, PeerError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan import refs as _refs
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.plan import Fetch
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.purge import Purge
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.ref_change import make_change
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from node import Node
from served import served as serving
from unit.engine.two_nodes import BOTH, ONNX, SWAPPER, TINY, Pair, commits, served

from storecheck import check_store


def status(node: Node, file: str) -> int:
    """Ask for a file of a view."""
    try:
        with urlopen(f"{node.url}/models/{file}", timeout=10) as answer:
            return int(answer.status)
    except HTTPError as refusal:
        with refusal:
            return refusal.code


def test_all_comes_from_the_peer(pair: Pair) -> None:
    pair.sync("a")
    pair.hub.control("reset", {})
    done = pair.follow("b")
    assert done.changed and done.fetched
    assert not pair.hub.control("requests")["counts"], "no Hub was asked"
    pair.assert_equal()
    again = pair.follow("b")
    assert not again.changed and not again.fetched


def test_a_new_commit_follows(pair: Pair) -> None:
    pair.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 0})
    pair.sync("a")
    pair.follow("b")
    pair.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 1})
    pair.sync("a")
    done = pair.follow("b")
    assert done.moved == [f"{SWAPPER.repo_id}@main"]
    pair.assert_equal()


def test_what_the_peer_has_spoiled_comes_from_the_hub(pair: Pair) -> None:
    pair.sync("a")
    blob = max((pair.nodes["a"].store / "pool").iterdir(), key=lambda file: file.stat().st_size)
    blob.chmod(0o644)
    with blob.open("r+b") as content:
        content.write(b"rotten")
    blob.chmod(0o444)
    pair.follow("b")
    check_store(pair.nodes["b"].store)


def test_what_a_peer_took_with_it_comes_from_the_hub(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.sync("a", [{"repo_id": SWAPPER.repo_id}])
    url = Peer.url_of

    def dies(peer: Peer, action: Fetch) -> str:
        pair.nodes["a"].kill()
        return url(peer, action)

    monkeypatch.setattr(Peer, "url_of", dies)
    monkeypatch.setattr(Http, "backoff", lambda *_waits: None)
    pair.follow("b")
    assert commits(pair, "b", SWAPPER) == commits(pair, "a", SWAPPER)


def decided(pair: Pair, name: str, repo: Repo, decide: Callable[..., Any], *arguments: Any) -> None:
    assert make_change(pair.store(name), repo, lambda facts: decide(repo, facts, *arguments), actor=name)


def two_versions(pair: Pair) -> tuple[str, str]:
    pair.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 0})
    pair.sync("a")
    first = commits(pair, "a", SWAPPER)["main"]
    pair.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 1})
    pair.sync("a")
    pair.follow("b")
    return first, commits(pair, "a", SWAPPER)["main"]


def test_a_rollback_follows_and_stays(pair: Pair) -> None:
    first, second = two_versions(pair)
    decided(pair, "a", SWAPPER, _refs.rollback, "main")
    pair.follow("b")
    assert commits(pair, "b", SWAPPER) == {"main": first}
    pair.assert_equal()
    pair.sync("b")
    assert commits(pair, "b", SWAPPER) == {"main": first}, "the new active node does not bring it back"
    decided(pair, "b", SWAPPER, _refs.promote, "main", second)
    pair.follow("a")
    assert commits(pair, "a", SWAPPER) == {"main": second}
    pair.assert_equal()


def test_pins_and_freezes_follow_and_end(pair: Pair) -> None:
    first, _second = two_versions(pair)
    decided(pair, "a", SWAPPER, _refs.pin, first)
    decided(pair, "a", TINY, _refs.freeze, "main")
    pair.follow("b")
    assert first in pair.store("b").repository(SWAPPER).facts().pins
    assert "main" in pair.store("b").repository(TINY).facts().frozen
    decided(pair, "a", SWAPPER, _refs.pin, first, False)
    pair.follow("b")
    assert not pair.store("b").repository(SWAPPER).facts().pins
    # whoever follows does not bring back what was taken away
    pair.follow("a")
    pair.assert_equal()


def test_after_a_split_the_serials_decide(pair: Pair) -> None:
    first, second = two_versions(pair)
    decided(pair, "b", SWAPPER, _refs.rollback, "main")
    decided(pair, "b", SWAPPER, _refs.promote, "main", second)
    decided(pair, "b", SWAPPER, _refs.rollback, "main")
    decided(pair, "a", SWAPPER, _refs.rollback, "main")
    decided(pair, "a", SWAPPER, _refs.promote, "main", second)
    for _round in range(2):
        pair.follow("a")
        pair.follow("b")
    assert commits(pair, "a", SWAPPER) == commits(pair, "b", SWAPPER) == {"main": first}
    pair.assert_equal()


def test_a_repository_that_goes_and_comes_back(pair: Pair) -> None:
    pair.sync("a")
    pair.follow("b")
    pair.sync("a", [{"repo_id": TINY.repo_id}], "exact")
    assert pair.follow("b").removed == [str(SWAPPER)]
    pair.assert_equal()
    assert not pair.store("b").repository(SWAPPER).folder.exists()
    pair.sync("a")
    pair.follow("b")
    assert pair.store("b").repository(SWAPPER).facts().serials["main"] == 3, "published, removed, published"
    pair.assert_equal()


def test_a_peer_that_lost_its_store_takes_nothing_with_it(pair: Pair, tmp_path: Path) -> None:
    pair.sync("a")
    pair.follow("b")
    before = served(pair.nodes["b"].store)
    for entry in pair.nodes["a"].store.iterdir():
        entry.rename(tmp_path / f"lost-{entry.name}")
    with pytest.raises(PeerError):
        pair.engine("b").follow()
    pair.sync("a", [{"repo_id": TINY.repo_id}])
    pair.follow("b", grace=0)
    assert served(pair.nodes["b"].store) == before


def test_retired_commits_stay_on_both_and_go_from_both(pair: Pair, later: Callable[[float], None]) -> None:
    def commits_served(name: str) -> set[str]:
        return set(pair.store(name).repository(SWAPPER).facts().snapshots)

    whitelist = [{"repo_id": SWAPPER.repo_id, "keep": 1}]
    pair.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 0})
    pair.sync("a", whitelist)
    pair.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 1})
    pair.sync("a", whitelist)
    pair.follow("b")
    assert len(commits_served("a")) == 2 and commits_served("a") == commits_served("b")
    pair.assert_equal()
    for day in range(1, 5):
        later(day * 86400)
        pair.sync("a", whitelist)
        pair.follow("b")
    assert len(commits_served("a")) == 1 and commits_served("a") == commits_served("b")
    pair.assert_equal()


def test_a_grace_that_began_before_the_ledger_was_lost_begins_anew(pair: Pair, later: Callable[[float], None]) -> None:
    whitelist = [{"repo_id": SWAPPER.repo_id, "keep": 1}]
    pair.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 0})
    for day in (1, 2, 3):
        later(day * 86400)
        pair.sync("a", whitelist)
        pair.follow("b")
    pair.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 1})
    pair.sync("a", whitelist)
    pair.follow("b")
    repository = pair.store("b").repository(SWAPPER)
    ((commit, mark),) = repository.marks()["retired"].items()
    assert mark["age"] > 86400
    for file in (pair.nodes["b"].store / "ledger").glob("*.json*"):
        file.unlink()
    pair.follow("b")
    assert repository.marks()["retired"][commit]["age"] < 86400


def test_a_stop_is_nobodys_failure(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.sync("a")
    engine = pair.engine("b")

    def stop(*_arguments: Any) -> None:
        engine.clock.stop()
        engine.clock.check()

    with monkeypatch.context() as patch:
        patch.setattr(Downloads, "fetch", stop)
        with pytest.raises(StoppedError):
            engine.follow()
    monkeypatch.setattr(Peer, "catalogue", stop)
    with pytest.raises(StoppedError):
        Peer(pair.nodes["b"].url, Http(engine.clock)).wait_for(TINY, "0" * 40, "", 60)


def test_what_is_removed_by_name_leaves_views_on_both(pair: Pair) -> None:
    entries = [
        {"repo_id": SWAPPER.repo_id, "files": [ONNX], "views": ["faces"]},
        {"repo_id": TINY.repo_id, "files": ["config.json"], "views": ["faces", "own"]},
    ]
    pair.sync("a", entries)
    pair.follow("b")
    pair.sync("a", entries[1:], "absent")
    pair.follow("b")
    pair.assert_equal()
    files = (f"faces/{ONNX}", "faces/config.json", "own/config.json")
    for node in pair.nodes.values():
        assert [status(node, file) for file in files] == [200, 404, 404]


def test_gating_closes_views_on_both(pair: Pair) -> None:
    """Also those of an entry from which they were taken out, and on the follower before it is published anywhere."""
    both = [
        {"repo_id": SWAPPER.repo_id, "views": ["faces", "own"]},
        {"repo_id": TINY.repo_id, "files": ["config.json"]},
    ]
    both[1]["views"] = ["faces"]
    pair.sync("a", both)
    pair.follow("b")
    files = (f"faces/{ONNX}", f"own/{ONNX}", "faces/config.json")
    assert {name: [status(node, file) for file in files] for name, node in pair.nodes.items()} == {
        "a": [200, 200, 200],
        "b": [200, 200, 200],
    }
    before = {name: commits(pair, name, SWAPPER) for name in pair.nodes}
    pair.hub.control("access", {"repo_id": SWAPPER.repo_id, "mode": "gated", "token": "hf_right"})
    pair.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 2})
    seen: list[tuple[list[int], list[int]]] = []

    class Meanwhile(Peer):
        def wait_for(self, *arguments: Any) -> str | None:
            pair.follow("b")
            assert {name: commits(pair, name, SWAPPER) for name in pair.nodes} == before
            seen.append(tuple([status(node, file) for file in files] for node in pair.nodes.values()))
            return None

    engine = pair.engine("a", tokens={None: "hf_right"})
    engine._peers = [Meanwhile(pair.nodes["b"].url, Http(engine.clock))]
    assert not engine.run(parse([{"repo_id": SWAPPER.repo_id}, both[1]])).problems
    assert seen == [([404, 404, 200], [404, 404, 200])]
    pair.follow("b")
    pair.assert_equal()


def test_a_new_node_gates_what_the_other_one_does(pair: Pair) -> None:
    """Also where no commit that is left says so."""
    both = [{"repo_id": SWAPPER.repo_id}, {"repo_id": TINY.repo_id}]
    pair.sync("a", both)
    mark = pair.nodes["a"].store / "hub" / SWAPPER.folder / ".mirror" / "gated"
    mark.touch()
    pair.sync("a", both)
    pair.follow("b")
    assert (pair.nodes["b"].store / "hub" / SWAPPER.folder / ".mirror" / "gated").exists()
    assert not (pair.nodes["b"].store / "hub" / TINY.folder / ".mirror" / "gated").exists()
    pair.assert_equal()


def test_a_purge_follows(pair: Pair) -> None:
    pair.sync("a")
    pair.follow("b")
    etag = max((blob.stat().st_size, blob.name) for blob in (pair.nodes["a"].store / "pool").iterdir())[1]
    Purge(pair.store("a"), "a", "malware").content(etag)
    pair.follow("b")
    assert not [path for path in pair.nodes["b"].store.rglob("*") if etag in path.name]
    pair.assert_equal()
    pair.follow("a")
    pair.assert_equal()


def seals_before_it_is_published(pair: Pair) -> list[str]:
    """Sync ``a``, and let ``b`` follow whenever ``a`` waits for it. Returns what ``b`` sealed meanwhile."""
    engine = pair.engine("a", peer_wait=1800)
    sealed: list[str] = []

    def follow_instead_of_waiting(_seconds: float) -> None:
        published = pair.store("a").repository(SWAPPER).refs()
        sealed.extend(pair.follow("b").sealed)
        assert pair.store("b").repository(SWAPPER).refs() == published

    engine.clock.sleep = follow_instead_of_waiting  # type: ignore[method-assign]
    outcome = engine.run(parse(BOTH))
    assert not outcome.problems and not outcome.plan.warnings
    return sealed


def test_nothing_is_published_before_the_peer_sealed_it(pair: Pair) -> None:
    pair.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 0})
    pair.sync("a")
    pair.follow("b")
    pair.hub.control("move", {"repo_id": SWAPPER.repo_id, "commit": 1})
    assert len(seals_before_it_is_published(pair)) == 1
    pair.follow("b")
    pair.assert_equal()


def test_nor_where_it_comes_back(pair: Pair) -> None:
    pair.sync("a")
    pair.follow("b")
    for name in ("a", "b"):
        pair.sync(name, [{"repo_id": TINY.repo_id}], "exact")
    assert len(seals_before_it_is_published(pair)) == 1
    pair.follow("b")
    pair.assert_equal()


def test_a_peer_that_is_away_holds_nothing_up(pair: Pair) -> None:
    pair.nodes["b"].kill()
    outcome = pair.engine("a", peer_wait=1800).run(parse(BOTH))
    assert not outcome.problems
    assert any("published without a peer" in warning for warning in outcome.plan.warnings)


def dripping(begin: str) -> AbstractContextManager[str]:
    """Run a peer whose answers begin so, and never end."""

    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.wfile.write(f"HTTP/1.1 {begin}".encode())
                for _tick in range(1200):
                    self.wfile.write(b" ")
                    time.sleep(0.05)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    return serving(Dripping)


def test_a_peer_that_drips_keeps_nobody_from_the_others(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_peer, "PEER_DIGEST_SECONDS", 1)
    pair.sync("a")
    with dripping("200 OK\r\n\r\n") as url:
        done = pair.engine("b", peers=[url, pair.nodes["a"].url]).follow()
    assert list(done.away) == [url] and "in 1.0 seconds" in str(done.away[url])
    pair.assert_equal()


def test_a_node_among_its_own_peers_is_nobody(pair: Pair) -> None:
    pair.sync("a")
    both = [node.url for node in pair.nodes.values()]
    pair.engine("b", peers=both).follow()
    done = pair.engine("b", peers=both).follow()
    assert list(done.away) == [pair.nodes["b"].url] and "this node itself" in str(done.away[pair.nodes["b"].url])
    pair.nodes["a"].kill()
    with pytest.raises(PeerError):
        pair.engine("b", peers=both).follow()


@pytest.mark.parametrize(
    "begin", ["HTTP/1.1 404 Not Found\r\nContent-Length: 60000\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"]
)
def test_a_peer_that_drips_holds_nothing_up(pair: Pair, begin: str) -> None:
    with dripping(begin) as url:
        outcome = pair.engine("a", peers=[url], peer_wait=1).run(parse(BOTH))
    assert not outcome.problems and outcome.plan.repos[0].publishes
    assert any("published without a peer" in warning for warning in outcome.plan.warnings)


def test_others_see_nothing(pair: Pair) -> None:
    pair.sync("a")
    config = pair.nodes["a"].config
    config.write_text(config.read_text().replace("allow 127.0.0.1;", "allow 192.0.2.1;"))
    pair.nodes["a"].kill()
    pair.nodes["a"].start()
    for path in ("catalogue.json", "pool/" + next((pair.nodes["a"].store / "pool").iterdir()).name):
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{pair.nodes['a'].url}/_peer/{path}")
        assert refused.value.code == 404


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"main":[', '"../../../../main":['),
        ('"serial":1', '"serial":"1"'),
        ('"serial":1', '"serial":9007199254740991'),
        ('"contents":{}', '"contents":{"' + "a" * 40 + '":{"time":"9999-12-31T23:59:59Z","off":true}}'),
        ('"contents":{}', '"contents":{"' + "a" * 40 + '":{"age":1}}'),
        ('"time":', '"when":'),
        ('"format":1', '"format":[1]'),
        ('"views":["faces"]', '"views":[5]'),
        ('"repo_id":"stand-in/tiny-model"', '"repo_id":"../../x"'),
        ("COMMIT", "../../../../../escape"),
        ('"contents":{}', '"contents":{"../../store.json":{"time":"2","actor":"x","note":""}}'),
    ],
    ids=["ref", "serial", "end", "9999", "age", "time", "format", "view", "repository", "commit", "content"],
)
def test_a_peer_that_was_taken_over_can_write_nowhere_else(pair: Pair, old: str, new: str) -> None:
    pair.sync("a", [{"repo_id": TINY.repo_id, "views": ["faces"]}])
    pair.follow("b")
    before = served(pair.nodes["b"].store)
    file = pair.nodes["a"].store / "catalogue.json"
    text = file.read_text().replace(old.replace("COMMIT", commits(pair, "a", TINY)["main"]), new)
    assert text != file.read_text()
    file.write_text(text)
    try:
        told = [str(problem) for problem in pair.engine("b").follow().problems.values()]
    except PeerError as problem:
        told = [str(problem)]
    assert told and all("can't be right" in one for one in told)
    assert served(pair.nodes["b"].store) == before and (pair.nodes["b"].store / "store.json").exists()
    # an honest peer is followed again
    file.unlink()
    pair.sync("a", [{"repo_id": TINY.repo_id, "views": ["faces"]}])
    assert not pair.engine("b").follow().problems
    pair.assert_equal()


def test_what_waits_for_a_person_at_the_peer_is_a_commit_that_it_has(pair: Pair) -> None:
    pair.sync("a", [{"repo_id": TINY.repo_id}])
    pair.follow("b")
    file = pair.nodes["a"].store / "catalogue.json"
    catalogue = json.loads(file.read_text())
    for piece in catalogue["repos"].values():
        piece["pending"] = {"main": "d" * 40}
    file.write_text(json.dumps(catalogue))
    pair.follow("b")
    assert not [one for one in fsck(Store(pair.nodes["b"].store)) if one.damage]
