# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx with the role's configuration, on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.roles.nginx_server import Mirror, Store, serving
from unit.roles.nginx_store import (
    WEIGHTS,
    fill,
)


@pytest.fixture(scope="package")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """One mirror for the tests that only read."""
    folder = tmp_path_factory.mktemp("mirror")
    store = Store(folder / "store")
    fill(store)
    store.view("facefusion", {"inswapper.onnx": WEIGHTS, "with space.txt": b"text\n"})
    with serving(store, folder / "nginx") as running:
        yield running
    assert [line for line in running.errors() if "[notice]" not in line] == [], "nginx had something to complain about"


@pytest.fixture
def own_mirror(tmp_path: Path) -> Iterator[Mirror]:
    """A mirror of its own for a test that changes the store."""
    store = Store(tmp_path / "store")
    fill(store)
    with serving(store, tmp_path / "nginx") as running:
        yield running
