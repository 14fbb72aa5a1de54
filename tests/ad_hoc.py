# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One module on this machine, as ``ansible -m`` runs it: packed into a file that root alone can read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[1]
#: One that every user can read, which the tests' own may not be.
PYTHON = "/usr/bin/python3"


def run(module: str, **arguments: Any) -> str:
    """Run a module of the collection and return what Ansible says."""
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "ansible"), "localhost", "-i", "localhost,", "-c", "local"),
            *("-e", json.dumps({"ansible_python_interpreter": PYTHON})),
            *("-m", f"modelops.hf_mirror.{module}", "-a", json.dumps(arguments)),
        ],
        cwd=TOP,
        env={**os.environ, "ANSIBLE_CONFIG": str(TOP / "ansible.cfg")},
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr
