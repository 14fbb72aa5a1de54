# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's packages import one way."""

from __future__ import annotations

import ast
from pathlib import Path

ENGINE = Path(__file__).parents[2] / "plugins" / "module_utils"
#: Each imports from those before it only.
PACKAGES = ["_base", "_plan", "_store", "_fetch", "_check", "_run", "_cli", ""]


def test_packages_import_one_way() -> None:
    upwards = []
    for file in sorted(ENGINE.rglob("*.py")):
        package = str(file.relative_to(ENGINE).parent).strip(".")
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level > bool(package):
                imported = (node.module or "").partition(".")[0]
                if PACKAGES.index(imported) >= PACKAGES.index(package):
                    upwards.append(f"{file.relative_to(ENGINE)} imports from {imported}")
    assert not upwards
