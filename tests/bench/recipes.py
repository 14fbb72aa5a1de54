# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in Hub has for benchmarks."""

from __future__ import annotations

from hub.drafts import Draft, Noise
from hub.process import HubProcess

MB = 1_000_000
LARGE = ["bench/one-large-file"]
MANY = ["stand-in/many-small-files"]
TWENTY = [f"bench/repo-{number:02}" for number in range(20)]
FIFTY = ["bench/fifty-files"]


def drafts() -> list[Draft]:
    """Return the repositories that are built beforehand: about 3 GB."""
    large = Draft(LARGE[0], [("Upload", {"large.bin": Noise("bench large", 2000 * MB)})])
    twenty = [
        Draft(
            name,
            [("Upload", {"model.safetensors": Noise(name, 40 * MB), "config.json": b"{}", "a.txt": name.encode()})],
        )
        for name in TWENTY
    ]
    files = {f"shard-{number:02}.safetensors": Noise(f"fifty {number}", 2 * MB) for number in range(50)}
    fifty = Draft(FIFTY[0], [("Upload", {**files}), ("One", {"shard-07.safetensors": Noise("fifty new", 2 * MB)})])
    return [large, *twenty, fifty]


def many(hub: HubProcess, count: int) -> list[str]:
    """Make so many repositories of 20 small files, each with content of its own, and return their names."""
    names = [f"bench/many-{number:03}" for number in range(count)]
    edits = [
        {"repo_id": name, "create": True, "changes": {f"file-{n:02}.json": f'{{"{name}": {n}}}\n' for n in range(20)}}
        for name in names
    ]
    for start in range(0, len(edits), 50):
        hub.control("edit", {"edits": edits[start : start + 50]})
    return names
