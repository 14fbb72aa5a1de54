# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of npm, each in a folder of its own, as hub.venvs does with those of pip."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path


def install(folder: Path, requirement: str) -> Path:
    """Make ``folder`` hold ``requirement`` (NAME@VERSION) unless it does already, and return it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "installed"
        if not stamp.exists() or stamp.read_text() != requirement:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            options: list[str | Path] = [
                "--prefix",
                folder,
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--loglevel",
                "error",
            ]
            subprocess.run(["npm", "install", *options, requirement], check=True)
            stamp.write_text(requirement)
    return folder
