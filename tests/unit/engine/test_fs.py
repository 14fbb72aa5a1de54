# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No step of the engine leaves its store, also when a name or a link leads out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.fs import Fs, OutsideError

from .conftest import everything


@pytest.mark.parametrize("path", ["..", "../victim", "hub/../../victim", "/etc/passwd", "link/x", "link/../../victim"])
def test_nothing_leaves_the_store(tmp_path: Path, path: str) -> None:
    root = tmp_path / "store"
    (root / "hub").mkdir(parents=True)
    (tmp_path / "victim").write_text("mine")
    (root / "link").symlink_to(tmp_path)
    (root / "mine").write_text("")
    fs, target = Fs(root), Path(f"{root}/{path}") if not path.startswith("/") else Path(path)
    before = everything(tmp_path)
    steps: list[Callable[[], Any]] = [
        lambda: fs.mkdir(target / "new"),
        lambda: fs.write(target, b""),
        lambda: fs.append(target, b"", False),
        lambda: fs.open_part(target),
        lambda: fs.link(target, root / "new"),
        lambda: fs.link(root / "mine", target),
        lambda: fs.symlink("x", target),
        lambda: fs.rename(target, root / "new"),
        lambda: fs.rename(root / "mine", target),
        lambda: fs.unlink(target),
        lambda: fs.rmtree(target),
        lambda: fs.freeze(target, 0o444, 0),
        lambda: fs.sync_dir(target),
    ]
    for step in steps:
        with pytest.raises(OutsideError):
            step()
    assert everything(tmp_path) == before


def test_no_link_is_followed_at_the_end(tmp_path: Path) -> None:
    root = tmp_path / "store"
    root.mkdir()
    (tmp_path / "victim").write_text("mine")
    (root / "link").symlink_to(tmp_path / "victim")
    fs = Fs(root)
    for step in (
        lambda: fs.append(root / "link", b"x", False),
        lambda: fs.open_part(root / "link"),
        lambda: fs.link(root / "link", root / "new"),
        lambda: fs.freeze(root / "link", 0o777, 0),
    ):
        with pytest.raises((OutsideError, OSError)):
            step()
    assert (tmp_path / "victim").read_text() == "mine" and (tmp_path / "victim").stat().st_mode & 0o777 != 0o777
