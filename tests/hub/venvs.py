# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs whose dependencies exclude each other, each in a virtual environment of its own."""

from __future__ import annotations

import fcntl
import subprocess
import venv
from pathlib import Path


def install(folder: Path, *requirements: str) -> Path:
    """Make a virtual environment with ``requirements`` unless it is there already, and return its Python."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        python, stamp = folder / "bin" / "python", folder / "installed"
        if not stamp.exists() or stamp.read_text().split() != list(requirements):
            venv.create(folder, clear=True, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
            stamp.write_text("\n".join(requirements))
    return python
