# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what the demo came to: what its mirror holds, and a download through it by an unmodified client."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PODMAN = Path(__file__).parent / "bin" / "podman"
MIRRORS, CLIENT = ("hf-mirror-demo-mirror1", "hf-mirror-demo-mirror2"), "hf-mirror-demo-client1"
#: It moves between the mirrors.
ADDRESS = "http://10.89.77.100"
IS_ACTIVE = "/usr/local/lib/hf-mirror/is-active"
#: Where clients.yml put the Hub client.
CLIENT_PYTHON = "/opt/huggingface_hub-2.4.0/bin/python"

#: Runs on the mirror: the store's own documents tell everything.
LIST = """
import json, pathlib
for repo in sorted(pathlib.Path("/srv/hf-mirror/hub").iterdir()):
    main = repo / ".mirror" / "rev" / "main"
    if main.exists():
        info = json.loads((main / "info.blobs.json").read_bytes())
        files = [(file["rfilename"], file["size"], file.get("lfs", {}).get("sha256")) for file in info["siblings"]]
        kind = repo.name.split("--")[0]
        print(json.dumps({"repo_id": info["id"], "type": kind, "commit": info["sha"], "files": files}))
"""
#: Runs on the client, which knows the mirror from its login shell only.
DOWNLOAD = """
import hashlib, os, sys, tempfile, time
from huggingface_hub import __version__, constants, hf_hub_download
with tempfile.TemporaryDirectory() as cache:
    start = time.perf_counter()
    path = hf_hub_download(*sys.argv[1:3], cache_dir=cache)
    seconds = time.perf_counter() - start
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    print(f"huggingface_hub {__version__} from {constants.ENDPOINT}|{seconds:.2f}|{digest.hexdigest()}")
"""


def on(host: str, *command: str) -> str:
    """Run a command on a host and return what it printed."""
    done = subprocess.run([PODMAN, "exec", host, *command], check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{host}: {done.stdout}{done.stderr}")
    return done.stdout


def is_active(host: str) -> bool:
    """Say whether a mirror has the address."""
    return subprocess.run([PODMAN, "exec", host, IS_ACTIVE], check=False).returncode == 0


def repositories(mirror: str) -> list[dict[str, Any]]:
    """Return what a mirror holds: repository, commit, and each file's name, size and SHA-256, None for small ones."""
    return [json.loads(line) for line in on(mirror, "python3", "-c", LIST).splitlines()]


def size(count: float) -> str:
    """Return bytes in words."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def main() -> None:
    """Print the report; fail where the download is not what the mirror holds."""
    active = next((mirror for mirror in MIRRORS if is_active(mirror)), None)
    if not active:
        sys.exit(f"none of {', '.join(MIRRORS)} has the address {ADDRESS}: see hf-mirror log there")
    print(f"\n{ADDRESS} is with {active}; when that one fails, another takes over.")
    repos = repositories(active)
    print(f"\nMirrored on {active}, and followed by the other:\n")
    print(f"  {'repository':<40} {'commit':<12} {'files':>5} {'bytes':>10}")
    for repo in repos:
        total = size(sum(length for _name, length, _sha256 in repo["files"]))
        print(f"  {repo['repo_id']:<40} {repo['commit'][:12]} {len(repo['files']):>5} {total:>10}")

    models = [repo for repo in repos if repo["type"] == "models"]
    choices = [(length, repo["repo_id"], name, sha) for repo in models for name, length, sha in repo["files"] if sha]
    if not choices:
        sys.exit("the mirror holds no large file of a model: nothing to download")
    length, repo_id, name, sha256 = max(choices)
    command = [CLIENT_PYTHON, "-c", DOWNLOAD, repo_id, name]
    client, seconds, found = on(CLIENT, "bash", "-lc", 'exec "$@"', "-", *command).splitlines()[-1].split("|")
    print(f"\nDownloaded on {CLIENT}, {client}:\n")
    print(f"  {repo_id}/{name}: {size(length)} in {seconds} s ({size(length / float(seconds))}/s)")
    print(f"  SHA-256 {found}: {'as the Hub declares it' if found == sha256 else f'WRONG, the Hub declares {sha256}'}")
    print(f"\nLook at it: {ADDRESS}/models/facefusion/   Remove all of it: make clean")
    sys.exit(found != sha256)


if __name__ == "__main__":
    main()
