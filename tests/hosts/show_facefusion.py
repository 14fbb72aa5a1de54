# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show that a FaceFusion host needs no Hub: it is switched off, the host loses its models, FaceFusion starts."""

from __future__ import annotations

import sys
import time

from show import ADDRESS, MIRRORS, is_active, on, repositories, size

HUB, HOST = "hf-mirror-demo-hub1", "hf-mirror-demo-face1"
MODELS = "/opt/facefusion/tree/.assets/models"


def main() -> None:
    """Print the report; fail where a model is not what the mirror holds."""
    on(HUB, "systemctl", "stop", "hub")
    try:
        on(HOST, "systemctl", "stop", "facefusion")
        on(HOST, "find", MODELS, "-name", "[a-z0-9]*", "-type", "f", "-delete")
        start = time.perf_counter()
        on(HOST, "systemctl", "start", "facefusion")
        seconds = time.perf_counter() - start
    finally:
        on(HUB, "systemctl", "start", "hub")
    lines = on(HOST, "bash", "-c", f"cd {MODELS} && sha256sum *.onnx && stat --format %s *").splitlines()
    found = dict(reversed(line.split(maxsplit=1)) for line in lines if " " in line)
    total = sum(int(line) for line in lines if " " not in line)
    active = next(mirror for mirror in MIRRORS if is_active(mirror))
    held = {sha256 for repo in repositories(active) for _name, _length, sha256 in repo["files"]}
    wrong = sorted(name for name, sha256 in found.items() if sha256 not in held)
    print(f"\n  FaceFusion on {HOST} fetched {len(found)} models, {size(total)} with their sums, from {ADDRESS},")
    print(f"  found them good and answers after {seconds:.1f} s.")
    print(f"  SHA-256 of the models: {'WRONG for ' + ', '.join(wrong) if wrong else 'as the Hub declares them'}\n")
    sys.exit(bool(wrong) or not found)


if __name__ == "__main__":
    main()
