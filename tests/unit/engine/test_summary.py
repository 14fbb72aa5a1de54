# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a repository: it spares reading all listings, and is never believed where it is old or torn."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.names import Ref
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.describe import describe
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.fsck import fsck
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.refs import freeze
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.ref_change import make_change
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
    found = {one.path.rpartition("/")[2]: one for one in fsck(Store(store)) if one.damage}
    assert found.keys() == {"summary", "repository", "listed.txt"}
    assert {one.what for one in found.values()} == {"does not say what the repository is"}
    assert found["summary"].mend == (f"rm -f {summary_file(repository)}",)


def documents(repository: Repository) -> Path:
    return repository.folder / ".mirror/v1"


def test_no_hash_is_told_of_what_is_rotten(repository: Repository, store: Path, sync: Run) -> None:
    commit = repository.refs()["main"]
    link = repository.folder / "snapshots" / commit / "config.json"
    sound, status = link.read_bytes(), link.stat()
    shutil.rmtree(documents(repository))
    summary_file(repository).unlink()
    link.resolve().chmod(0o644)
    link.write_bytes(b"!" + sound[1:])
    keep_summary(repository)
    assert (documents(repository) / "repository").is_file(), "all else is told"
    assert not os.path.lexists(documents(repository) / commit) and kept_summary(repository) is None
    link.write_bytes(sound)
    link.resolve().chmod(status.st_mode)
    keep_summary(repository)
    told = json.loads((documents(repository) / commit).read_bytes())
    assert {one["path"]: one["sha256"] for one in told["files"]}["config.json"] == hashlib.sha256(sound).hexdigest()


def _relink(folder: Path) -> None:
    first, second = sorted(one for one in folder.iterdir() if len(one.name) == 40)
    target = os.readlink(second)
    first.unlink()
    first.symlink_to(target)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a folder that is a file": lambda folder: (shutil.rmtree(folder), folder.touch()),
    "a folder that is a link": lambda folder: (shutil.rmtree(folder), folder.symlink_to("nowhere")),
    "no documents": lambda folder: [one.unlink() for one in folder.iterdir() if not one.is_symlink()],
    "no link": lambda folder: [one.unlink() for one in folder.iterdir() if len(one.name) == 40],
    "no list": lambda folder: (folder / "listed.txt").unlink(),
    "files instead of links": lambda folder: [
        (one.unlink(), one.write_text("{}")) for one in folder.iterdir() if one.is_symlink()
    ],
    "folders instead of links": lambda folder: [
        (one.unlink(), one.mkdir()) for one in folder.iterdir() if one.is_symlink()
    ],
    "a link to another commit's": _relink,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_documents_that_are_damaged_are_told_and_made_anew(
    repository: Repository, store: Path, sync: Run, damage: Callable[[Path], object]
) -> None:
    before = {one.name: one.read_bytes() for one in documents(repository).iterdir()}
    damage(documents(repository))
    told = [one for one in fsck(Store(store)) if one.damage]
    assert told
    for one in told:
        for command in one.mend:
            subprocess.run(command, shell=True, check=True)  # noqa: S602 - what an operator is told to type
    sync({"repo_id": TINY, "keep": 2})
    assert {one.name: one.read_bytes() for one in documents(repository).iterdir()} == before
    assert not [one for one in fsck(Store(store)) if one.damage]


def test_a_document_goes_by_what_is_listed_and_not_by_times(call: Run, sync: Run, store: Path) -> None:
    sync({"repo_id": TINY, "files": ["config.json"]})
    repository = Store(store).repository(Repo("model", TINY))
    for link in documents(repository).iterdir():
        os.utime(link, (4e9, 4e9), follow_symlinks=False)
    sync({"repo_id": TINY})
    told = json.loads((documents(repository) / repository.refs()["main"]).read_bytes())
    assert len(told["files"]) == 5


def test_a_note_that_is_no_utf_8_is_kept_as_well_as_can_be(repository: Repository, store: Path) -> None:
    repo = Repo("model", TINY)
    make_change(Store(store), repo, lambda facts: freeze(repo, facts, Ref("main")), "a\udcff", "f\udcfcr")
    mark = repository.marks()["frozen"]["main"]
    assert (mark["actor"], mark["note"]) == ("a?", "f?r")
    assert "f?r" in next((store / "ledger").glob("*.jsonl")).read_text(encoding="utf-8")
