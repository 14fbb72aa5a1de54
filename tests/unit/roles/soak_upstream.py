# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repositories of the soak: each commit replaces some of the files, and leaves the others as they are."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from random import Random
from typing import Any

from unit.roles.soak_board import Board, File

from hub.process import HubProcess

MB = 1_000_000
WEIGHTS, ALWAYS, CONFIG, TOKENIZER = "weights.bin", "always.bin", "config.json", "deep/er/tokenizer.json"
SHARDS = [f"shards/{number:02}.json" for number in range(12)]
#: What each commit has. One more file comes with a commit and goes with the next.
PATHS = [WEIGHTS, ALWAYS, CONFIG, TOKENIZER, *SHARDS]
#: How the API calls the repositories, and how large their weights are.
REPOS = {
    "models/soak/large": 48 * MB,
    "models/soak/medium": 20 * MB,
    "models/soak/small": 200_000,
    "datasets/soak/data": 4 * MB,
}
#: The repository that is a view, too.
VIEWED = "models/soak/medium"
#: How many contents the weights have in turn: those that come again were collected meanwhile, and are fetched again.
TURNS = 6


def kind_of(repo: str) -> str:
    return repo.partition("/")[0].removesuffix("s")


def id_of(repo: str) -> str:
    return repo.partition("/")[2]


def whitelist() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for repo in REPOS:
        views = {"views": ["soak"]} if repo == VIEWED else {}
        entries.append({"repo_id": id_of(repo), "repo_type": kind_of(repo), "keep": 1, **views})
    return entries


class Upstream:
    """The stand-in Hub, and on the board what it has."""

    def __init__(self, hub: HubProcess, board: Board) -> None:
        self._hub, self._board = hub, board
        self._commits = Counter[str]()

    def commit(self, repo: str) -> None:
        """Let a repository's main be a new commit."""
        number = self._commits[repo]
        self._commits[repo] += 1
        changes: dict[str, str | None] = {
            CONFIG: json.dumps({"commit": number}),
            TOKENIZER: _text(f"{repo} {number}", 100_000),
            f"notes-{number}.txt": f"what changed in {number}\n",
        }
        if number == 0:
            changes |= {ALWAYS: _text(repo, MB)} | {path: _text(f"{repo} {path}", 3000) for path in SHARDS}
        else:
            changes[f"notes-{number - 1}.txt"] = None
            changes[SHARDS[number % len(SHARDS)]] = _text(f"{repo} {number}", 3000)
        if number % 3 == 0:
            changes[WEIGHTS] = _text(f"{repo} {number // 3 % TURNS}", REPOS[repo])
        order = {"repo_id": id_of(repo), "repo_type": kind_of(repo), "create": number == 0, "changes": changes}
        commit = self._hub.control("edit", order)["commit"]
        with urllib.request.urlopen(f"{self._hub.url}/api/{repo}/tree/{commit}?recursive=true", timeout=60) as answer:
            self._board.announce(commit, declared(json.load(answer)))


def declared(entries: list[dict[str, Any]]) -> dict[str, File]:
    """Read a listing of the Hub's API."""
    files = [entry for entry in entries if entry["type"] == "file"]
    return {file["path"]: File(file["size"], file.get("lfs", file)["oid"]) for file in files}


def _text(seed: str, size: int) -> str:
    return Random(seed).randbytes(size // 2).hex()
