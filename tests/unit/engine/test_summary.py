# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a repository: it spares reading all listings, and is never believed where it is old or torn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.describe import describe
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.fsck import fsck
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.repository import Repository
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.repository_reader import RepositoryReader
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.summary import (
    keep_summary,
    kept_summary,
    make_summary,
    summary_file,
)
from ansible_collections.modelops.hf_mirror.plugins.modules import mirror_ref

from hub.process import HubProcess

Run = Callable[..., dict[str, Any]]

TINY = "stand-in/tiny-model"


@pytest.fixture
def repository(sync: Run, hub: HubProcess, store: Path) -> Repository:
    """A repository with two versions of main."""
    for main in (0, 1):
        hub.control("move", {"repo_id": TINY, "commit": main})
        sync({"repo_id": TINY, "keep": 2})
    return Store(store).repository(Repo("model", TINY))


def test_it_spares_reading_the_listings(
    repository: Repository, store: Path, sync: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = summary_file(repository).stat().st_ino
    sync({"repo_id": TINY, "keep": 2})
    assert summary_file(repository).stat().st_ino == before, "nothing changed"
    whole = describe(Store(store))
    monkeypatch.delattr(RepositoryReader, "files")
    assert describe(Store(store))["entries"] == whole["entries"] and len(whole["repos"][0]["commits"]) == 2


def by_a_person(call: Run, **change: Any) -> None:
    assert not call(mirror_ref, repo_id=TINY, **change).get("failed")


CHANGES: dict[str, Callable[[Repository, Run], None]] = {
    "frozen": lambda _repository, call: by_a_person(call, state="frozen"),
    "pinned": lambda repository, call: by_a_person(call, state="pinned", commit=repository.sealed()[0]),
    "rolled back": lambda repository, call: by_a_person(
        call, state="rolled_back", commit=next(one for one in repository.sealed() if one != repository.refs()["main"])
    ),
    "pending": lambda repository, _call: repository.set_pending(
        "main", next(one for one in repository.sealed() if one != repository.refs()["main"])
    ),
    "withdrawn": lambda repository, _call: repository.withdraw("main", "somebody"),
    "gated": lambda repository, _call: (repository.folder / ".mirror/gated").touch(),
    "a commit that is gone": lambda repository, _call: (repository.folder / ".mirror/rev/main").unlink(),
    "a listing that is another": lambda repository, _call: [
        file.write_bytes(file.read_bytes().replace(b'"private"', b'"Private"'))
        for file in repository.folder.glob(".mirror/rev/*/info.blobs.json")
    ],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changed_is_told_at_once(
    repository: Repository, call: Run, change: Callable[[Repository, Run], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = kept_summary(repository)
    assert old
    # nobody brings it up to date
    monkeypatch.setattr(Repository, "keep_derived", lambda *_: None)
    change(repository, call)
    assert kept_summary(repository) is None
    monkeypatch.undo()
    assert keep_summary(repository) == kept_summary(repository) == make_summary(repository)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[: len(content) // 2],
        lambda content: bytes(len(content)),
        lambda content: b"",
        lambda content: b"\xff" + content,
        lambda content: content.replace(b'"pinned":false', b'"pinned":true'),
        lambda content: b"0" + content[1:],
    ],
    ids=["torn", "zeros", "empty", "no text", "another", "another format"],
)
def test_what_is_damaged_is_not_believed(
    repository: Repository, store: Path, sync: Run, spoil: Callable[[bytes], bytes]
) -> None:
    file, whole = summary_file(repository), describe(Store(store))
    file.write_bytes(spoil(file.read_bytes()))
    assert kept_summary(repository) is None
    assert describe(Store(store))["repos"] == whole["repos"]
    sync({"repo_id": TINY, "keep": 2})
    assert kept_summary(repository) == make_summary(repository), "the next sync keeps it again"


def test_fsck_compares_it(repository: Repository, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it says it was made of, and another content."""
    with monkeypatch.context() as patched:
        patched.setattr(RepositoryReader, "is_gated", True)
        summary_file(repository).unlink()
        keep_summary(repository)
    (found,) = [one for one in fsck(Store(store)) if one.damage]
    assert found.what == "does not say what the repository is"
    assert found.mend == (f"rm -f {summary_file(repository)}",)
