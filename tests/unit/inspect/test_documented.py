# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/security.md says of kinds of files is what happens to them."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from contents.harmless import KINDS
from contents.kinds import NOT_HARMLESS
from contents.repositories import REPOSITORIES, contents_of, small_contents

from .conftest import Judge

ROOT = Path(__file__).parents[3]
DOCUMENT, WHITELISTS = ROOT / "docs" / "security.md", ROOT / "whitelists"


def test_the_table_says_what_each_kind_gets(judged: Judge) -> None:
    rows = []
    for kind, examples in {**KINDS, **NOT_HARMLESS}.items():
        held = {formats: {bool(judged(formats, {n: c})) for n, c in examples} for formats in ("no-pickle", "safe")}
        assert all(len(answers) == 1 for answers in held.values()), (kind, "its examples get the same")
        gets = ["**held**" if answers == {True} else "taken" for answers in held.values()]
        rows.append(f"| {kind} | taken | {' | '.join(gets)} |")
    table = "\n".join(rows)
    assert table in DOCUMENT.read_text(), f"docs/security.md must have\n{table}"


def _entries(file: Path) -> list[tuple[str, list[str]]]:
    """Return the entries of an example: the repository, and the files as far as they are known."""
    wanted = parse(yaml.safe_load(file.read_text())["models_to_sync"])
    known = [one for one in wanted if one.files or one.repo_id in REPOSITORIES]
    return [(one.repo_id, list(one.files or one.select(REPOSITORIES[one.repo_id].split()))) for one in known]


def test_how_much_of_public_repositories_would_be_held(judged: Judge) -> None:
    public = [(repository, list(contents_of(repository))) for repository in REPOSITORIES]
    listed = [one for file in sorted(WHITELISTS.glob("*.yml")) for one in _entries(file)]
    rows = []
    for what, found in (("of these repositories", public), ("of the entries in `whitelists/`", listed)):
        for formats in ("no-pickle", "safe"):
            held = [judged(formats, small_contents(repository, paths)) for repository, paths in found]
            files = f"{sum(map(len, held))} of {sum(len(paths) for _repository, paths in found)}"
            rows.append(f"| {what}, `{formats}` | {sum(map(bool, held))} of {len(found)} | {files} |")
    table = "\n".join(rows)
    assert table in DOCUMENT.read_text(), f"docs/security.md must have\n{table}"
