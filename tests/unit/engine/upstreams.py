# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two upstreams, the second of which may be the first one of the list."""

from __future__ import annotations

from typing import Any

from hub.process import HubProcess

TINY, SWAPPER, ONNX = "stand-in/tiny-model", "deepinsight/inswapper-128", "inswapper_128.onnx"
FILE = {"repo_id": SWAPPER, "path": ONNX}
#: The upstream that has habits, and the list in which it is the first or the second.
Odd = tuple[HubProcess, list[HubProcess]]


def urls(*hubs: HubProcess) -> list[str]:
    return [hub.url for hub in hubs]


def counts(hub: HubProcess) -> dict[str, int]:
    found: dict[str, int] = hub.control("requests")["counts"]
    return found


def told(answer: dict[str, Any], of: HubProcess) -> str:
    """Return what the run said of an upstream."""
    return " ".join(line for line in answer["warnings"] if line.startswith(of.url))


def repo_of(hub: HubProcess, repo_id: str = SWAPPER) -> dict[str, Any]:
    found: dict[str, Any] = next(repo for repo in hub.control("repos") if repo["repo_id"] == repo_id)
    return found
