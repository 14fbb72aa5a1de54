# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the requests of an access log amount to: downloads, and what was asked for and not found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.access_log import Request
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.audit import (
    Download,
    Filter,
    downloads,
    grouped,
    moment,
    not_found,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse as parse_whitelist

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NOON = 1_800_000_000.0
REQUEST = Request(
    NOON, NOON, 206, 5, "10.0.0.7", "alice", "GET", "model", "org/name", "main", COMMIT, "x.bin", "", "", ""
)


def request(ended: float = 0, took: float = 0, **changes: Any) -> Request:
    """Return a request that ended so many seconds after noon."""
    return REQUEST._replace(began=NOON + ended - took, ended=NOON + ended, **changes)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3d", NOON - 3 * 86400),
        ("12h", NOON - 12 * 3600),
        ("30m", NOON - 1800),
        ("2027-01-15", NOON - 8 * 3600),
        ("2027-01-15T08:00", NOON),
        ("2027-01-15T08:00:00Z", NOON),
        ("2027-01-15T16:00:00+08:00", NOON),
    ],
)
def test_a_moment(text: str, seconds: float) -> None:
    assert moment(text, NOON) == seconds


@pytest.mark.parametrize(
    "text", ["", "3", "d", "3 d", "-3d", "3y", "9999999d", "yesterday", "2027-13-01", "12:00", "\x1b"]
)
def test_no_moment(text: str) -> None:
    with pytest.raises(MirrorError, match="is no time: write 3d, 12h, 2026-11-25 or"):
        moment(text, NOON)


@pytest.mark.parametrize(
    ("counts", "is_passed"),
    [
        (Filter(), True),
        (Filter(repo_id="org/name", repo_type="model", user="alice", client="10.0.0.7"), True),
        (Filter(commit=COMMIT[:7]), True),
        (Filter(commit=COMMIT), True),
        (Filter(since=NOON, until=NOON + 1), True),
        (Filter(repo_id="org/Name"), False),
        (Filter(repo_type="dataset"), False),
        (Filter(commit=COMMIT[1:9]), False),
        (Filter(user="bob"), False),
        (Filter(user=""), False),
        (Filter(client="10.0.0.70"), False),
        (Filter(since=NOON + 1), False),
        (Filter(until=NOON), False),
    ],
)
def test_a_filter(counts: Filter, is_passed: bool) -> None:
    assert counts(REQUEST) is is_passed


def summary(found: Iterator[Download]) -> list[tuple[str, float, float, int, int]]:
    return [(one.request.path, one.first - NOON, one.last - NOON, one.bytes, one.requests) for one in found]


@pytest.mark.parametrize(
    ("requests", "found"),
    [
        ([], []),
        ([request(0), request(600)], [("x.bin", 0, 600, 10, 2)]),
        ([request(0), request(601)], [("x.bin", 0, 0, 5, 1), ("x.bin", 601, 601, 5, 1)]),
        # each goes on where the one before ended, however long that takes altogether
        ([request(n * 500) for n in range(100)], [("x.bin", 0, 49500, 500, 100)]),
        # ranges side by side, and the rest of a download that was cut
        ([request(1000, 1000), request(3000, 3000)], [("x.bin", 0, 3000, 10, 2)]),
        ([request(10, 10), request(3600, 3100)], [("x.bin", 0, 3600, 10, 2)]),
        # the one that ended last comes last, though it was held back by another one
        (
            [request(0, path="a"), request(1, path="b"), request(2, path="a"), request(700, path="a")],
            [("b", 1, 1, 5, 1), ("a", 0, 2, 10, 2), ("a", 700, 700, 5, 1)],
        ),
        # the next download of the same goes on, though the one before it has been let go
        (
            [request(0), request(1000), request(4201, path="a"), request(4205, 3000)],
            [("x.bin", 0, 0, 5, 1), ("a", 4201, 4201, 5, 1), ("x.bin", 1000, 4205, 10, 2)],
        ),
        # other clients, users, commits, types and views are other downloads
        (
            [
                request(0),
                request(1, client="10.0.0.8"),
                request(2, user="bob"),
                request(3, commit="f" * 40),
                request(4, repo_type="dataset"),
                request(5, view="faces", repo_id="", repo_type=""),
                request(6, ref=""),
            ],
            [("x.bin", n, n, 5, 1) for n in (1, 2, 3, 4, 5)] + [("x.bin", 0, 6, 10, 2)],
        ),
        # what brought no bytes of a file
        (
            [
                request(0, method="HEAD"),
                request(0, path=""),
                *[request(0, status=status) for status in (304, 302, 307, 403, 404, 416, 499)],
                request(1, status=200),
            ],
            [("x.bin", 1, 1, 5, 1)],
        ),
    ],
)
def test_requests_are_put_together(requests: list[Request], found: list[tuple[str, float, float, int, int]]) -> None:
    assert summary(downloads(iter(requests))) == found


def test_only_downloads_that_may_grow_are_held() -> None:
    read = 0

    def requests() -> Iterator[Request]:
        nonlocal read
        for read in range(100_000):
            yield request(read * 60, path=f"{read}")

    held = [read - number for number, _one in enumerate(downloads(requests())) if read < 99_999]
    assert len(held) > 99_000 and max(held) < 100


def test_downloads_are_counted() -> None:
    requests = [
        request(0),
        request(1, client="10.0.0.8"),
        request(2, user="", client="10.0.0.9"),
        request(3, path="y.bin", commit="f" * 40),
        request(4, repo_type="dataset"),
        request(5, view="faces", repo_type="", repo_id="", commit=""),
    ]

    def counted(by: str) -> list[tuple[str, int, int, int, int]]:
        found = grouped(downloads(requests), by)
        return [(one.key, one.downloads, one.bytes, len(one.users), len(one.clients)) for one in found]

    assert counted("user") == [("", 1, 5, 0, 1), ("alice", 5, 25, 1, 2)]
    assert counted("client") == [("10.0.0.8", 1, 5, 1, 1), ("10.0.0.9", 1, 5, 0, 1), ("10.0.0.7", 4, 20, 1, 1)]
    assert counted("repo") == [
        ("org/name", 4, 20, 1, 3),
        ("dataset org/name", 1, 5, 1, 1),
        ("view faces", 1, 5, 1, 1),
    ]
    assert [key for key, *_counts in counted("commit")] == [
        f"org/name@{COMMIT}",
        f"org/name@{'f' * 40}",
        f"dataset org/name@{COMMIT}",
        "view faces",
    ]
    assert [key for key, *_counts in counted("file")] == [
        "org/name x.bin",
        "org/name y.bin",
        "dataset org/name x.bin",
        "view faces x.bin",
    ]
    (faces,) = [one for one in grouped(downloads(requests), "client") if one.key == "10.0.0.7"]
    assert (faces.first, faces.last) == (NOON, NOON + 5)


def lacking(error: str, ended: float = 0, **changes: Any) -> Request:
    return request(ended, **{"status": 404, "error": error, "commit": "", "bytes": 0, **changes})


NO_REPO, NO_REVISION, NO_ENTRY = "RepoNotFound", "RevisionNotFound", "EntryNotFound"


@pytest.mark.parametrize(
    ("requests", "entries"),
    [
        ([], []),
        ([lacking(NO_REPO)], [{"repo_id": "org/name"}]),
        ([lacking(NO_REPO, status=302)], [{"repo_id": "org/name"}]),
        ([lacking(NO_REPO, method="HEAD", path="", ref="")], [{"repo_id": "org/name"}]),
        ([lacking(NO_REPO, repo_type="dataset")], [{"repo_id": "org/name", "repo_type": "dataset"}]),
        ([lacking(NO_REVISION, ref="1.0")], [{"repo_id": "org/name", "revision": "1.0"}]),
        ([lacking(NO_REVISION, ref="", commit=COMMIT)], [{"repo_id": "org/name", "revision": COMMIT}]),
        (
            [lacking(NO_ENTRY, path="b"), lacking(NO_ENTRY, path="a/a"), lacking(NO_ENTRY, path="c", ref="v1")],
            [
                {"repo_id": "org/name", "files": ["a/a", "b"]},
                {"repo_id": "org/name", "revision": "v1", "files": ["c"]},
            ],
        ),
        # a listing that was not found names no file
        ([lacking(NO_ENTRY, path="")], []),
        # the repository came, and went
        ([lacking(NO_REPO, path="a"), lacking(NO_ENTRY, 1)], [{"repo_id": "org/name", "files": ["x.bin"]}]),
        ([lacking(NO_ENTRY), lacking(NO_REPO, 1)], [{"repo_id": "org/name"}]),
        (
            [lacking(NO_ENTRY), lacking(NO_REPO, 1, ref="v1")],
            [{"repo_id": "org/name"}, {"repo_id": "org/name", "revision": "v1"}],
        ),
        # what counts is when, not the line
        ([lacking(NO_ENTRY, 5), lacking(NO_REPO, 4)], [{"repo_id": "org/name", "files": ["x.bin"]}]),
        # to the Hub that is one name
        (
            [lacking(NO_ENTRY, path="b"), lacking(NO_ENTRY, path="a", repo_id="Org/Name")],
            [{"repo_id": "Org/Name", "files": ["a", "b"]}],
        ),
        (
            [lacking(NO_ENTRY), lacking(NO_ENTRY), lacking(NO_REPO, repo_id="Org/Name")],
            [{"repo_id": "org/name"}],
        ),
        # was found, or may not be had
        ([lacking(""), lacking("GatedRepo"), lacking(NO_REPO, status=200), lacking(NO_REPO, status=503)], []),
    ],
)
def test_entries_for_what_was_not_found(requests: list[Request], entries: list[dict[str, Any]]) -> None:
    found = not_found(iter(requests))
    assert (found.entries(), found.left_out) == (entries, 0)
    if entries:
        parse_whitelist(found.entries())


@pytest.mark.parametrize(
    "changes",
    [
        {"repo_id": ""},
        {"repo_id": "a/b/c"},
        {"repo_id": "../etc"},
        {"repo_id": "a/b\x1b[2J"},
        {"repo_id": "a/b\n- repo_id: c"},
        {"repo_id": "a/" + "b" * 100},
        {"repo_type": ""},
        {"repo_type": "collection"},
        {"ref": "../../x"},
        {"ref": "a b"},
        {"ref": "\x9b2J"},
        {"path": "../x"},
        {"path": "a//b"},
        {"path": "a\nb"},
        {"path": "\x1b[2J"},
        {"path": "\u202ebin"},
        {"path": "\ud800"},
    ],
)
def test_what_no_whitelist_could_name_is_left_out(changes: dict[str, str]) -> None:
    found = not_found([lacking(NO_REPO, **changes), lacking(NO_ENTRY, **changes), lacking(NO_REPO, repo_id="good/one")])
    assert found.left_out == 2 and [str(repo) for repo in found.repos] == ["good/one"]


def test_what_is_most_wanted_comes_first() -> None:
    requests = [
        lacking(NO_REPO, 0, repo_id="b/rare"),
        lacking(NO_REPO, 1, repo_id="a/rare"),
        lacking(NO_REVISION, 2, ref="v1"),
        lacking(NO_ENTRY, 3),
        lacking(NO_ENTRY, 4, client="10.0.0.8"),
    ]
    assert not_found(requests).to_json() == [
        {
            "repo_type": "model",
            "repo_id": "org/name",
            "error": NO_ENTRY,
            "requests": 3,
            "clients": 2,
            "last": "2027-01-15T08:00:04Z",
            "items": [
                {
                    "revision": "main",
                    "path": "x.bin",
                    "error": NO_ENTRY,
                    "requests": 2,
                    "clients": 2,
                    "last": "2027-01-15T08:00:04Z",
                },
                {
                    "revision": "v1",
                    "path": "x.bin",
                    "error": NO_REVISION,
                    "requests": 1,
                    "clients": 1,
                    "last": "2027-01-15T08:00:02Z",
                },
            ],
        },
        *[
            {
                "repo_type": "model",
                "repo_id": name,
                "error": NO_REPO,
                "requests": 1,
                "clients": 1,
                "last": f"2027-01-15T08:00:0{second}Z",
                "items": [
                    {
                        "revision": "main",
                        "path": "x.bin",
                        "error": NO_REPO,
                        "requests": 1,
                        "clients": 1,
                        "last": f"2027-01-15T08:00:0{second}Z",
                    }
                ],
            }
            for name, second in (("a/rare", 1), ("b/rare", 0))
        ],
    ]
