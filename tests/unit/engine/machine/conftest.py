# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small tails of parts, so that parts of some bytes are gone on with; folders for stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import fetch as _fetch
from unit.engine.machine.mirror import scratch


@pytest.fixture(autouse=True)
def short_tails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fetch, "_TAIL", 8)


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder for a store."""
    with scratch() as folder:
        yield folder
