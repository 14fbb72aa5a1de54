# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What two catalogues differ in."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.compare import differences
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.catalogue import Catalogue
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.piece import Piece

REPO = Repo("model", "org/name")
ONE, TWO = "1" * 40, "2" * 40


def piece(*commits: str) -> Piece:
    """Return what a repository is after these publishes of main, of which those with a commit are still there."""
    history: Any = {"main": [{"serial": serial, "commit": commit} for serial, commit in enumerate(commits, 1)]}
    return Piece(history, {commit: "digest" for commit in commits if commit})


@pytest.mark.parametrize(
    ("here", "there", "what"),
    [
        (piece(ONE), piece(ONE), []),
        (piece(ONE, TWO), piece(ONE), ["names", "lists"]),
        (piece(ONE), None, ["names", "lists"]),
        (piece(ONE, ""), piece(ONE), ["names"]),
        (piece(""), None, []),
    ],
    ids=["equal", "one is behind", "one lacks it", "one names nothing", "removed, and not published again yet"],
)
def test_differences(here: Piece, there: Piece | None, what: list[str]) -> None:
    catalogues = Catalogue({REPO: here}), Catalogue({REPO: there} if there else {})
    assert [one.what for one in differences(*catalogues)] == what
    assert [one.what for one in differences(*reversed(catalogues))] == what
