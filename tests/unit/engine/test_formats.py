# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an entry's formats do not let through is held: by a real sync, whole commits, and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run import sync as _sync

from hub.process import HubProcess

from .conftest import Run

CODE = "stand-in/code"
PICKLE = "cos\nsystem\n(S'true'\ntR."


@pytest.fixture
def commit(hub: HubProcess) -> str:
    """Have a repository with text and code, and return its commit."""
    changes = {"README.md": "# Code\n", "config.json": "{}", "modeling.py": "x = 1\n"}
    answer: dict[str, Any] = hub.control("edit", {"repo_id": CODE, "create": True, "changes": changes})
    return str(answer["commit"])


@pytest.fixture
def published(listed: Any, store: Any) -> Callable[[str], bool]:
    """Say whether a commit of the repository is sealed."""
    return lambda commit: (store / "hub" / f"models--{CODE.replace('/', '--')}" / "snapshots" / commit).is_dir()


def test_safe_holds_the_whole_commit_and_says_what_to_do(
    sync: Run, commit: str, published: Callable[[str], bool]
) -> None:
    entry = {"repo_id": CODE, "formats": "safe"}
    answer = sync(entry)
    told = answer["failures"][f"{CODE}@main"]
    assert f"modeling.py of {CODE}@{commit[:12]} is code, or a document" in told
    assert "formats: safe: the whole commit is held" in told and "formats_allow" in told
    assert not published(commit)
    assert "modeling.py" in sync(entry)["msg"], "it stays held, and told"
    assert not sync({**entry, "formats_allow": ["*.py"]})["failures"]
    assert published(commit)


def test_safe_publishes_what_is_safe(sync: Run, commit: str, published: Callable[[str], bool]) -> None:
    assert not sync({"repo_id": CODE, "formats": "safe", "ignore_patterns": ["*.py"]})["failures"]
    assert published(commit)


def test_no_pickle_is_about_pickles_alone(
    sync: Run, hub: HubProcess, commit: str, published: Callable[[str], bool]
) -> None:
    entry = {"repo_id": CODE, "formats": "no-pickle"}
    assert not sync(entry)["failures"]
    worse = hub.control("edit", {"repo_id": CODE, "changes": {"notes.txt": PICKLE, "vocab.txt": PICKLE}})["commit"]
    told = sync(entry, {"repo_id": "tiny-canonical"})["failures"]
    assert told.keys() == {f"{CODE}@main"}
    words = f"notes.txt of {CODE}@{worse[:12]} is a pickle (it calls or imports os.system)"
    assert words in told[f"{CODE}@main"] and "so are vocab.txt" in told[f"{CODE}@main"]
    assert published(commit) and not published(worse)
    assert not sync({**entry, "formats_allow": ["notes.txt", "vocab*"]})["failures"]


def test_each_entry_is_judged_by_its_own_formats(sync: Run, commit: str, published: Callable[[str], bool]) -> None:
    text = {"repo_id": CODE, "formats": "safe", "files": ["README.md"]}
    code = {"repo_id": CODE, "revision": commit, "files": ["modeling.py"]}
    assert not sync(text, code)["failures"], "the entry that is safe does not have the code"
    assert published(commit)


def test_what_another_entry_brought_is_judged_before_it_is_published(
    sync: Run, commit: str, published: Callable[[str], bool]
) -> None:
    assert not sync({"repo_id": CODE, "revision": commit})["failures"]
    assert published(commit)
    assert "modeling.py" in sync({"repo_id": CODE, "formats": "safe"})["failures"][f"{CODE}@main"]


def test_a_judge_that_breaks_ends_no_run(sync: Run, commit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sync, "judge", lambda *_arguments: {"README.md": "could not be read to its end (a fault)"})
    answer = sync({"repo_id": CODE, "formats": "no-pickle"}, {"repo_id": "tiny-canonical"})
    assert answer["failures"].keys() == {f"{CODE}@main"} and "Traceback" not in str(answer)
