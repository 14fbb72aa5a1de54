# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation as a site: it is made without a warning, has all pages, and no link of it leads nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from html_links import HtmlLinks

TOP = Path(__file__).parents[2]


def test_the_site_has_all_pages_and_no_dead_links(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [str(TOP / "tests/setup/docs.sh"), str(tmp_path)],
        env={**os.environ, "PATH": path},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    modules = [f"reference/{file.stem}_module.html" for file in (TOP / "plugins/modules").glob("[a-z]*.py")]
    roles = [f"reference/{folder.name}_role.html" for folder in (TOP / "roles").iterdir()]
    guides = [f"docs/{file.stem}.html" for file in (TOP / "docs").glob("*.md")]
    pages = {}
    for file in tmp_path.rglob("*.html"):
        pages[str(file)] = HtmlLinks()
        pages[str(file)].feed(file.read_text())
    assert {str(tmp_path / page) for page in (*modules, *roles, *guides, "index.html", "README.html")} <= pages.keys()

    dead = []
    for page, content in pages.items():
        for link in content.links:
            there = urlsplit(link)
            target = os.path.normpath(Path(page).parent / unquote(there.path)) if there.path else page
            anchors = pages[target].anchors if there.fragment and target in pages else set()
            is_there = Path(target).exists() and (not there.fragment or unquote(there.fragment) in anchors)
            if not there.scheme and not is_there:
                dead.append(f"{page}: {link}")
    assert not dead
