# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variant of onnxruntime follows the driver that the host has."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "roles" / "facefusion" / "files" / "onnxruntime.sh"
SAYS = "| NVIDIA-SMI 580.82.07    Driver Version: 580.82.07    CUDA Version: {version}     |"


@pytest.mark.parametrize(
    ("version", "variants"),
    [
        ("13.0", ["cuda@13", "cuda@12", "cuda"]),
        ("12.4", ["cuda@12", "cuda"]),
        ("11.8", []),
        ("N/A", []),
        (None, []),
    ],
)
def test_the_variant_follows_the_driver(tmp_path: Path, version: str | None, variants: list[str]) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{SAYS.format(version=version)}'\n" if version else "#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", str(SCRIPT)], check=True, capture_output=True, text=True, env=environment)
    said = done.stdout.split()
    assert [name for name in said if name.startswith("cuda")] == variants
    assert said[-1] == "default" and done.stderr == ""
