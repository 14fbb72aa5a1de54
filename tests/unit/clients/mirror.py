# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror node to which clients are pointed, and what they shall find there."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node import Node

#: The programs that are run, one for each family of clients.
PROGRAMS = Path(__file__).parents[2] / "clients"


@dataclass
class Published:
    """A repository as the Hub had it: ``commits`` by ref, ``files`` by commit and path."""

    commits: dict[str, str]
    files: dict[str, dict[str, dict[str, Any]]]

    def sha256(self, ref: str = "main") -> dict[str, str]:
        """Return the hashes of a ref's files by path."""
        return {path: file["sha256"] for path, file in self.files[self.commits[ref]].items()}

    def listed(self, ref: str = "main") -> dict[str, list[Any]]:
        """Return sizes and, of those in LFS, hashes of a ref's files by path, as the Hub lists them."""
        files = self.files[self.commits[ref]]
        return {path: [file["size"], file["sha256"] if file["lfs"] else None] for path, file in files.items()}


def published(repo: dict[str, Any]) -> Published:
    """Read what the stand-in's control page says of a repository."""
    commits = {ref.removeprefix("refs/heads/").removeprefix("refs/tags/"): c for ref, c in repo["refs"].items()}
    return Published(commits, {commit["commit"]: commit["files"] for commit in repo["commits"]})


@dataclass
class Mirror:
    """The node, what it has, and in ``asked`` what the last client asked for."""

    node: Node
    repos: dict[str, Published]
    read: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.node.url

    def requests(self) -> list[dict[str, Any]]:
        """Return what was asked since the last call."""
        # A client may end before its last request is logged; once a later one was answered, it is.
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(self.url, timeout=10).close()
        lines = self.node.accesses()
        new, self.read = lines[self.read :], len(lines)
        asked = [json.loads(line) for line in new]
        return [line for line in asked if not line["user_agent"].startswith("Python-urllib")]

    def run(self, home: Path, *command: object, **settings: str) -> str:
        """Run a client with ``home`` as its home, and return what it prints.

        Whatever it would ask another host goes by the proxy, which is the node: there it is seen, and refused.
        """
        self.requests()
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "HF_HOME": str(home / "hf"),
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HTTPS_PROXY": self.url,
            "NO_PROXY": "127.0.0.1",
            **settings,
        }
        done = subprocess.run(
            [str(word) for word in command],
            env=environment,
            cwd=home,
            capture_output=True,
            check=False,
            text=True,
            timeout=240,
        )
        self.asked = self.requests()
        assert [line for line in self.asked if line["status"] >= 500] == []
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        assert self.asked, "it asked the mirror nothing"
        assert [line for line in self.asked if line["method"] not in ("GET", "HEAD", "POST")] == [], (
            "it asked elsewhere"
        )
        return done.stdout

    def json(self, home: Path, *command: object, **settings: str) -> Any:
        """Run a client, and return the JSON that it prints last."""
        return json.loads(self.run(home, *command, **settings).splitlines()[-1])
