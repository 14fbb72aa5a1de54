# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people and Ansible read of the settings is what the engine goes by."""

from __future__ import annotations

from pathlib import Path

import pytest
import render


@pytest.mark.parametrize("file", render.BLOCKS, ids=lambda file: str(file.relative_to(render.TOP)))
def test_the_settings_are_described_as_they_are(file: Path) -> None:
    assert render.rendered(file) == file.read_text(encoding="utf-8"), "run make render"
