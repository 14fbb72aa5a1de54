# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contenders: the engine, huggingface_hub's own download, aria2."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from bench.measure import Measured, run
from hub.repos import Library

BIN = Path(sys.executable).parent
#: Several repositories in one process, where `hf download` would start anew for each: that would not be fair.
_SNAPSHOTS = "import sys; from huggingface_hub import snapshot_download as s; [s(repo) for repo in sys.argv[1:]]"


class Downloads:
    """Downloads of some repositories from one Hub, each into a folder that is empty before."""

    def __init__(self, endpoint: str, repos: Sequence[str], scratch: Path) -> None:
        self.endpoint, self.repos, self.scratch = endpoint, list(repos), scratch
        scratch.mkdir(parents=True, exist_ok=True)

    def _empty(self, name: str) -> Path:
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        # what an earlier contender left to be written must not slow this one down
        subprocess.run(["sync"], check=True)
        return folder

    def engine(self) -> Measured:
        """Sync into a new store."""
        self._empty("store")
        return self.engine_again()

    def engine_again(self) -> Measured:
        """Sync into the store that is there."""
        whitelist = self.scratch / "whitelist.yml"
        whitelist.write_text(json.dumps({"models_to_sync": [{"repo_id": repo} for repo in self.repos]}))
        command = [str(BIN / "hf-mirror"), "--store", str(self.scratch / "store"), "--endpoint", self.endpoint]
        return run([*command, "--config", str(whitelist), "sync", "--json"], {}, self.scratch / "engine.log")

    def huggingface_hub(self) -> Measured:
        """Download snapshots into a new cache."""
        return self._snapshots(self._empty("hf"))

    def huggingface_hub_again(self) -> Measured:
        """Download snapshots into the cache that is there."""
        return self._snapshots(self.scratch / "hf")

    def _snapshots(self, home: Path) -> Measured:
        environment = {
            "HF_HOME": str(home),
            "HF_ENDPOINT": self.endpoint,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        }
        one = [str(BIN / "hf"), "download", *self.repos]
        command = one if len(self.repos) == 1 else [sys.executable, "-c", _SNAPSHOTS, *self.repos]
        return run(command, environment, self.scratch / "huggingface_hub.log")

    def aria2(self, library: Library) -> Measured:
        """Download the same files, given all addresses: aria2 asks no Hub what there is, and verifies nothing."""
        folder = self._empty("aria2")
        addresses = self.scratch / "addresses"
        lines = []
        for name in self.repos:
            repo = library.repo("model", name)
            for path, file in repo.main.files.items():
                if file.size:
                    lines += [f"{self.endpoint}/{name}/resolve/{repo.main.id}/{quote(path)}", f"  out={name}/{path}"]
        addresses.write_text("\n".join(lines) + "\n")
        options = ["--max-connection-per-server=4", "--split=4", "--max-concurrent-downloads=8", "--quiet"]
        options += ["--file-allocation=none", "--allow-overwrite=true", f"--dir={folder}", "--no-conf"]
        return run(["aria2c", *options, f"--input-file={addresses}"], {}, self.scratch / "aria2.log")
