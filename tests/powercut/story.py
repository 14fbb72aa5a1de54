# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is mirrored when the power goes: repositories with three commits each, the first of which are due to go.

One run of the engine then does all that changes a store: it fetches the third commits and a repository that is new,
publishes them, and collects the first ones.
"""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.wanted import Wanted
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse

from hub.contents import build
from hub.drafts import Changes, Draft, Noise, card
from hub.process import HubProcess
from hub.repos import Library

MB = 1_000_000
#: Hours before the run that is cut: the first commits are published, the second, and a run finds nothing new.
BEFORE = ((90, 0), (80, 1), (40, 1))
#: The commit that the run which is cut finds.
LAST = 2

_WEIGHTS, _ROWS, _MANY, _NEW = "power/weights", "power/rows", "power/many-files", "power/new"
_OLD = [
    {"repo_id": _WEIGHTS, "views": ["flat"], "keep": 1},
    {"repo_id": _ROWS, "repo_type": "dataset", "keep": 1},
    {"repo_id": _MANY, "keep": 1},
]
# The Hub is asked first for what was never synced, and views.json has the entries in that order: were this the last,
# it would go to its place in the run after the next one.
_NEW_TOO = [{"repo_id": _NEW, "views": ["flat"], "keep": 1}, *_OLD]


def wanted(commit: int) -> list[Wanted]:
    """Return what is wanted when the Hub is at a commit."""
    return parse(_NEW_TOO if commit == LAST else _OLD)


def contents(folder: Path) -> Path:
    """Build what the stand-in Hub serves, unless it is there."""
    build(folder, small=True, extra=_drafts())
    return folder


def move(hub: HubProcess, commit: int) -> None:
    """Let all refs name their first, second or third commit."""
    for repo_type, repo_id in (("model", _WEIGHTS), ("dataset", _ROWS), ("model", _MANY)):
        hub.control("move", {"repo_type": repo_type, "repo_id": repo_id, "commit": commit})


def etags(folder: Path) -> dict[str, str]:
    """Return what the Hub says each file is: ``folder commit path`` -> etag."""
    return {
        f"{repo.repo_type}s--{repo.repo_id.replace('/', '--')} {commit.id} {path}": file.etag
        for repo in Library(folder).repos.values()
        for commit in repo.commits
        for path, file in commit.files.items()
    }


def _drafts() -> list[Draft]:
    shared = Noise("power shared", 2 * MB)
    weights: list[Changes] = [
        {
            "README.md": card("Weights", f"Version {number}."),
            "model.bin": Noise(f"power weights {number}", 6 * MB),
            f"deep/er/part-{number}.bin": Noise(f"power part {number}", MB),
        }
        for number in range(3)
    ]
    weights[0]["shared.bin"] = shared
    weights[2] |= {"deep/er/part-0.bin": None, "deep/er/part-1.bin": None}
    rows: list[Changes] = [
        {"rows.parquet": Noise(f"power rows {number}", 3 * MB), f"data/{number}.csv": b"x,y\n%d,2\n" % number}
        for number in range(3)
    ]
    rows[1]["shared.bin"] = shared
    many: list[Changes] = [
        {f"{one % 5}/{one}.json": json.dumps({"is": one, "of": number}).encode() for one in range(number, 30, 2)}
        for number in range(3)
    ]
    new: Changes = {"new.bin": Noise("power new", 12 * MB), "shared.bin": shared, "empty.txt": b""}
    return [
        Draft(_WEIGHTS, [(f"Version {number}", one) for number, one in enumerate(weights)]),
        Draft(_ROWS, [(f"Version {number}", one) for number, one in enumerate(rows)], repo_type="dataset"),
        Draft(_MANY, [(f"Version {number}", one) for number, one in enumerate(many)]),
        Draft(_NEW, [("Upload", new)]),
    ]
