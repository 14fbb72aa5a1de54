# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual environment with what the role puts into it, and the stand-in for FaceFusion."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

TOP = Path(__file__).parents[3]
FILES = TOP / "roles" / "facefusion" / "files"
TREE = TOP / "tests" / "facefusion" / "tree"


class FaceFusion:
    """A copy of the stand-in's tree, and a Python that has one of the role's modules, as the role installs it."""

    def __init__(self, folder: Path, module: str) -> None:
        self.tree = folder / "tree"
        shutil.copytree(TREE, self.tree)
        venv.create(folder / "venv", symlinks=True)
        scheme = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
        packages = Path(sysconfig.get_path("purelib", "venv", scheme))
        shutil.copy(FILES / f"{module}.py", packages)
        (packages / f"{module}.pth").write_text(f"import {module}\n", encoding="utf-8")
        self.python = str(folder / "venv" / "bin" / "python")

    def start(self, code: str, **environment: str) -> subprocess.Popen[str]:
        """Start a program of Python in the tree."""
        return subprocess.Popen(
            [self.python, "-c", code],
            cwd=self.tree,
            env={"PATH": os.environ["PATH"], **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str, **environment: str) -> tuple[str, str]:
        """Run a program of Python in the tree to its end; what it said on both channels."""
        process = self.start(code, **environment)
        said, complained = process.communicate(timeout=60)
        assert process.returncode == 0, complained
        return said, complained
