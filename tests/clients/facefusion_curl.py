# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch models by curl with the very options of FaceFusion 3.8.1: ``facefusion_curl.py URL FOLDER NAME...``.

FaceFusion asks whether the provider can be reached, asks for a file's size, has curl continue what is there, and
compares the model with the CRC32 that its ``.hash`` holds.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zlib
from pathlib import Path

CURL = ["curl", "--user-agent", "FaceFusion/3.8.1", "--location", "--silent", "--ssl-no-revoke"]


def head(url: str) -> str:
    return subprocess.run([*CURL, "-I", url], check=True, capture_output=True, text=True).stdout


def size(url: str) -> int:
    """Return the last Content-Length: redirects have one, too."""
    return int(re.findall(r"(?im)^content-length: *(\d+)", head(url))[-1])


def download(url: str, file: Path) -> None:
    subprocess.run([*CURL, "--create-dirs", "--continue-at", "-", "--output", file, url], check=True)


def fits(model: Path) -> bool:
    """Tell whether a model has the CRC32 that its ``.hash`` holds."""
    return f"{zlib.crc32(model.read_bytes()):08x}" == model.with_suffix(".hash").read_text()


def main() -> None:
    """Print what was got, and whether each model fits its hash."""
    provider, folder, names = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    reachable = head(f"{'/'.join(provider.split('/')[:3])}/").splitlines()[0]
    files = {}
    for name in names:
        download(f"{provider}/{name}", folder / name)
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        files[name] = {"size": size(f"{provider}/{name}"), "sha256": digest}
    valid = {name: fits(folder / name) for name in names if name.endswith(".onnx")}
    print(json.dumps({"reachable": reachable, "files": files, "valid": valid}))


if __name__ == "__main__":
    main()
