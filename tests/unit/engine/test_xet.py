# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes out of Xet: real hf_xet, from a store that it made, read over HTTP or as a folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock, StoppedError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import xet as _xet
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import Http
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.xet import Xet, XetError, XetFile, xet_file

from hub import wire
from hub.drafts import Noise
from hub.xet import XetHub

HASH = "0123456789abcdef" * 4
HUB = "https://hub.example"
ROUTE = f"{HUB}/api/models/a/b/xet-read-token/main"
HEADERS = {"authorization": "Bearer hub-secret"}
LARGE = bytes(Noise("xet", 30_000_000))
#: Shares chunks with the other, so that it is made of pieces of several xorbs.
MIXED = LARGE[3_000_000:9_000_000] + bytes(Noise("xet mixed", 4_000_000)) + LARGE[20_000_000:22_000_000]
CONTENTS = {"large.safetensors": LARGE, "mixed.safetensors": MIXED, "config.json": b"{}\n"}


class TurnedClock(Clock):
    """A clock that a test turns; ``wrong`` is by how much the wall clock is wrong."""

    ahead = wrong = 0.0

    def now(self) -> float:
        return time.time() + self.ahead + self.wrong

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[XetHub]:
    with XetHub(tmp_path / "xet", CONTENTS) as hub:
        yield hub


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_XET_CACHE", "HF_XET_LOG_DEST", "TOKIO_WORKER_THREADS"):
        monkeypatch.setenv(name, "")  # so that what is set is taken back
        monkeypatch.delenv(name)
    monkeypatch.setattr(_xet, "_RETRY_DELAY", "20ms")


@pytest.fixture
def xet(clock: TurnedClock) -> Iterator[Xet]:
    source = Xet(Http(clock))
    yield source
    source.close()


def resolved(upstream: XetHub, path: str) -> XetFile:
    answer = wire.head(upstream.url, f"/{upstream.repo_id}/resolve/main/{path}")
    file = xet_file(answer.headers, int(answer.headers["X-Linked-Size"]), upstream.url)
    assert file
    return file


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"X-Xet-Hash": HASH, "Link": f'<{ROUTE}>; rel="xet-auth"'}, ROUTE),
        ({"X-Xet-Hash": HASH, "Link": f'<https://x/>; rel="next", <{ROUTE}>; title="a"; rel=xet-auth'}, ROUTE),
        ({"X-Xet-Hash": HASH, "Link": f'<{ROUTE}>; rel="xet-auth", <https://x/>; rel="xet-reconstruction"'}, ROUTE),
        ({"X-Xet-Hash": HASH, "X-Xet-Refresh-Route": ROUTE}, ROUTE),
        ({"X-Xet-Hash": HASH, "X-Xet-Refresh-Route": "/api/token"}, f"{HUB}/api/token"),
        ({"X-Xet-Hash": HASH, "X-Xet-Refresh-Route": "https://huggingface.co/api/token"}, f"{HUB}/api/token"),
        ({"X-Xet-Hash": HASH, "X-Xet-Refresh-Route": "https://elsewhere.example/api/token"}, None),
        ({"X-Xet-Hash": HASH, "X-Xet-Refresh-Route": "http://hub.example/api/token"}, None),
        ({"X-Xet-Hash": HASH, "Link": f'<{ROUTE}>; rel="xet-authors"'}, None),
        ({"X-Xet-Hash": HASH}, None),
        ({"X-Xet-Hash": "../etc", "X-Xet-Refresh-Route": ROUTE}, None),
        ({"X-Xet-Refresh-Route": ROUTE}, None),
        ({}, None),
    ],
)
def test_what_headers_say(headers: dict[str, str], url: str | None) -> None:
    assert xet_file(headers, 5, HUB) == (XetFile(HASH, 5, url) if url else None)


@pytest.mark.parametrize("local", [False, True], ids=["http", "folder"])
@pytest.mark.parametrize("path", ["large.safetensors", "mixed.safetensors"])
def test_all_bytes_come_in_order(upstream: XetHub, xet: Xet, path: str, local: bool) -> None:
    upstream.local = local
    file, content = resolved(upstream, path), CONTENTS[path]
    for start in (0, 1, 5_000_001, len(content) - 1, len(content)):
        blocks = list(xet.stream(file, start, HEADERS))
        assert b"".join(blocks) == content[start:]
        assert max(map(len, blocks), default=0) <= 8 << 20, "what is in memory must not depend on the file's size"


def test_tokens_stay_where_they_belong(upstream: XetHub, xet: Xet, tmp_path: Path) -> None:
    for path in ("large.safetensors", "mixed.safetensors"):
        list(xet.stream(resolved(upstream, path), 0, HEADERS))
    (asked,) = upstream.seen("token")
    assert asked.headers["Authorization"] == "Bearer hub-secret"
    store = [*upstream.seen("reconstruction"), *upstream.seen("xorb")]
    assert len(store) > 10
    assert not [request for request in store if "hub-secret" in str(request.headers)]
    assert "store-token-0" not in repr(vars(xet))
    assert "hub-secret" not in repr(vars(xet))


def test_another_token_of_the_hub_opens_the_store_anew(upstream: XetHub, xet: Xet) -> None:
    file = resolved(upstream, "mixed.safetensors")
    for secret in ("one", "two", "one"):
        list(xet.stream(file, 0, {"authorization": f"Bearer {secret}"}))
    assert [request.headers["Authorization"] for request in upstream.seen("token")] == ["Bearer one", "Bearer two"]


def test_a_new_token_is_taken_in_the_middle(upstream: XetHub, xet: Xet, clock: TurnedClock) -> None:
    stream = xet.stream(resolved(upstream, "large.safetensors"), 0, HEADERS)
    got = next(stream)
    upstream.end_tokens()
    clock.ahead += 3600
    assert got + b"".join(stream) == LARGE
    assert len(upstream.seen("token")) == 2


@pytest.mark.parametrize("wrong", [86_400.0, -86_400.0], ids=["fast", "slow"])
def test_a_host_whose_clock_is_wrong(upstream: XetHub, xet: Xet, clock: TurnedClock, wrong: float) -> None:
    clock.wrong = wrong
    for _attempt in range(2):
        assert b"".join(xet.stream(resolved(upstream, "mixed.safetensors"), 0, HEADERS)) == MIXED
    assert len(upstream.seen("token")) == 1


def test_a_token_that_the_store_refuses_is_not_used_again(upstream: XetHub, xet: Xet) -> None:
    file = resolved(upstream, "mixed.safetensors")
    list(xet.stream(file, 0, HEADERS))
    upstream.end_tokens()
    with pytest.raises(XetError, match="gave 0 of"):
        list(xet.stream(file, 0, HEADERS))
    assert b"".join(xet.stream(file, 0, HEADERS)) == MIXED


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("token", 403, "gives no token for its Xet store (403)"),
        ("token", 404, "gives no token for its Xet store (404)"),
        # hf_xet says what is wrong, or ends the stream as though it were complete: sometimes this, sometimes that
        ("reconstruction", 404, "gave 0 of 12000000 bytes"),
        ("xorb", 403, "of 12000000 bytes"),
        ("xorb", 404, "of 12000000 bytes"),
    ],
)
def test_a_refusal_is_told_without_secrets(upstream: XetHub, xet: Xet, kind: str, status: int, words: str) -> None:
    file = resolved(upstream, "mixed.safetensors")
    upstream.refuse[kind] = status
    with pytest.raises(XetError) as caught:
        list(xet.stream(file, 0, HEADERS))
    chain = f"{caught.value} {caught.value.cause} {caught.value.__cause__!r}"
    assert words in chain
    for secret in ("store-token", "hub-secret", "Signature", "f00d"):
        assert secret not in chain


def test_an_ended_token_is_no_token(upstream: XetHub, xet: Xet) -> None:
    upstream.token_seconds = -5
    with pytest.raises(XetError, match="no token"):
        list(xet.stream(resolved(upstream, "mixed.safetensors"), 0, HEADERS))


@pytest.mark.parametrize("local", [False, True], ids=["http", "folder"])
@pytest.mark.parametrize(
    "damage", [lambda b: None, lambda b: b[: len(b) // 2], lambda b: bytes(len(b))], ids=["gone", "cut", "zeros"]
)
def test_a_store_that_lacks_bytes(
    upstream: XetHub, xet: Xet, local: bool, damage: Callable[[bytes], bytes | None]
) -> None:
    upstream.local = local
    file = resolved(upstream, "large.safetensors")
    list(xet.stream(file, 0, HEADERS))  # the store is read by now, only its xorbs are not what they were
    for xorb in upstream.store.xorbs.glob("default.*[0-9a-f]"):
        content = damage(xorb.read_bytes())
        xorb.chmod(0o600)
        xorb.unlink() if content is None else xorb.write_bytes(content)
    with pytest.raises(XetError, match="of 30000000 bytes"):
        list(xet.stream(file, 0, HEADERS))


def test_wrong_bytes_are_for_the_hash_to_find(upstream: XetHub, xet: Xet) -> None:
    (xorb,) = (xorb for xorb in upstream.store.xorbs.iterdir() if xorb.stat().st_size > len(LARGE))
    content = bytearray(xorb.read_bytes())
    content[15_000_000] ^= 1
    xorb.chmod(0o600)
    xorb.write_bytes(content)
    hasher = hashlib.sha256()
    with contextlib.suppress(XetError):
        for block in xet.stream(resolved(upstream, "large.safetensors"), 0, HEADERS):
            hasher.update(block)
    assert hasher.digest() != hashlib.sha256(LARGE).digest()


def in_a_thread(stream: Iterator[bytes]) -> tuple[threading.Thread, list[BaseException | None]]:
    """Read a stream to its end elsewhere; return what ended it."""
    outcome: list[BaseException | None] = []

    def read() -> None:
        try:
            for _block in stream:
                pass
            outcome.append(None)
        except Exception as problem:
            outcome.append(problem)

    thread = threading.Thread(target=read)
    thread.start()
    return thread, outcome


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two looks


def test_a_stop_ends_a_stream_that_waits(upstream: XetHub, xet: Xet, clock: TurnedClock) -> None:
    upstream.unhindered = 1
    thread, outcome = in_a_thread(xet.stream(resolved(upstream, "large.safetensors"), 0, HEADERS))
    wait_for(lambda: len(upstream.seen("xorb")) > 1)
    clock.stop()
    thread.join(20)  # far less than hf_xet's own patience
    assert [type(problem) for problem in outcome] == [StoppedError]


def test_close_ends_a_stream_that_waits(upstream: XetHub, xet: Xet) -> None:
    upstream.unhindered = 1
    thread, outcome = in_a_thread(xet.stream(resolved(upstream, "large.safetensors"), 0, HEADERS))
    wait_for(lambda: len(upstream.seen("xorb")) > 1)
    xet.close()
    thread.join(20)
    assert [type(problem) for problem in outcome] == [XetError]


def test_a_stall_ends_a_stream(upstream: XetHub, xet: Xet, clock: TurnedClock) -> None:
    upstream.unhindered = 1
    thread, outcome = in_a_thread(xet.stream(resolved(upstream, "large.safetensors"), 0, HEADERS))
    wait_for(lambda: len(upstream.seen("xorb")) > 1)

    def turned_on() -> bool:
        clock.ahead += 301
        return bool(outcome)

    wait_for(turned_on)
    thread.join()
    assert isinstance(outcome[0], XetError)
    assert "no block came in 300 seconds" in str(outcome[0])


def test_a_stream_that_nobody_reads_holds_up_no_other(upstream: XetHub, xet: Xet) -> None:
    file = resolved(upstream, "large.safetensors")
    idle = [xet.stream(file, 0, HEADERS) for _stream in range(4)]
    for stream in idle:
        next(stream)
    thread, outcome = in_a_thread(xet.stream(file, 0, HEADERS))
    thread.join(60)
    assert outcome == [None]
    for stream in idle:
        stream.close()  # type: ignore[attr-defined]


CHILD = """
import sys
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base import clock as _clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import http as _http
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import xet as _xet
name, size, url, part = sys.argv[1:]
with open(part, "ab", buffering=0) as target:
    for block in _xet.Xet(_http.Http(_clock.Clock())).stream(_xet.XetFile(name, int(size), url), target.tell(), {}):
        target.write(block)
print("complete")
"""


def test_kill_9_and_resume(upstream: XetHub, tmp_path: Path) -> None:
    file, part = resolved(upstream, "large.safetensors"), tmp_path / "part"
    command = [sys.executable, "-c", CHILD, file.hash, str(file.size), file.refresh_url, str(part)]
    environment = {**os.environ, "PYTHONPATH": "collections"}
    upstream.unhindered = 2
    with subprocess.Popen(command, env=environment) as child:
        wait_for(lambda: part.exists() and part.stat().st_size > 0)
        child.kill()
    assert 0 < part.stat().st_size < len(LARGE)
    assert part.read_bytes() == LARGE[: part.stat().st_size]
    upstream.unhindered = 1 << 30
    upstream.go_on.set()
    before = len(upstream.seen("xorb"))
    assert subprocess.check_output(command, env=environment) == b"complete\n"
    assert part.read_bytes() == LARGE
    assert f"bytes=0-{len(LARGE)}" not in {request.headers["Range"] for request in upstream.seen("xorb")[before:]}


@pytest.mark.parametrize("missing", [None, object()], ids=["not installed", "another version"])
def test_without_hf_xet(clock: TurnedClock, monkeypatch: pytest.MonkeyPatch, missing: object) -> None:
    monkeypatch.setitem(sys.modules, "hf_xet", missing)
    with pytest.raises(XetError, match=r"hf_xet can't be used .*: install hf_xet 1\.8\.0 or go without Xet"):
        Xet(Http(clock))


def test_nothing_is_left_behind(upstream: XetHub, tmp_path: Path) -> None:
    """No log in the home directory, no folder among the temporary ones, no telemetry at the store."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    temporary.mkdir()
    file = resolved(upstream, "mixed.safetensors")
    command = [sys.executable, "-c", CHILD, file.hash, str(file.size), file.refresh_url, str(tmp_path / "part")]
    environment = {"PYTHONPATH": "collections", "HOME": str(home), "TMPDIR": str(temporary)}
    subprocess.run(command, env=environment, check=True)
    assert not home.exists()
    assert not list(temporary.iterdir())
    assert not upstream.seen("telemetry")


@pytest.mark.parametrize(
    ("xet", "refuse", "kinds"),
    [(True, {}, {"xorb"}), (False, {}, {"bridge"}), (True, {"reconstruction": 403}, {"bridge"})],
    ids=["xet", "http", "http where xet fails"],
)
def test_a_mirror_of_the_upstream(
    upstream: XetHub, sync: Callable[..., Any], store: Path, xet: bool, refuse: dict[str, int], kinds: set[str]
) -> None:
    upstream.refuse = refuse
    assert not sync({"repo_id": upstream.repo_id}, endpoint=upstream.url, xet=xet)["failures"]
    snapshot = store / "hub" / "models--stand-in--xet" / "snapshots" / upstream.commit.id
    for path, content in CONTENTS.items():
        assert (snapshot / path).read_bytes() == content
        assert (snapshot / path).resolve().name == upstream.commit.files[path].etag
    assert {request.kind for request in upstream.requests} & {"xorb", "bridge"} == kinds


@pytest.mark.parametrize(("disable", "kinds"), [("0", {"xorb"}), ("1", {"bridge"})], ids=["xet", "http"])
def test_huggingface_hub_takes_the_upstream_for_a_hub(
    upstream: XetHub, tmp_path: Path, disable: str, kinds: set[str]
) -> None:
    script = f"import huggingface_hub; print(huggingface_hub.snapshot_download({upstream.repo_id!r}))"
    environment = {"HF_ENDPOINT": upstream.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": disable}
    snapshot = subprocess.check_output([sys.executable, "-c", script], env={**os.environ, **environment}, text=True)
    for path, content in CONTENTS.items():
        assert (Path(snapshot.strip()) / path).read_bytes() == content
    assert {request.kind for request in upstream.requests} & {"xorb", "bridge"} == kinds
