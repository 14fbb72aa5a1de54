# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scrub over several nights, beside a sync, and cut at every call that changes the disk."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import StoppedError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.lock import BusyError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check import repair as _repair
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check import scrub as _scrub
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.inode import ContentNames
from unit.engine.machine.disk import Disk, Tree
from unit.engine.machine.faulty_fs import Crash, CrashingFs
from unit.engine.machine.invariants import hash_of
from unit.engine.machine.mirror import MemoryEngine, Mirror, scratch, served
from unit.engine.machine.profile import CUTS, SEED
from unit.engine.machine.scenarios import BOTH, SECOND, SHARED, start
from unit.engine.machine.upstream import StandingClock
from unit.rot import flip, names

ROTTEN = hashlib.sha256(SHARED).hexdigest()


class TurningClock(StandingClock):
    """Time passes where somebody waits, and a second at each look."""

    def __init__(self) -> None:
        super().__init__()
        self.passed, self.look = 0.0, 0.0

    def now(self) -> float:
        return self.seconds + self.passed

    def monotonic(self) -> float:
        self.passed += self.look
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.check()
        self.passed += seconds


@pytest.fixture
def root() -> Iterator[Path]:
    with scratch() as folder:
        yield folder


@pytest.fixture
def mirror(root: Path) -> Mirror:
    """Two repositories and a view, which have one content in common."""
    mirror = Mirror(root, start(), TurningClock())
    assert not mirror.run(BOTH).problems
    return mirror


@pytest.fixture
def clock(mirror: Mirror) -> TurningClock:
    assert isinstance(mirror.clock, TurningClock)
    return mirror.clock


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_scrub, "_BLOCK", 10)


def spoil(mirror: Mirror, name: str = f"pool/{ROTTEN}") -> None:
    flip(mirror.root / name)
    mirror.disk = Disk(mirror.root)  # nobody told it


def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the inodes that are read."""
    found: list[int] = []
    readv = os.readv

    def note(descriptor: int, buffers: list[memoryview]) -> int:
        inode = os.fstat(descriptor).st_ino
        if inode not in found[-1:]:
            found.append(inode)
        return readv(descriptor, buffers)

    monkeypatch.setattr(os, "readv", note)
    return found


# ---- nights


def test_a_round_takes_several_nights(mirror: Mirror, clock: TurningClock, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch)
    blobs = sorted((mirror.root / "pool").iterdir())
    sizes = [blob.stat().st_size for blob in blobs]
    reports = [mirror.scrub(rate=10, seconds=5)]
    while not reports[-1].complete and len(reports) < len(blobs):
        reports.append(mirror.scrub(rate=10, seconds=5))
    assert reports[-1].complete and len(reports) > 2
    assert found == [blob.stat().st_ino for blob in blobs], "each once, in their order"
    assert sum(report.contents for report in reports) == len(blobs)
    assert [report.last for report in reports[:-1]] == [None] * (len(reports) - 1)
    last = reports[-1].last
    assert last and (last["contents"], last["bytes"], last["rotten"]) == (len(blobs), sum(sizes), 0)
    assert last["ended"] - last["began"] >= sum(sizes) / 10, "not faster than it may"
    again = mirror.scrub()
    assert again.complete and again.contents == len(blobs), "the next round begins with the first"


@pytest.mark.usefixtures("small_blocks")
def test_a_content_that_takes_longer_than_a_night_is_read_to_its_end(mirror: Mirror) -> None:
    count = len(list((mirror.root / "pool").iterdir()))
    nights = [mirror.scrub(rate=1, seconds=1) for _night in range(count)]
    assert [night.contents for night in nights] == [1] * count
    assert [night.complete for night in nights] == [False] * (count - 1) + [True]


@pytest.mark.usefixtures("small_blocks")
def test_it_stops_at_a_block_and_goes_on_from_there(
    mirror: Mirror, clock: TurningClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = sorted(mirror.root.glob("pool/*"))
    third = blobs[2].stat().st_ino
    readv = os.readv

    def stop(descriptor: int, buffers: list[memoryview]) -> int:
        if os.fstat(descriptor).st_ino == third:
            clock.stop()
        return readv(descriptor, buffers)

    with monkeypatch.context() as patch:
        patch.setattr(os, "readv", stop)
        with pytest.raises(StoppedError):
            mirror.scrub()
    mirror.clock = TurningClock()
    found = read(monkeypatch)
    assert mirror.scrub().complete
    assert found == [blob.stat().st_ino for blob in blobs[2:]]


def test_how_far_it_is_survives_a_kill(mirror: Mirror, clock: TurningClock, monkeypatch: pytest.MonkeyPatch) -> None:
    clock.look = 2.0  # a content takes some seconds
    total = CrashingFs(mirror.disk)
    mirror.scrub(total)
    with pytest.raises(Crash):
        mirror.scrub(CrashingFs(mirror.disk, total.calls - 12))
    found = read(monkeypatch)
    assert mirror.scrub().complete
    assert 0 < len(found) < len(list((mirror.root / "pool").iterdir()))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cursor": 1, "more": 2}'])
def test_a_lost_note_begins_the_round_anew(mirror: Mirror, content: str) -> None:
    (mirror.root / "ledger/scrub.json").write_text(content)
    mirror.disk = Disk(mirror.root)
    report = mirror.scrub()
    assert report.complete and report.contents == len(list((mirror.root / "pool").iterdir()))


def test_one_at_a_time(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = MemoryEngine(mirror, CrashingFs(mirror.disk), "100%", 3)
    readv = os.readv

    def meanwhile(descriptor: int, buffers: list[memoryview]) -> int:
        monkeypatch.setattr(os, "readv", readv)
        with pytest.raises(BusyError, match=r"a scrub of .* is running already"):
            mirror.scrub()
        assert mirror.scrub(check=True).complete, "check mode needs no lock"
        return readv(descriptor, buffers)

    monkeypatch.setattr(os, "readv", meanwhile)
    assert engine.scrub([]).complete


# ---- what is found


@pytest.mark.parametrize("number", [errno.EIO, errno.EBADMSG, errno.EUCLEAN])
def test_a_block_that_the_disk_cannot_give(mirror: Mirror, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    inode, readv = (mirror.root / "pool" / ROTTEN).stat().st_ino, os.readv

    def fail(descriptor: int, buffers: list[memoryview]) -> int:
        if os.fstat(descriptor).st_ino == inode:
            raise OSError(number, os.strerror(number))
        return readv(descriptor, buffers)

    monkeypatch.setattr(os, "readv", fail)
    report = mirror.scrub()
    assert [(rot.etag, rot.state) for rot in report.rotten] == [(ROTTEN, "repaired")] and report.complete
    assert report.rotten[0].what == f"can't be read after 0 of {len(SHARED)} bytes: {os.strerror(number)}"
    assert not mirror.damage()


def test_a_copy_is_a_content_of_its_own(mirror: Mirror) -> None:
    """Where ext4 gave a file no more names, older names are not the pool's file."""
    name = f"hub/{SECOND.folder}/blobs/{ROTTEN}"
    blob = mirror.root / name
    shutil.copy2(blob, blob.with_name("copy"))
    blob.with_name("copy").replace(blob)
    spoil(mirror, name)
    pool = (mirror.root / "pool" / ROTTEN).stat()
    report = mirror.scrub()
    assert [(rot.names, rot.state) for rot in report.rotten] == [([name], "repaired")]
    assert (mirror.root / "pool" / ROTTEN).stat() == pool, "what is sound is left alone"
    assert hash_of(blob.read_bytes(), ROTTEN) == ROTTEN and blob.stat().st_mode & 0o777 == 0o444


def test_what_goes_away_meanwhile_is_not_rotten(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(mirror)
    inode, readv = (mirror.root / "pool" / ROTTEN).stat().st_ino, os.readv

    def remove(descriptor: int, buffers: list[memoryview]) -> int:
        if os.fstat(descriptor).st_ino == inode:
            for name in ("pool/*", "hub/*/blobs/*", "views/.*/*"):
                for file in mirror.root.glob(name):
                    file.unlink()
        return readv(descriptor, buffers)

    monkeypatch.setattr(os, "readv", remove)
    report = mirror.scrub()
    assert report.complete and not report.rotten


def test_a_name_elsewhere_is_told(mirror: Mirror) -> None:
    os.link(mirror.root / "pool" / ROTTEN, mirror.root.parent / "mine")
    spoil(mirror)
    report = mirror.scrub()
    assert report.left and "1 names of the rotten file are not the store's" in report.left[0].problem
    assert not mirror.damage() and not mirror.scrub().rotten
    assert (mirror.root.parent / "mine").stat().st_nlink == 1


def test_there_must_be_room(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CrashingFs, "free", lambda _fs, _folder: (3 << 30, 100 << 30, 1 << 20))
    spoil(mirror)
    assert "is full (3 % stay free)" in mirror.scrub().left[0].problem


# ---- a sync at the same time


def test_a_sync_may_repair_the_same(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a part of its own, and whoever comes second finds no name that is left."""
    spoil(mirror)
    before = names(mirror.root, mirror.root / "pool" / ROTTEN)
    fetch = _repair.Fetchers.fetch

    def fetch_both(fetcher: Any, action: Any, part: Path) -> None:
        monkeypatch.setattr(_repair.Fetchers, "fetch", fetch)
        mirror.recovered = lambda: None
        assert not mirror.run(BOTH).problems
        fetch(fetcher, action, part)

    monkeypatch.setattr(_repair.Fetchers, "fetch", fetch_both)
    report = mirror.scrub()
    assert [rot.state for rot in report.rotten] == ["repaired"] and not mirror.damage(left_over=True)
    assert names(mirror.root, mirror.root / "pool" / ROTTEN) == before
    assert os.listdir(mirror.root / "staging") == []


def test_what_a_sync_repaired_is_not_fetched_on(mirror: Mirror) -> None:
    spoil(mirror)
    mirror.upstream.broken.add(SHARED)
    assert mirror.scrub().left
    assert os.listdir(mirror.root / "staging") == [f"{ROTTEN}.again"]
    mirror.upstream.broken.clear()
    mirror.recovered = lambda: None
    assert not mirror.run(BOTH).problems
    assert not mirror.scrub().rotten and os.listdir(mirror.root / "staging") == []


def test_a_part_that_has_the_rotten_inode_is_not_written_again(mirror: Mirror) -> None:
    """A sync was killed between the pool's name and the end of the part's."""
    os.link(mirror.root / "pool" / ROTTEN, mirror.root / "staging" / f"{ROTTEN}.part")
    spoil(mirror)
    mirror.scrub(repair=False)
    mirror.recovered = lambda: None
    assert not mirror.run(BOTH).problems
    assert not mirror.damage(left_over=True)


# ---- cut at every call


@pytest.fixture
def cuts(mirror: Mirror) -> Iterator[Tree]:
    """A scrub that was not cut, and what each cut leaves of it."""
    mirror.clock = StandingClock()
    spoil(mirror)
    recording = mirror.disk
    fs = CrashingFs(recording)
    assert [rot.state for rot in mirror.scrub(fs).rotten] == ["repaired"]
    assert not mirror.damage(left_over=True)
    mirror.disk = Disk(mirror.root)

    def trees() -> Iterator[Tree]:
        seen = set()
        for mark in [*fs.marks, len(recording.events)]:
            found = [recording.after_crash(mark)]
            found += [
                recording.after_power_cut(mark, Random(f"{SEED} {mark} {number}"), how)
                for number, how in enumerate(CUTS)
            ]
            for tree in found:
                key = hash(repr(tree.described()))
                if key not in seen:
                    seen.add(key)
                    yield tree

    return trees()


def check_readers(root: Path) -> set[str]:
    """Once one name of it is not served, or is sound again, no other serves the rotten content."""
    states = set()
    for name in [root / "pool" / ROTTEN, *root.glob(f"hub/*/blobs/{ROTTEN}"), root / "views/flat/model.bin"]:
        status = name.stat()
        if not status.st_mode & 0o777:
            states.add("forbidden")
        else:
            states.add("sound" if name.read_bytes() == SHARED else "served rotten")
            assert status.st_mode & 0o777 == 0o444
    assert states == {"served rotten"} or "served rotten" not in states
    return states


def test_the_next_scrub_finishes_it(mirror: Mirror, cuts: Iterator[Tree]) -> None:
    result = served(mirror.root)
    for tree in cuts:
        mirror.boot(tree)
        check_readers(mirror.root)
        assert not mirror.scrub().left
        assert served(mirror.root) == result


def test_the_next_sync_finishes_it(mirror: Mirror, cuts: Iterator[Tree]) -> None:
    result = served(mirror.root)
    mirror.recovered = lambda: None
    for tree in cuts:
        mirror.boot(tree)
        known = check_readers(mirror.root) != {"served rotten"}
        assert not mirror.run(BOTH).problems
        check_readers(mirror.root)
        assert bool(mirror.scrub().rotten) != known, "what nobody knew of no sync repairs"
        assert served(mirror.root) == result


def test_a_sync_that_repairs_may_be_cut(mirror: Mirror) -> None:
    mirror.clock = StandingClock()
    spoil(mirror)
    mirror.scrub(repair=False)
    mirror.recovered = lambda: None
    before = mirror.disk.now.copy()
    fs = CrashingFs(mirror.disk)
    assert not mirror.run(BOTH, fs=fs).problems
    result = served(mirror.root)
    assert not mirror.damage(left_over=True)
    for call in range(1, fs.calls + 1):
        mirror.boot(before.copy())
        with pytest.raises(Crash):
            mirror.run(BOTH, fs=CrashingFs(mirror.disk, call))
        check_readers(mirror.root)
        assert not mirror.run(BOTH).problems
        assert served(mirror.root) == result, f"call {call}"


def test_names_are_replaced_where_a_file_can_have_no_more(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rotten one has as many names as there may be, so that even the name for recovery is one too many."""
    spoil(mirror)
    most, link = (mirror.root / "pool" / ROTTEN).stat().st_nlink, CrashingFs.link

    def refuse(fs: CrashingFs, source: Path, name: Path) -> None:
        if source.stat().st_nlink >= most:
            raise OSError(errno.EMLINK, os.strerror(errno.EMLINK), str(name))
        link(fs, source, name)

    monkeypatch.setattr(CrashingFs, "link", refuse)
    assert [rot.state for rot in mirror.scrub().rotten] == ["repaired"]
    assert not mirror.damage(left_over=True)
    assert ContentNames(mirror.root, CrashingFs(mirror.disk)).finish() == []
