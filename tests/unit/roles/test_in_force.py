# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run that was cut left on the disk is found by the next one, by when the service began."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import local_role
import pytest

SYSTEMCTL = """#!/bin/sh
case "$1" in
is-active) [ "{state}" = active ] ;;
show) echo "{since}" ;;
esac
"""


def look(folder: Path, since: float | None, state: str = "active") -> local_role.Run:
    """Look whether a service that has what it read since then has read all that is in ``folder / 'read'``."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    at = datetime.fromtimestamp(since, tz=timezone.utc).strftime("%a %Y-%m-%d %H:%M:%S.%f UTC") if since else "n/a"
    (programs / "systemctl").write_text(SYSTEMCTL.format(state=state, since=at))
    (programs / "systemctl").chmod(0o755)
    read = folder / "read"
    return local_role.run(
        folder,
        "common",
        "in_force",
        programs=programs,
        common_unit="some.service",
        common_files=[f"{read}/*.conf", f"{read}/missing", f"{read}/tree"],
        common_folders=[f"{read}/sites"],
        handler="Reload it",
        common_notify=["Reload it"],
    )


@pytest.fixture
def read(tmp_path: Path) -> Path:
    for name in ("a.conf", "tree/deep/b.py", "tree/deep/b.pyc", "sites/default"):
        (tmp_path / "read" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "read" / name).write_text("old")
    return tmp_path / "read"


def now(read: Path) -> float:
    """Return a time after which nothing there was changed yet."""
    return max(path.stat().st_ctime for path in read.rglob("*")) + 1e-5


def write(file: Path, since: float) -> None:
    """Write a file after a time; the kernel's clock ticks slowly."""
    file.write_text("new")
    while file.stat().st_ctime <= since:
        file.write_text("new")


def test_what_it_has_read_is_in_force(tmp_path: Path, read: Path) -> None:
    found = look(tmp_path, now(read))
    assert found.is_good and found.changed == 0, found.said


@pytest.mark.parametrize("name", ["a.conf", "tree/deep/b.py", "tree/new"])
def test_a_newer_file_is_not(tmp_path: Path, read: Path, name: str) -> None:
    since = now(read)
    write(read / name, since)
    found = look(tmp_path, since)
    assert found.is_good and found.changed == 1 and str(read / name) in found.said, found.said


def test_nor_is_one_that_went(tmp_path: Path, read: Path) -> None:
    since = now(read)
    write(read / "sites/other", since)
    (read / "sites/other").unlink()
    assert look(tmp_path, since).changed == 1


def test_what_python_compiles_is_no_change(tmp_path: Path, read: Path) -> None:
    since = now(read)
    write(read / "tree/deep/b.pyc", since)
    assert look(tmp_path, since).changed == 0


@pytest.mark.parametrize(("since", "state"), [(None, "active"), (1.0, "inactive")])
def test_who_does_not_run_reads_it_all_when_it_starts(tmp_path: Path, read: Path, since: float, state: str) -> None:
    found = look(tmp_path, since, state)
    assert found.is_good and found.changed == 0, found.said


def test_a_ca_that_came_after_the_list_is_not(tmp_path: Path) -> None:
    ca = tmp_path / "hf-mirror-test.crt"
    ca.write_text("")
    about = {"common_ca": str(ca), "handler": "Update it", "common_notify": ["Update it"]}
    assert local_role.run(tmp_path, "common", "trusted", **about).changed == 1
    ca.unlink()
    assert local_role.run(tmp_path, "common", "trusted", **about).changed == 0
