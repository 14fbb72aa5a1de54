# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the demo's result: what the mirror holds, a download on the client, and where to look."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PODMAN = str(Path(__file__).with_name("bin") / "podman")
MIRROR, CLIENT = "hf-mirror-demo-mirror1", "hf-mirror-demo-client1"
ADDRESS = "http://10.89.77.11"
#: What the client runs: an unmodified huggingface_hub that knows nothing but HF_ENDPOINT from its login shell.
DOWNLOAD = """
import hashlib, sys, tempfile, time
from huggingface_hub import hf_hub_download
with tempfile.TemporaryDirectory() as folder:
    start = time.monotonic()
    file = hf_hub_download(sys.argv[1], sys.argv[2], cache_dir=folder)
    seconds = time.monotonic() - start
    print(seconds, hashlib.file_digest(open(file, "rb"), "sha256").hexdigest())
"""


def run(host: str, *command: str) -> str:
    """Run a command on a host and return what it prints."""
    return subprocess.run([PODMAN, "exec", host, *command], check=True, capture_output=True, text=True).stdout


def size(count: float) -> str:
    """Write a number of bytes for people."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def main() -> None:
    """Print three short paragraphs."""
    documents = run(MIRROR, "sh", "-c", "cat /srv/hf-mirror/hub/*/.mirror/rev/main/info.blobs.json")
    repos: list[dict[str, Any]] = []
    decoder, position = json.JSONDecoder(), 0
    while position < len(documents):
        repo, position = decoder.raw_decode(documents, position)
        repos.append(repo)
    print(f"The mirror {ADDRESS} holds:\n")
    for repo in repos:
        files = repo["siblings"]
        total = size(sum(file["size"] for file in files))
        print(f"  {repo['id']:<40} {repo['sha'][:12]}  {len(files):>4} files {total:>8}")
    candidates = [(file["size"], repo, file) for repo in repos for file in repo["siblings"] if "lfs" in file]
    _size, repo, file = max(candidates, key=lambda candidate: candidate[0])
    command = '"$(echo /opt/huggingface_hub-*/bin/python)" -c "$0" "$@"'
    seconds, sha256 = run(CLIENT, "bash", "-lc", command, DOWNLOAD, repo["id"], file["rfilename"]).split()
    right = sha256 == file["lfs"]["sha256"]
    print(f"\nThe client downloaded {file['rfilename']} of {repo['id']} with huggingface_hub:\n")
    print(f"  {size(file['size'])} in {float(seconds):.2f} s, SHA-256 {sha256} {'is right' if right else 'IS WRONG'}")
    print(f"\nLook at {ADDRESS}/models/facefusion/ or try, from this machine:\n")
    print(f"  HF_ENDPOINT={ADDRESS} .venv/bin/hf download {repo['id']} {file['rfilename']}")
    sys.exit(not right)


if __name__ == "__main__":
    main()
