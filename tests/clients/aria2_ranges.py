# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch a file in four parts at once by aria2: ``aria2_ranges.py URL FOLDER``."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

URL, FOLDER = sys.argv[1], Path(sys.argv[2])
ARIA2 = ["aria2c", "--no-conf", "--quiet", "-x4", "-s4", "--min-split-size=1M", "--file-allocation=none"]


def main() -> None:
    """Print the hash of what came."""
    subprocess.run([*ARIA2, "--dir", FOLDER, "--out", "file", URL], check=True)
    print(json.dumps({"sha256": hashlib.sha256((FOLDER / "file").read_bytes()).hexdigest()}))


if __name__ == "__main__":
    main()
