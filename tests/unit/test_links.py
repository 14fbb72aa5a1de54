# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Markdown of the repository: a link to a file or a heading leads somewhere, a path that is named is there."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from html_links import HtmlLinks
from markdown_it import MarkdownIt
from markdown_it.token import Token

TOP = Path(__file__).parents[2]
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=TOP,
    check=True,
    capture_output=True,
    text=True,
).stdout.splitlines()
FOLDERS = {parent.as_posix() for file in TRACKED for parent in Path(file).parents}
#: What pages call a reader's own, and what tests leave behind.
NOT_OURS = ("inventory/mine", "tests/output")


class Page:
    """A page as GitHub shows it."""

    def __init__(self, text: str) -> None:
        blocks = MarkdownIt("commonmark").enable("table").parse(text)
        self._inlines = [inline for block in blocks for inline in block.children or ()]
        self._html = HtmlLinks()
        for token in (*blocks, *self._inlines):
            if token.type.startswith("html_"):
                self._html.feed(token.content)
        self.anchors = {*_anchors(blocks), *self._html.anchors}

    def links(self) -> Iterator[str]:
        """Yield where links and images lead."""
        for inline in self._inlines:
            yield from (str(inline.attrs[name]) for name in ("href", "src") if name in inline.attrs)
        yield from self._html.links

    def paths(self) -> Iterator[str]:
        """Yield the paths of the repository that are written as code."""
        for inline in self._inlines:
            if inline.type == "code_inline":
                word = inline.content.partition(" ")[0].partition("::")[0].rstrip("/")
                if (word.partition("/")[0] in FOLDERS and "/" in word) or re.fullmatch(r"test_\w+\.py", word):
                    yield word

    def unlinked(self) -> Iterator[str]:
        """Yield texts that were meant as links: of a reference that is not defined, or with a space before the URL."""
        for inline in self._inlines:
            if inline.type == "text" and re.search(r"\]\s?\(\S*\.md|\]\[", inline.content):
                yield inline.content


def _anchors(blocks: list[Token]) -> Iterator[str]:
    """Yield the names that GitHub gives headings: words and hyphens, and a number where the same came before."""
    seen: Counter[str] = Counter()
    for heading, inline in zip(blocks, blocks[1:]):
        if heading.type == "heading_open":
            text = "".join(part.content for part in inline.children or () if part.type in ("text", "code_inline"))
            name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            yield f"{name}-{seen[name]}" if seen[name] else name
            seen[name] += 1


def dead(page: str, text: str, others: dict[str, Page]) -> list[str]:
    """Return what leads nowhere on a page of the repository."""
    shown = Page(text)
    found = list(shown.unlinked())
    for link in shown.links():
        there = urlsplit(link)
        target = os.path.normpath(Path(page).parent / unquote(there.path))
        if there.scheme or there.netloc:
            continue
        leads = others.get(target) if there.path else shown
        missing = there.path and target not in TRACKED and target not in FOLDERS
        if missing or (there.fragment and unquote(there.fragment) not in (leads.anchors if leads else ())):
            found.append(unquote(link))
    for path in shown.paths():
        pattern = path if "/" in path else f"*/{path}"
        if not path.startswith(NOT_OURS) and not fnmatch.filter([*TRACKED, *FOLDERS], pattern):
            found.append(path)
    return found


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: (TOP / name).read_text() for name in TRACKED if name.endswith(".md")}


def test_no_page_leads_nowhere(pages: dict[str, str]) -> None:
    shown = {name: Page(text) for name, text in pages.items()}
    assert {"README.md", "docs/operations.md", "roles/mirror_sync/README.md"} <= pages.keys()
    found = {name: dead(name, text, shown) for name, text in pages.items()}
    assert not {name: links for name, links in found.items() if links}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](operations.md), ![b](failover.svg), [c](../roles/mirror_sync), <https://example.com/x>", []),
        ("[a](operations.md#change-a-node), [b](#a-heading-of-its-own)\n\n# A *heading*: of `its` own!", []),
        ("[b](#two-1)\n\n## Two\n\n## Two", []),
        ("[b](#两个-节点)\n\n## 两个，节点\n\n## 两个 节点", []),
        ("[a](operation.md)", ["operation.md"]),
        ("[b](#两个-节点)\n\n## 两个节点", ["#两个-节点"]),
        ("![a](fail.svg)", ["fail.svg"]),
        ("| a |\n|---|\n| [`b`](../x/y.py) |", ["../x/y.py"]),
        ("- [a][b]\n\n[b]: ../../up.md", ["../../up.md"]),
        ("[a](operations.md#changing-a-node)", ["operations.md#changing-a-node"]),
        ("[b](#two-1)\n\n## Two", ["#two-1"]),
        ("[a][undefined]", ["[a][undefined]"]),
        ("[a] (operations.md)", ["[a] (operations.md)"]),
        ("`tests/unit/test_links.py`, `roles/*/README.md`, `playbooks/`, `test_links.py -k dead`, `a/b`", []),
        ("`tests/unit/test_nothing.py`, `test_nothing.py::test`", ["tests/unit/test_nothing.py", "test_nothing.py"]),
        ('<img src="x.svg"> [b](#c), <a id="c"></a><a href="#d">d</a>', ["x.svg", "#d"]),
        ("```\n[a](x.md) `tests/nothing.py`\n```", []),
    ],
)
def test_it_is_found(text: str, found: list[str], pages: dict[str, str]) -> None:
    operations = {"docs/operations.md": Page(pages["docs/operations.md"])}
    assert dead("docs/page.md", text, operations) == found
