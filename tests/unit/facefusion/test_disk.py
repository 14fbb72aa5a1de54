# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that are full or can't be written, and whom files belong to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ad_hoc
import pytest
from mirror_server import Server
from unit.facefusion.models import LARGE, LARGE_SIZE, SAFETY, SWAPPER, Models, visible

Run = Callable[..., dict[str, Any]]

NOBODY = 65534


@pytest.fixture
def small(folder: Path) -> Iterator[Path]:
    """Return the folder on a disk of its own with 16 MB."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("check", [False, True])
def test_no_room_is_told_before_anything_is_fetched(place: Run, small: Path, models: Models, check: bool) -> None:
    place(SWAPPER)
    status = os.statvfs(small)
    free = status.f_bavail * status.f_frsize
    answer = place(SWAPPER, LARGE, check=check)
    assert answer["failed"] and "is too full" in answer["msg"]
    need = LARGE_SIZE + 8
    assert f"{need} bytes are needed, {free} are free, {need - free} bytes are missing" in answer["msg"]
    models.check(small, SWAPPER)
    assert visible(small) == {"inswapper_128.onnx", "inswapper_128.hash"} and not list(small.glob(".*.part"))


def test_a_disk_that_fills_up_in_the_middle(place: Run, small: Path, models: Models) -> None:
    place(SWAPPER)
    # what is there of it is counted as there, but its end is fetched again
    part = small / f".large.onnx.{models.file(LARGE, 'large.onnx')['sha256'][:16]}.part"
    with part.open("wb") as content:
        content.seek(LARGE_SIZE - (1 << 20))
        content.write(b"\0")
    answer = place(SWAPPER, LARGE)
    assert answer["failed"] and f"the disk of {small} is full" in answer["msg"]
    models.check(small, SWAPPER)


def test_a_folder_that_can_t_be_written(place: Run, small: Path, models: Models) -> None:
    place(SWAPPER)
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    assert not place(SWAPPER)["changed"], "nothing has to be written"
    answer = place(SWAPPER, SAFETY)
    assert answer["failed"] and f"{small}/.hf-mirror.lock: Read-only file system" in answer["msg"]
    assert f"write in {small}" in answer["msg"]
    assert len(place(SWAPPER, SAFETY, check=True)["missing"]) == 6
    models.check(small, SWAPPER)


def test_a_folder_where_a_file_is_to_be(place: Run, folder: Path) -> None:
    (folder / "inswapper_128.onnx").mkdir(parents=True)
    answer = place(SWAPPER)
    assert answer["failed"] and f"{folder}/inswapper_128.onnx is not a file" in answer["msg"]


def test_a_file_where_the_folder_is_to_be(place: Run, folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("")
    answer = place(SWAPPER)
    assert answer["failed"] and f"{folder}: File exists" in answer["msg"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write for others")
def test_what_root_places_belongs_to_the_owner_of_the_folder(mirror: Server, folder: Path, tmp_path: Path) -> None:
    folder.parent.mkdir(parents=True)
    os.chown(folder.parent, NOBODY, NOBODY)
    for one in (tmp_path, *list(tmp_path.parents)[:-1]):
        one.chmod(one.stat().st_mode | 0o011)
    said = ad_hoc.run("facefusion_models", path=str(folder), endpoint=mirror.url, models=[SWAPPER])
    assert "CHANGED" in said, said
    assert {path.stat().st_uid for path in [folder, *folder.iterdir()]} == {NOBODY}


@pytest.mark.parametrize("name", [".hf-mirror.lock", ".inswapper_128.onnx.{}.part"])
def test_a_link_where_something_is_to_be_written(place: Run, folder: Path, models: Models, name: str) -> None:
    folder.mkdir(parents=True)
    foreign = folder.parent / "foreign"
    foreign.write_text("somebody else's")
    foreign.chmod(0o600)
    link = folder / name.format(models.file(SWAPPER, "inswapper_128.onnx")["sha256"][:16])
    link.symlink_to(foreign)
    answer = place(SWAPPER)
    assert answer["failed"] and f"{link} is a symbolic link, which is never written through: remove it" in answer["msg"]
    assert foreign.read_text() == "somebody else's" and foreign.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a while")
@pytest.mark.parametrize("check", [False, True])
def test_a_folder_that_can_t_be_entered(place: Run, tmp_path: Path, check: bool) -> None:
    closed = tmp_path / "closed"
    (closed / "facefusion").mkdir(parents=True)
    closed.chmod(0o700)
    for one in (tmp_path, *list(tmp_path.parents)[:-1]):
        one.chmod(one.stat().st_mode | 0o011)
    os.seteuid(NOBODY)
    try:
        answer = place(SWAPPER, path=str(closed / "facefusion" / "models"), check=check)
    finally:
        os.seteuid(0)
    assert answer["failed"] and f"Permission denied. Let the user with id {NOBODY} write in {closed}," in answer["msg"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder that belongs to another user")
def test_a_folder_that_its_owner_may_not_write(place: Run, folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True)
    os.chown(folder, NOBODY, NOBODY)
    folder.chmod(0o555)
    for one in (tmp_path, *list(tmp_path.parents)[:-1]):
        one.chmod(one.stat().st_mode | 0o011)
    os.seteuid(NOBODY)
    try:
        answer = place(SWAPPER)
    finally:
        os.seteuid(0)
    assert answer["failed"] and f"Permission denied. Let the user with id {NOBODY} write in {folder}" in answer["msg"]
