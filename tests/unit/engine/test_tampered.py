# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store in which somebody else has put something: it stops nothing, and nothing outside is touched."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.describe import describe
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.fsck import fsck
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


@pytest.mark.parametrize("of_repository", [True, False])
def test_a_folder_that_is_a_link_is_not_followed(
    sync: Run, call: Run, store: Path, tmp_path: Path, of_repository: bool
) -> None:
    sync(TINY)
    outside, blobs = tmp_path / "outside", store / FOLDER / "blobs"
    place = blobs if of_repository else store / "pool"
    place.rename(outside)
    place.symlink_to(outside)
    victim = outside / ("b" * 64)
    victim.write_bytes(b"mine")
    before = {file.name: file.lstat().st_mode for file in outside.iterdir()}
    call(mirror_verify, mode="content")
    assert {file.name: file.lstat().st_mode for file in outside.iterdir()} == before


def test_what_a_run_notes_leads_nowhere_else(sync: Run, store: Path, tmp_path: Path) -> None:
    sync(TINY)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (store / "ledger/progress.draft").symlink_to(victim)
    assert not sync(TINY)["failures"]
    assert victim.read_text() == "mine"


RECORDS = [
    '{"kind":"run","run":7}',
    '{"kind":"start","run":"x","time":"x"}',
    '{"kind":"alert","time":"x"}',
    '{"kind":"node","state":5,"time":"x"}',
    '{"kind":"died","time":"x"}',
    '{"kind":"run","run":1,"seconds":1,"succeeded":[],"failed":{"a":5},"time":"x"}',
    "[" * 100_000,
]
STATES = ['{"run":"x"}', "5", '{"run":1,"age":"x","last_run":null,"repos":{},"bad":{},"upto":["",-5]}', "[" * 100_000]


@pytest.mark.parametrize("line", RECORDS, ids=lambda one: one[:30])
def test_a_record_that_is_none_is_passed_over(sync: Run, store: Path, line: str) -> None:
    sync(TINY)
    with max((store / "ledger").glob("*.jsonl")).open("a") as ledger:
        ledger.write(f"{line}\n")
    (store / "ledger/state.json").unlink()
    assert not sync(TINY)["failures"]
    assert describe(Store(store), parse([TINY]))["entries"]


@pytest.mark.parametrize("text", STATES, ids=lambda one: one[:30])
def test_a_state_that_is_none_is_made_anew(sync: Run, store: Path, text: str) -> None:
    sync(TINY)
    (store / "ledger/state.json").write_text(text)
    assert not sync(TINY)["failures"]
    assert Store(store).ledger.state().run == 2


def test_a_ref_on_no_commit_hides_no_status(sync: Run, store: Path) -> None:
    sync(TINY)
    ref = store / FOLDER / ".mirror/rev/main"
    ref.unlink()
    os.symlink("0" * 40, ref)
    assert describe(Store(store), parse([TINY]))["entries"]


@pytest.mark.parametrize("is_mine", [True, False])
def test_what_is_taken_down_holds_against_the_end_of_time(is_mine: bool) -> None:
    last = {"time": "9998-12-31T23:59:59Z", "actor": "x"}
    down, lifted = Purged({"a" * 40: last}), Purged({"a" * 40: {**last, "off": True}})
    merged = down.merge(lifted) if is_mine else lifted.merge(down)
    assert merged.has("a" * 40)


@pytest.fixture
def deadline() -> Iterator[None]:
    """End a test that waits for ever."""

    def end(*_: Any) -> None:
        pytest.fail("it waits for ever")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("deadline")
def test_nothing_waits_for_a_fifo(sync: Run, call: Run, store: Path) -> None:
    sync(TINY)
    documents = [file for file in store.rglob("*") if file.is_file() and not file.is_symlink() and file.stat().st_size]
    for file in documents:
        if file.parent.name in ("pool", "blobs"):  # these are looked at as what they are
            continue
        content = file.read_bytes()
        file.unlink()
        os.mkfifo(file)
        for command in (lambda: describe(Store(store), parse([TINY])), lambda: list(fsck(Store(store)))):
            with contextlib.suppress(MirrorError, OSError, ValueError):
                command()
        call(mirror_verify)
        sync(TINY)
        if stat.S_ISFIFO(file.lstat().st_mode):
            file.unlink()
            file.write_bytes(content)
    assert not sync(TINY)["failures"]
    check_store(store)
