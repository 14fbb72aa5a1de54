# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mirror_verify, as Ansible runs it: what is rotten is found, made unreadable, and repaired from the stand-in Hub."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.modelops.hf_mirror.plugins.modules import mirror_verify
from unit.rot import cut, flip, names

from hub.process import HubProcess
from storecheck import check_store, tree

Run = Callable[..., dict[str, Any]]
Listed = Callable[[str], dict[str, Any]]

TINY, WEIGHTS = "stand-in/tiny-model", "model.safetensors"
#: A Git file that two repositories and a view have.
LICENSE = "the same terms in both\n"
ONE, TWO = "team/one", "team/two"


@pytest.fixture
def verify(store: Path, hub: HubProcess, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(mode: str = "content", check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {"store": str(store), "endpoint": hub.url, "mode": mode, **options}
        capfd.readouterr()
        with patch_module_args({**arguments, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            mirror_verify.main()
        answer: dict[str, Any] = json.loads(capfd.readouterr().out)
        return answer

    return run


@pytest.fixture
def blob(sync: Run, store: Path, listed: Listed) -> Path:
    """A published LFS file, by its name in the pool; a view has it, too."""
    assert not sync({"repo_id": TINY, "views": ["flat"]})["failures"]
    return store / "pool" / str(listed(TINY)["files"][WEIGHTS]["sha256"])


@pytest.fixture
def shared(sync: Run, store: Path, hub: HubProcess, listed: Listed) -> Path:
    for repo in (ONE, TWO):
        hub.control("edit", {"repo_id": repo, "create": True, "changes": {"LICENSE": LICENSE, "own.txt": repo}})
    assert not sync({"repo_id": ONE, "views": ["flat"], "files": ["LICENSE"]}, {"repo_id": TWO})["failures"]
    return store / "pool" / str(listed(ONE)["files"]["LICENSE"]["etag"])


def readable(root: Path, file: Path) -> bool:
    return any((root / name).stat().st_mode & 0o777 for name in names(root, file))


def records(store: Path) -> list[dict[str, Any]]:
    lines = [line for file in sorted(store.glob("ledger/2*.jsonl")) for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def test_a_sound_store(blob: Path, verify: Run, store: Path) -> None:
    before = tree(store / "hub") | tree(store / "pool") | tree(store / "views")
    answer = verify()
    assert not answer["changed"] and answer["findings"] == [] and answer["complete"]
    contents = [file.stat().st_size for file in blob.parent.iterdir()]
    assert (answer["contents"], answer["bytes"]) == (len(contents), sum(contents))
    assert answer["last"] == {**answer["last"], "contents": len(contents), "bytes": sum(contents), "rotten": 0}
    assert verify("structure")["findings"] == []
    assert tree(store / "hub") | tree(store / "pool") | tree(store / "views") == before


@pytest.mark.parametrize("spoil", [flip, cut])
@pytest.mark.parametrize("file", ["blob", "shared"])
def test_rot_is_repaired_under_all_names(
    request: pytest.FixtureRequest, verify: Run, store: Path, file: str, spoil: Callable[[Path], None]
) -> None:
    rotten: Path = request.getfixturevalue(file)
    before, status, size = names(store, rotten), rotten.stat(), rotten.stat().st_size
    assert len(before) == (3 if file == "blob" else 4)
    spoil(rotten)
    answer = verify()
    assert answer["changed"] and not answer.get("failed")
    (found,) = answer["findings"]
    assert found["etag"] == rotten.name and found["state"] == "repaired" and found["problem"] == ""
    assert set(found["names"]) == before and found["bytes"] == size - (spoil is cut)
    assert names(store, rotten) == before and rotten.stat().st_nlink == len(before)
    assert rotten.stat().st_ino != status.st_ino and rotten.stat().st_mtime == status.st_mtime
    check_store(store)
    assert os.listdir(store / "staging") == []
    kinds = [record["kind"] for record in records(store)][-4:]
    assert kinds == ["suspect", "rot", "repair", "scrub"], "it was announced, done, and mended"
    assert verify("structure")["findings"] == []
    assert not verify()["changed"]


def test_it_is_unreadable_until_it_is_repaired(blob: Path, verify: Run, store: Path) -> None:
    flip(blob)
    before = names(store, blob)
    for changes in (True, False):
        answer = verify(repair=False)
        assert answer["failed"] and answer["changed"] == changes
        assert f"1 damaged: {blob.name} " in answer["msg"]
        (found,) = answer["findings"]
        assert found["state"] == "left" and set(found["names"]) == before
        assert not readable(store, blob) and names(store, blob) == before
    structure = verify("structure")
    assert structure["failed"] and not structure["changed"]
    (found,) = structure["findings"]
    assert found["path"] == f"pool/{blob.name}" and found["mend"] == ["hf-mirror scrub --for 0"]
    known = verify(duration=0)
    assert known["bytes"] == 0 and not known["complete"], "nothing is read"
    assert known["changed"] and known["findings"][0]["state"] == "repaired"
    check_store(store)


def test_check_mode_reads_and_changes_nothing(blob: Path, verify: Run, store: Path) -> None:
    flip(blob)
    before = tree(store)
    answer = verify(check=True)
    assert answer["failed"] and answer["changed"] and answer["findings"][0]["state"] == "left"
    assert answer["complete"]
    assert tree(store) == before


def test_a_sync_does_not_trust_what_is_rotten(sync: Run, blob: Path, verify: Run, store: Path) -> None:
    entry = {"repo_id": TINY, "views": ["flat"]}
    flip(blob)
    before = names(store, blob)
    assert not sync(entry, check=True)["changed"], "nobody knows yet"
    verify(repair=False)
    foreseen = sync(entry, check=True)
    assert foreseen["changed"] and foreseen["fetched_files"] == 1
    done = sync(entry)
    assert not done["failures"] and {**done, "invocation": 0} == {**foreseen, "invocation": 0}
    assert names(store, blob) == before
    check_store(store)
    assert not sync(entry)["changed"] and not verify()["changed"]


def test_what_the_hub_no_longer_has_stays_unreadable(blob: Path, verify: Run, store: Path, hub: HubProcess) -> None:
    flip(blob)
    hub.control("delete_repo", {"repo_id": TINY})
    for _time in range(2):
        answer = verify()
        assert answer["failed"] and answer["findings"][0]["state"] == "left"
        assert f"{WEIGHTS} of {TINY}" in answer["msg"] and "404" in answer["msg"]
        assert not readable(store, blob)


def test_it_comes_from_any_repository_that_has_it(shared: Path, verify: Run, store: Path, hub: HubProcess) -> None:
    flip(shared)
    hub.control("delete_repo", {"repo_id": ONE})
    assert not verify().get("failed")
    check_store(store)
    assert [(r["repo_id"], r["path"]) for r in records(store) if r["kind"] == "repair"] == [(TWO, "LICENSE")]


def test_what_comes_wrong_again_is_not_taken(blob: Path, verify: Run, store: Path, hub: HubProcess) -> None:
    flip(blob)
    hub.control("flip", {"repo_id": TINY, "path": WEIGHTS})
    answer = verify()
    assert answer["failed"] and "is corrupt upstream" in answer["msg"] and not readable(store, blob)
    hub.control("reset", {})
    assert not verify(duration=0).get("failed")
    check_store(store)


def test_a_hub_that_is_down_is_asked_once(shared: Path, blob: Path, verify: Run, hub: HubProcess) -> None:
    flip(shared)
    flip(blob)
    answer = verify(endpoint="http://127.0.0.1:9")
    assert [found["state"] for found in answer["findings"]] == ["left", "left"]
    assert all("http://127.0.0.1:9 can't be reached" in found["problem"] for found in answer["findings"])


def test_nothing_needs_it(sync: Run, blob: Path, verify: Run, store: Path) -> None:
    orphan = store / "pool" / ("0" * 64)
    orphan.write_bytes(b"nobody's")
    orphan.chmod(0o444)
    answer = verify()
    assert answer["changed"] and answer["findings"][0]["state"] == "removed"
    assert not orphan.exists() and records(store)[-2]["kind"] == "discard"


def test_the_whitelist_tells_the_token(sync: Run, store: Path, hub: HubProcess, verify: Run, listed: Listed) -> None:
    hub.control("access", {"repo_id": TINY, "mode": "gated", "token": "hf_right"})
    entry = {"repo_id": TINY, "token": "team"}
    assert not sync(entry, tokens={"team": "hf_right"})["failures"]
    flip(store / "pool" / listed(TINY)["files"][WEIGHTS]["sha256"])
    refused = verify(tokens={"team": "hf_right"})
    assert refused["failed"] and "does the token open it?" in refused["msg"]
    assert not verify(tokens={"team": "hf_right"}, models=[entry]).get("failed")
    check_store(store)


@pytest.mark.parametrize("mode", ["structure", "content"])
def test_no_store(verify: Run, mode: str) -> None:
    answer = verify(mode)
    assert answer["failed"] and "is no store yet" in answer["msg"]
