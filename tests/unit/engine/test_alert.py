# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When people are alerted, and what they read."""

from __future__ import annotations

import re

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli import alerts as _alert
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli.alerts import LANGUAGES, LIMIT, due, message
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.ledger import RepoState
from hypothesis import given
from hypothesis import strategies as st

MORNING = 1764036000.0  # 2025-11-25 02:00 UTC
DAY = 86400


def failed(times: int = 3, cause: str = "the Hub answers 503", last: float | None = MORNING) -> RepoState:
    return RepoState(times, f"{cause} about this one", cause, last, MORNING + times * DAY)


@pytest.mark.parametrize(
    ("failures", "alerted", "expected"),
    [
        (0, False, ""),
        (2, False, ""),
        (3, False, "failing"),
        (4, False, "failing"),  # no receiver took the first one
        (3, True, ""),
        (9, True, ""),
        (1, True, ""),
        (0, True, "recovered"),
    ],
)
def test_an_entry_is_reported_once_and_once_more_when_it_recovers(failures: int, alerted: bool, expected: str) -> None:
    state = RepoState(failures=failures, alerted=alerted)
    alert = due({"a/b@main": state}, 3)
    assert alert.failing == ({"a/b@main": state} if expected == "failing" else {})
    assert alert.recovered == ({"a/b@main": state} if expected == "recovered" else {})
    assert bool(alert) == bool(expected)


def test_one_entry() -> None:
    states = {"dataset a/b@main": RepoState(3, "a/b is gone:\nlook for it", "a/b is gone", MORNING)}
    assert message(due(states, 3), "en", "mirror1") == (
        "hf-mirror on mirror1: 1 failing",
        """\
3 or more failures in a row. What is published stays served.
dataset a/b@main
  a/b is gone: look for it
  last success: 2025-11-25 02:00 UTC
Details on mirror1: hf-mirror status, hf-mirror log""",
    )


def test_causes_are_told_once_and_the_widest_first() -> None:
    states = {"z/gated@main": failed(7, "z/gated is gated", None)}
    states |= {f"a/{number:03}@main": failed(3, last=MORNING + number % 2 * DAY) for number in range(498)}
    states |= {"b/new@v1": failed(4, last=None), "b/other@main": failed(3)}
    states |= {"c/well@main": RepoState(alerted=True), "c/also@main": RepoState(alerted=True)}
    assert message(due(states, 3), "en", "mirror1") == (
        "hf-mirror on mirror1: 501 failing, 2 recovered",
        """\
3 or more failures in a row. What is published stays served.
500 entries: a/000@main, a/001@main, a/002@main and 497 more
  the Hub answers 503
  last success: 2025-11-25 02:00 UTC to 2025-11-26 02:00 UTC, never for 1
z/gated@main
  z/gated is gated about this one
  last success: never
Recovered: c/also@main, c/well@main
Details on mirror1: hf-mirror status, hf-mirror log""",
    )


def test_chinese() -> None:
    states = {f"a/{number}@main": failed(5, last=None) for number in range(4)}
    states["c/well@main"] = RepoState(alerted=True)
    assert message(due(states, 3), "zh", "mirror1") == (
        "mirror1 上的 hf-mirror：4 项同步失败、1 项已恢复",
        """\
已连续失败至少 5 次。已发布的内容继续提供服务。
共 4 项：a/0@main、a/1@main、a/2@main 等，另有 1 项
  原因：the Hub answers 503
  上次成功：从未成功
已恢复：c/well@main
在 mirror1 上查看详情：hf-mirror status、hf-mirror log""",
    )


def test_good_news_alone() -> None:
    alert = due({"a/b@main": RepoState(alerted=True)}, 3)
    assert message(alert, "en", "mirror1") == (
        "hf-mirror on mirror1: 1 recovered",
        "Recovered: a/b@main\nDetails on mirror1: hf-mirror status, hf-mirror log",
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_does_not_fit_is_counted(language: str) -> None:
    names = [f"organisation-{number}/{'模' * 60}@main" for number in range(100)]
    states = {name: failed(cause=f"{name}：{'坏' * 300}") for name in names}
    states |= {f"well/{name}": RepoState(alerted=True) for name in names}
    title, body = message(due(states, 3), language, "mirror1" + "." * 300)
    assert len(f"{title}\n{body}".encode()) <= LIMIT
    lines = body.splitlines()
    told = sum(line.startswith("organisation-") for line in lines)
    rest = re.search(r"\d+", next(line for line in lines if line.startswith(("and", "另有"))))
    assert told >= 1 and rest and told + int(rest[0]) == 100
    assert "hf-mirror log" in lines[-1]


def test_a_file_name_that_is_no_unicode_harms_nothing() -> None:
    states = {"a/b@main": RepoState(3, "can't read caf\udce9.yml", "can't read")}
    assert "can't read caf?.yml" in message(due(states, 3), "en", "mirror1")[1]


@given(
    st.dictionaries(
        st.text(),
        st.builds(
            RepoState,
            failures=st.integers(0, 5),
            message=st.text(st.characters()),
            cause=st.text(st.characters(), max_size=2),
            last_success=st.none() | st.floats(0, 4e9),
            alerted=st.booleans(),
        ),
    ),
    st.sampled_from(LANGUAGES),
    st.text(),
)
def test_every_message_fits_and_says_where_to_look(states: dict[str, RepoState], language: str, host: str) -> None:
    title, body = message(due(states, 3), language, host)
    assert len(f"{title}\n{body}".encode()) <= LIMIT
    assert "\n" not in title and "hf-mirror status" in body.splitlines()[-1]


def test_a_test_message_says_that_it_is_one() -> None:
    assert _alert.test_message("en", "mirror1")[0] == "hf-mirror on mirror1: test"
    assert "测试" in _alert.test_message("zh", "mirror1")[0]
    with pytest.raises(MirrorError, match=r"can't be written in 'fr': choose en or zh"):
        _alert.test_message("fr", "mirror1")
