# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store in which somebody else has put something: it stops nothing, and nothing outside is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.status import entries
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.purged import Purged
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from ansible_collections.modelops.hf_mirror.plugins.modules import mirror_verify

from storecheck import check_store

Run = Callable[..., dict[str, Any]]
TINY = {"repo_id": "stand-in/tiny-model"}
FOLDER = "hub/models--stand-in--tiny-model"


def file_at(place: Path) -> None:
    place.write_bytes(b"odd")


def link_at(place: Path) -> None:
    place.symlink_to("/nonexistent")


@pytest.mark.parametrize("put", [file_at, link_at, Path.mkdir])
@pytest.mark.parametrize("place", ["trash/x", f"staging/{'a' * 64}.part", "staging/x", f"{FOLDER}/.mirror/build"])
def test_what_is_in_the_way_stops_no_sync(sync: Run, store: Path, place: str, put: Callable[[Path], None]) -> None:
    assert not sync(TINY)["failures"]
    put(store / place)
    assert not sync(TINY)["failures"]
    check_store(store)


def test_a_folder_that_is_a_link_is_not_followed(sync: Run, call: Run, store: Path, tmp_path: Path) -> None:
    sync(TINY)
    outside = tmp_path / "outside"
    (store / "pool").rename(outside)
    (store / "pool").symlink_to(outside)
    victim = outside / ("b" * 64)
    victim.write_bytes(b"mine")
    before = {file.name: file.lstat().st_mode for file in outside.iterdir()}
    call(mirror_verify, mode="content")
    assert {file.name: file.lstat().st_mode for file in outside.iterdir()} == before


def test_a_ref_on_no_commit_hides_no_status(sync: Run, store: Path) -> None:
    sync(TINY)
    ref = store / FOLDER / ".mirror/rev/main"
    ref.unlink()
    os.symlink("0" * 40, ref)
    assert entries(Store(store), parse([TINY]))


@pytest.mark.parametrize("is_mine", [True, False])
def test_what_is_taken_down_holds_against_the_end_of_time(is_mine: bool) -> None:
    last = {"time": "9998-12-31T23:59:59Z", "actor": "x"}
    down, lifted = Purged({"a" * 40: last}), Purged({"a" * 40: {**last, "off": True}})
    merged = down.merge(lifted) if is_mine else lifted.merge(down)
    assert merged.has("a" * 40)
