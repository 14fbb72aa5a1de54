# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be ordered for the bytes of a file. Each test runs with and without nginx before the content origin."""

from __future__ import annotations

import contextlib
import http.client
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import nginx
from hub.faults import Target, Unsteady
from hub.process import HubProcess
from hub.wire import Answer, fetch, head, locate

REPO = "stand-in/tiny-model"
LFS = "model.safetensors"
PLAIN = "config.json"
BOTH = pytest.mark.parametrize("path", [LFS, PLAIN])
#: A body that is to stay away was given this long to come, in seconds.
PATIENCE = 0.2


@pytest.fixture(scope="module", params=["alone", "behind nginx"])
def either(request: pytest.FixtureRequest, contents: Path) -> Iterator[HubProcess]:
    with HubProcess(contents, nginx=nginx.program() if request.param != "alone" else None) as hub:
        yield hub


@pytest.fixture
def hub(either: HubProcess) -> HubProcess:
    either.control("reset", {})
    return either


class Download:
    """A GET whose body is read bit by bit."""

    def __init__(self, base: str, target: str) -> None:
        self._connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=30)
        self._connection.request("GET", target)
        self._socket = self._connection.sock
        self.response = self._connection.getresponse()

    def brings_nothing(self) -> bool:
        self._socket.settimeout(PATIENCE)
        try:
            self.response.read1(1)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self.response.close()
        self._connection.close()


@contextlib.contextmanager
def download(hub: HubProcess, path: str) -> Iterator[Download]:
    with contextlib.closing(Download(*locate(hub.url, REPO, path))) as begun:
        yield begun


def get(hub: HubProcess, path: str, **headers: str) -> Answer:
    return fetch(hub.url, REPO, path, **headers)


def order(hub: HubProcess, page: str, path: str, **how: Any) -> None:
    hub.control(page, {"repo_id": REPO, "path": path, **how})


@BOTH
@pytest.mark.parametrize("after", [0, 9])
def test_stall(hub: HubProcess, path: str, after: int) -> None:
    honest = get(hub, path).body
    order(hub, "stall", path, after=after)
    with download(hub, path) as stalled:
        assert stalled.response.status == 200
        assert stalled.response.length == len(honest)
        assert stalled.response.read(after) == honest[:after]
        assert stalled.brings_nothing()
    assert get(hub, path).body == honest, "once only"


def test_stalled_connection_closes_at_a_reset(hub: HubProcess) -> None:
    order(hub, "stall", LFS, after=5)
    with download(hub, LFS) as stalled:
        stalled.response.read(5)
        hub.control("reset", {})
        with pytest.raises(http.client.IncompleteRead):
            stalled.response.read()


@BOTH
def test_drip(hub: HubProcess, path: str) -> None:
    honest = get(hub, path).body
    order(hub, "drip", path, after=len(honest) - 10, interval=0.03)
    with download(hub, path) as slow:
        assert slow.response.read(len(honest) - 10) == honest[:-10]
        pieces = list(iter(lambda: slow.response.read1(100), b""))
    assert b"".join(pieces) == honest[-10:]
    assert len(pieces) > 1
    order(hub, "drip", path, after=3, interval=60)
    with download(hub, path) as slow:
        assert slow.response.read(3) == honest[:3]
        assert slow.brings_nothing()


@BOTH
def test_bandwidth(hub: HubProcess, path: str) -> None:
    honest = get(hub, path).body
    order(hub, "bandwidth", path, bytes_per_second=1)
    with download(hub, path) as slow:
        assert slow.brings_nothing()
    order(hub, "bandwidth", path, bytes_per_second=10_000_000)
    assert get(hub, path).body == honest


@BOTH
def test_unsteady(hub: HubProcess, path: str) -> None:
    honest = get(hub, path).body
    how: dict[str, Any] = {"mean": 0.001, "p99": 0.002, "failures": 0.5, "seed": 7}
    same = Unsteady(Target(), None, **how)
    ordered = [same.draw()[1] for _request in range(30)]
    assert set(ordered) == {"whole", "cut", "refused"}
    order(hub, "unsteady", path, times=30, **how)
    came = {
        (200, honest): "whole",
        (200, honest[: len(honest) // 2]): "cut",
        (503, b"Service Unavailable\n"): "refused",
    }
    answers = [get(hub, path) for _request in range(30)]
    assert [came[answer.status, answer.body] for answer in answers] == ordered
    assert [get(hub, path).body for _request in range(5)] == [honest] * 5


def test_unsteady_waits_before_it_answers(hub: HubProcess) -> None:
    order(hub, "unsteady", LFS, mean=60, p99=70)
    base, target = locate(hub.url, REPO, LFS)
    assert head(base, target).status == 200
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(base + target, timeout=PATIENCE)


@BOTH
@pytest.mark.parametrize("by", [1, 1000, -1, -10_000_000])
def test_length(hub: HubProcess, path: str, by: int) -> None:
    honest = get(hub, path).body
    order(hub, "length", path, by=by)
    wrong = get(hub, path)
    assert wrong.status == 200
    assert wrong.promised == len(wrong.body) == max(len(honest) + by, 0)
    assert wrong.body == (honest + bytes(max(by, 0)))[: len(wrong.body)]
    assert get(hub, path).body == honest


def test_length_of_a_range(hub: HubProcess) -> None:
    order(hub, "length", LFS, by=-1)
    wrong = get(hub, LFS, Range="bytes=10-19")
    assert (wrong.status, wrong.promised, len(wrong.body)) == (206, 9, 9)
    assert wrong.headers["Content-Range"].startswith("bytes 10-19/")


@BOTH
@pytest.mark.parametrize(
    ("mode", "asked", "status", "told", "first", "last"),
    [
        ("ignore", "bytes=5-9", 200, None, 0, None),
        ("ignore-with-range", "bytes=5-9", 200, "bytes 5-9/", 5, 9),
        ("shift", "bytes=5-9", 206, "bytes 4-9/", 4, 9),
        ("shift", "bytes=0-9", 206, "bytes 1-9/", 1, 9),
    ],
)
def test_range(
    hub: HubProcess, path: str, mode: str, asked: str, status: int, told: str | None, first: int, last: int | None
) -> None:
    honest = get(hub, path).body
    order(hub, "range", path, mode=mode)
    assert get(hub, path).status == 200, "who asks for no range does not count"
    wrong = get(hub, path, Range=asked)
    assert wrong.status == status
    assert wrong.headers["Content-Range"] == (f"{told}{len(honest)}" if told else None)
    assert wrong.body == honest[first : None if last is None else last + 1]
    right = get(hub, path, Range=asked)
    assert (right.status, right.headers["Content-Range"]) == (206, f"{asked.replace('=', ' ')}/{len(honest)}")


@BOTH
def test_flip_some_times(hub: HubProcess, path: str) -> None:
    honest = get(hub, path).body
    order(hub, "flip", path, times=1)
    assert get(hub, path, Range="bytes=0-3").body == honest[:4], "nothing wrong here, so it does not count"
    assert get(hub, path).body != honest
    assert get(hub, path).body == honest


def test_faults_add_up(hub: HubProcess) -> None:
    honest = get(hub, LFS).body
    middle = len(honest) // 2
    order(hub, "flip", LFS)
    order(hub, "cut", LFS, after=middle + 1)
    order(hub, "range", LFS, mode="ignore")
    short = get(hub, LFS, Range="bytes=7-9").body
    assert short[:middle] == honest[:middle]
    assert len(short) == middle + 1
    assert short[middle] == honest[middle] ^ 1


@pytest.mark.parametrize(
    ("meant", "spoiled"),
    [
        ({}, {LFS, PLAIN, "tiny-canonical"}),
        ({"path": PLAIN}, {PLAIN, "tiny-canonical"}),
        ({"repo_id": REPO}, {LFS, PLAIN}),
        ({"repo_id": REPO, "path": LFS}, {LFS}),
    ],
)
def test_meant_for(hub: HubProcess, meant: dict[str, str], spoiled: set[str]) -> None:
    files = {LFS: (REPO, LFS), PLAIN: (REPO, PLAIN), "tiny-canonical": ("tiny-canonical", PLAIN)}
    hub.control("cut", {**meant, "after": 1, "times": None})
    assert {name for name, file in files.items() if len(fetch(hub.url, *file).body) == 1} == spoiled
    hub.control("reset", {})
    assert all(len(fetch(hub.url, *file).body) > 1 for file in files.values())


def test_head_stays_honest(hub: HubProcess) -> None:
    size = len(get(hub, LFS).body)
    order(hub, "length", LFS, by=5)
    assert head(*locate(hub.url, REPO, LFS)).promised == size
    assert get(hub, LFS).promised == size + 5, "the HEAD did not count"
