# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names and sizes that the store is given, each by its kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.names import (
    Commit,
    Etag,
    NameProblem,
    Ref,
    RepoPath,
    Size,
    ViewName,
    repo_id,
    shown,
)

GOOD: list[tuple[Callable[[Any], Any], Any]] = [
    (Commit, "0" * 40),
    (Etag, "f" * 64),
    (Ref, "v1.0+cu12_x"),
    (Ref, "refs/pr/12"),
    (Ref, "refs/convert/parquet"),
    (ViewName, "a--b"),
    (Size, 0),
    (repo_id, "gpt2"),
    (repo_id, f"quant-lab/{'x' * 92}"),
    (repo_id, f"{'a' * 96}/{'b' * 96}"),
    (RepoPath, "a/b c/\u3000.bin"),
]
BAD: list[tuple[Callable[[Any], Any], Any]] = [
    (Commit, "F" * 40),
    (Commit, "f" * 40 + "\n"),
    (Etag, "f" * 63),
    (Ref, "a/b"),
    (Ref, "../x"),
    (Ref, "x.lock"),
    (Ref, "-x"),
    (Ref, 1.0),
    (ViewName, ".x"),
    (ViewName, "a..b"),
    (ViewName, "x" * 201),
    (Size, True),
    (Size, float("inf")),
    (repo_id, f"a/{'b' * 97}"),
    (repo_id, "a--b/c"),
    (repo_id, "a/b/c"),
    (repo_id, "a/b.git"),
    (repo_id, None),
    (RepoPath, b"x"),
]


def named(value: Any) -> str:
    """Return the same id in each process."""
    return str(getattr(value, "__name__", value))


@pytest.mark.parametrize(("kind", "value"), GOOD, ids=named)
def test_good_names(kind: Callable[[Any], Any], value: Any) -> None:
    assert kind(value) == value


@pytest.mark.parametrize(("kind", "value"), BAD, ids=named)
def test_bad_names(kind: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(NameProblem) as raised:
        kind(value)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 400


def test_what_is_shown_is_short() -> None:
    bomb: Any = "lol"
    for _level in range(60):
        bomb = [bomb] * 9
    assert len(shown(bomb)) < 1000 and len(shown("x" * 10_000)) < 200
