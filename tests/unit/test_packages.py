# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's packages import one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

COLLECTIONS = Path(__file__).parents[2] / "collections"
ENGINE = Path(__file__).parents[2] / "plugins" / "module_utils"
#: Each imports from those before it only.
PACKAGES = ["_base", "_plan", "_border", "_store", "_fetch", "_inspect", "_check", "_run", "_cli", "_module", ""]
#: What runs beside FaceFusion needs no store, and no engine needs it.
BESIDE = {"_facefusion": ["_base", "_plan", "_border", "_fetch"]}
ALLOWED = {**{package: PACKAGES[:number] for number, package in enumerate(PACKAGES)}, **BESIDE}


def test_packages_import_one_way() -> None:
    upwards = []
    for file in sorted(ENGINE.rglob("*.py")):
        package = str(file.relative_to(ENGINE).parent).strip(".")
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level > bool(package):
                imported = (node.module or "").partition(".")[0]
                if imported not in ALLOWED[package]:
                    upwards.append(f"{file.relative_to(ENGINE)} imports from {imported}")
    assert not upwards


def test_a_facefusion_host_needs_nothing_but_python() -> None:
    name = "ansible_collections.modelops.hf_mirror.plugins.module_utils._facefusion.placement"
    script = f"import sys; sys.path.insert(0, {str(COLLECTIONS)!r}); import {name}"
    # without what is installed, and without what the environment says
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
