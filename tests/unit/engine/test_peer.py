# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often another node is asked for its whole catalogue: when it changed, and by one thread."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import peer as _peer
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.catalogue import Catalogue
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.decision import Standing


class Node:
    """A node that has one of two catalogues, and counts who asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.has_digest = True
        self.node = "a" * 32
        self.digest = b""

    @property
    def content(self) -> bytes:
        return json.dumps(Catalogue(standing=Standing(self.node)).to_json()).encode()

    def answer(self, path: str) -> bytes | None:
        self.asked.append(path.rpartition("/")[2])
        if self.asked[-1] == "catalogue.json":
            return self.content
        told = self.digest or json.dumps(hashlib.sha256(self.content).hexdigest()).encode()
        return told if self.has_digest else None


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def peer(node: Node) -> Iterator[_peer.Peer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = node.answer(self.path)
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(found or b"")))
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *_arguments: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield _peer.peer_at(f"http://127.0.0.1:{server.server_port}", Clock())
        server.shutdown()


def test_all_of_it_is_asked_for_when_it_changed(node: Node, peer: _peer.Peer) -> None:
    for _time in range(3):
        assert peer.catalogue().standing.node == "a" * 32
    told = peer.told
    assert node.asked.count("catalogue.json") == 1
    node.node = "b" * 32
    for _time in range(3):
        assert peer.catalogue().standing.node == "b" * 32
    assert node.asked.count("catalogue.json") == 2 and peer.told != told


@pytest.mark.parametrize("digest", [b"", b"5", b'"x"', b"null", b'["' + b"a" * 64 + b'"]'])
def test_a_node_that_tells_no_digest_is_asked_for_all_of_it(node: Node, peer: _peer.Peer, digest: bytes) -> None:
    node.has_digest, node.digest = bool(digest), digest
    told = set()
    for name in "aab":
        node.node = name * 32
        assert peer.catalogue().standing.node == name * 32
        told.add(peer.told)
    assert node.asked.count("catalogue.json") == 3 and len(told) == 2


def test_one_that_is_written_between_both_questions_is_asked_for_again(node: Node, peer: _peer.Peer) -> None:
    node.digest = json.dumps(hashlib.sha256(b"before").hexdigest()).encode()
    assert peer.catalogue().standing.node == "a" * 32
    node.digest, node.node = b"", "b" * 32
    assert peer.catalogue().standing.node == "b" * 32


def test_of_all_that_wait_one_asks(node: Node, peer: _peer.Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_peer, "_LOOK", 1000.0)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _number: peer._recent(5.0), range(8)))
    assert {one.standing.node for one in found} == {"a" * 32}
    assert node.asked == ["catalogue-digest.json", "catalogue.json"]
