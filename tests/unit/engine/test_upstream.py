# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How upstreams are named, which secrets go to which of them, and in which order they are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.health import Health
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.upstream import (
    Upstream,
    tokens_for,
    upstreams_of,
    upstreams_problem,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.ledger import Bad
from unit.engine.machine.upstream import StandingClock

A, B, C = "https://a.example.com", "https://b.example.com", "https://c.example.com"

WRONG: list[tuple[Any, str]] = [
    ([], "has 0 upstreams"),
    ([A] * 11, "has 11 upstreams, it must have 1 to 10"),
    ([A, f"{A}/"], "names an upstream twice"),
    ([A, "HTTPS://A.example.com.:443/x/.././"], "names an upstream twice"),
    ([f"{A}/x", f"{A}//x/."], "names an upstream twice"),
    (f"{A},{B}", "is a text; a list is written as [URL, URL]"),
    (f"{A}, {B}", "is a text; a list is written as [URL, URL]"),
    ("https://a.example.com,b.example.com", "is a text; a list is written as [URL, URL]"),
    ([f"{A},{B}"], "has an invalid character in its host name"),
    ([A, {"url": B, "token": "hf_secret of mine"}], "(upstream 2) token must be the name of a token"),
    ([A, None], "(upstream 2) is null, it must be a URL or a mapping"),
    ([A, ["b"]], "(upstream 2) is a list, it must be a URL or a mapping"),
    ([A, "b"], "(upstream 2) must be an address"),
    ([A, f"{B}?token=hf_secret"], "(upstream 2) contains a ? or #"),
    ([{"token": "x"}], "has no url"),
    ([{"url": "https://me:hf_secret@b.example.com"}], "url has a user or a password in it"),
    ([{"url": A, "tokens": "hf_secret"}], "has the unknown key tokens (known: url, token, proxy, "),
    ([{"url": A, 5: 1}], "has the unknown key 5"),
    ([{"url": A, "token": 5}], "token is a number, it must be the name"),
    ([A, {"url": B, "token": "default"}], "(upstream 2) token must not be default"),
    ([{"url": A, "proxy": "http://me:hf_secret@p.example.com"}], "proxy has a user or a password in it"),
    ([{"url": A, "proxy": "p.example.com"}], "proxy must be an address"),
    ([{"url": A, "proxy": False}], "proxy must be an address"),
    ([{"url": A, "bandwidth": 5}], "bandwidth is 5, it must be a number of bytes a second, 10000 to "),
    ([{"url": A, "bandwidth": "many"}], "bandwidth is 'many'"),
    ([{"url": A, "bandwidth": True}], "bandwidth is True"),
    ([{"url": A, "listings": "no"}], "listings is 'no', it must be true or false"),
    ([{"url": A, "listings": False}], "has listings: false for all upstreams"),
]


@pytest.mark.parametrize(("endpoint", "words"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_wrong_is_told_without_a_secret(endpoint: Any, words: str) -> None:
    told = upstreams_problem(endpoint) or ""
    assert told.startswith(words) and "hf_secret" not in told


def test_what_is_right_is_read() -> None:
    full = {"url": f"{B}/", "token": "b", "proxy": "", "bandwidth": "50000", "listings": False}
    endpoint = [A, full, {"url": C, "token": None, "proxy": "http://p.example.com:3128", "bandwidth": 0}]
    assert upstreams_problem(endpoint) is None
    assert upstreams_of(endpoint) == [
        Upstream(A),
        Upstream(B, "b", "", 50_000, False),
        Upstream(C, None, "http://p.example.com:3128", 0, True),
    ]
    assert upstreams_problem(f"{A}/") is None and upstreams_of(f"{A}/") == [Upstream(A)]


def test_null_is_no_upstream(tmp_path: Path) -> None:
    with pytest.raises(MirrorError, match="endpoint is null, it must have a value"):
        Engine(Settings(tmp_path, endpoint=None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HTTPS://Hub.Example.com.:443/", "https://hub.example.com"),
        ("http://hub.example.com:80/./hf//x/", "http://hub.example.com/hf/x"),
        ("https://hub.example.com:80", "https://hub.example.com:80"),
        ("http://[FE80::1]:8080/x/.", "http://[fe80::1]:8080/x"),
    ],
)
def test_a_url_is_written_one_way(written: str, meant: str) -> None:
    assert upstreams_problem(written) is None and upstreams_of([written]) == [Upstream(meant)]


TOKENS = {None: "hf_default", "one": "hf_one", "b": "hf_b"}


@pytest.mark.parametrize(
    ("endpoint", "tokens"),
    [
        (A, [TOKENS]),
        ([A, B], [TOKENS, {}]),
        ([A, {"url": B, "token": "b"}], [{None: "hf_default", "one": "hf_one"}, {None: "hf_b"}]),
        ([{"url": A, "token": "one"}, B], [{**TOKENS, None: "hf_one"}, {}]),
        ([{"url": A, "token": "b"}, {"url": B, "token": "b"}], [{**TOKENS, None: "hf_b"}, {None: "hf_b"}]),
        # what is believed for no listing gets its own alone
        ([{"url": A, "listings": False}, B], [{}, TOKENS]),
        (
            [{"url": A, "listings": False, "token": "b"}, {"url": B, "token": "one"}, C],
            [{None: "hf_b"}, {None: "hf_one", "one": "hf_one"}, {}],
        ),
    ],
)
def test_a_token_goes_to_its_own_upstream(endpoint: Any, tokens: list[Any]) -> None:
    assert tokens_for(upstreams_of(endpoint), TOKENS) == tokens


def test_a_token_that_is_not_there_is_named() -> None:
    """Not as it is written: it may be the token itself."""
    with pytest.raises(MirrorError, match=r"upstream 2\) names a token that does not exist") as told:
        tokens_for([Upstream(A), Upstream(B, "hf_secret")], TOKENS)
    assert "hf_secret" not in str(told.value)


# ---- health

ONE = Repo("model", "some/one")


class Turning(StandingClock):
    def turn(self, seconds: float) -> None:
        self.seconds += seconds


def order(health: Health) -> str:
    return "".join(health.order(["a", "b", "c"], str, ONE))


def test_the_order_is_the_lists_but_for_who_is_left() -> None:
    clock = Turning()
    health = Health(clock)
    assert order(health) == "abc"
    health.leave("a", 3600, "is behind")
    assert order(health) == "bca"
    health.leave("b", 300, "gives no answer", is_away=True)
    assert order(health) == "cab"
    health.limited("c", 60)
    assert order(health) == "acb"
    clock.turn(61)
    assert order(health) == "cab"
    clock.turn(240)
    assert order(health) == "bca"
    clock.turn(3600)
    assert order(health) == "abc"


def test_who_is_away_and_answers_is_back() -> None:
    health = Health(Turning())
    for name in "cab":
        health.leave(name, 300, "gives no answer", is_away=True)
    assert order(health) == "abc" and health.is_away("c")
    health.fine("c")
    assert order(health) == "cab" and not health.is_away("c")


def test_several_repositories_in_a_row_are_the_upstreams_trouble() -> None:
    """And one repository's is its own, however often it has it."""
    health = Health(Turning())
    repos = [Repo("model", f"some/{name}") for name in "xyz"]
    for _time in range(5):
        health.trouble("a", ONE, "500")
    assert order(health) == "bca" and not health.is_away("a")
    for repo in repos:
        health.trouble("a", repo, "500")
        health.answered("a")
    assert "".join(health.order("abc", str, Repo("model", "some/other"))) == "abc" and not health.warnings
    for repo in repos:
        health.trouble("a", repo, "500")
    assert "".join(health.order("abc", str, Repo("model", "some/other"))) == "bca" and health.is_away("a")
    assert health.warnings[0].startswith("a failed for 3 repositories in a row (500): it is asked last until")


def test_who_fails_again_is_left_for_longer_and_who_gives_is_not() -> None:
    clock = Turning()
    health = Health(clock)
    until = []
    for _day in range(6):
        for _thread in range(8):
            health.leave("a", 86_400, "lies")
        until.append((health.to_remember()["a"].until - clock.now()) / 86_400)
        clock.turn(until[-1] * 86_400 + 1)
    assert until == [1, 2, 4, 7, 7, 7]
    health.fine("a")
    health.leave("a", 86_400, "lies")
    assert health.to_remember()["a"].times == 1


def test_the_graver_reason_counts() -> None:
    health = Health(Turning())
    health.limited("a", 10)
    health.leave("a", 86_400, "lies")
    health.limited("a", 10)
    assert health.to_remember()["a"].message == "lies"
    health.leave("a", 300, "gives no answer", is_away=True)
    assert order(health) == "bca" and health.is_away("a")


def test_what_an_earlier_run_learned_is_told_and_no_clock_makes_it_years() -> None:
    clock = Turning()
    known = {"a": Bad(1, clock.now() + 60, "lies"), "b": Bad(1, clock.now() + 1e9, "lies"), "c": Bad(0, 0, "lies")}
    health = Health(clock, known)
    assert order(health) == "bca"
    (warning,) = health.warnings
    assert warning.startswith("a lies: it is asked after the others until 20")
