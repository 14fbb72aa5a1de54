# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages show as YAML can be copied into an inventory or a play."""

from __future__ import annotations

import re
import subprocess
import textwrap
from pathlib import Path

import pytest
from yamllint import linter
from yamllint.config import YamlLintConfig

TOP = Path(__file__).parents[2]
_BLOCK = re.compile(r"^( *)```yaml\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
#: What a reader of YAML refuses, or passes over without a word.
_RULES = YamlLintConfig("rules: {key-duplicates: enable, indentation: {indent-sequences: whatever}}")


def _pages() -> list[str]:
    command = ["git", "-C", str(TOP), "ls-files", "--", "*.md"]
    pages = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [page for page in pages if _BLOCK.search((TOP / page).read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", _pages())
def test_examples_are_sound(page: str) -> None:
    for found in _BLOCK.finditer((TOP / page).read_text(encoding="utf-8")):
        example = textwrap.dedent(found[2])
        assert not list(linter.run(example, _RULES)), example
