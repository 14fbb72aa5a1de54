# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge contents as the engine does: files by their hashes, names beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._inspect.judge import judge

#: (formats, {name: content}) -> what is held, and why
Judge = Callable[[str, dict[str, bytes]], dict[str, str]]


@pytest.fixture
def judged(tmp_path: Path) -> Judge:
    def run(formats: str, contents: dict[str, bytes]) -> dict[str, str]:
        files = {}
        for name, content in contents.items():
            files[name] = tmp_path / hashlib.sha256(content).hexdigest()
            files[name].write_bytes(content)
        return judge(files, formats == "safe", Clock())

    return run
