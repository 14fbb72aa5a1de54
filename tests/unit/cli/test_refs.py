# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror promote``, ``rollback``, ``pin``, ``freeze``, ``diff`` and what ``log`` and ``status`` tell of them."""

from __future__ import annotations

import fcntl
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli import session as _cli_session

from hub.process import HubProcess
from storecheck import check_store, tree

from .conftest import Cli, Inside

FACES = {"repo_id": "facefusion/models-3.3.0", "views": ["facefusion"]}
SPACE = {"repo_id": "stand-in/tiny-space", "repo_type": "space", "publish": "manual"}
NAME = FACES["repo_id"]


def commits(hub: HubProcess, repo_id: str) -> list[str]:
    (found,) = [repo["commits"] for repo in hub.control("repos") if repo["repo_id"] == repo_id]
    return [commit["commit"] for commit in found]


def published(cli: Cli, repo_id: str = str(NAME), kind: str = "models") -> str:
    return (cli.store / "hub" / f"{kind}--{repo_id.replace('/', '--')}" / "refs" / "main").read_text()


@pytest.fixture
def two(cli: Cli, hub: HubProcess) -> list[str]:
    """Two versions of one repository, the second one published; their commits, the older first."""
    old, new = commits(hub, str(NAME))
    config = cli.write("c.yml", [FACES])
    cli.options += ["--config", config]
    for commit in (old, new):
        hub.control("move", {"repo_id": NAME, "commit": commit})
        assert cli("sync").code == 0
    cli.environment["SUDO_USER"] = "alice"
    return [old, new]


def shown(cli: Cli, commit: str) -> bool:
    """Say whether the view shows a commit."""
    snapshot = cli.store / "hub/models--facefusion--models-3.3.0/snapshots" / commit
    return (cli.store / "views/facefusion/hyperswap_1a_256.onnx").samefile(snapshot / "hyperswap_1a_256.onnx")


def test_a_bad_model_is_taken_back_and_stays_away(cli: Cli, hub: HubProcess, two: list[str]) -> None:
    old, new = two
    assert published(cli) == new and shown(cli, new)
    before = tree(cli.store)
    looked = cli("rollback", str(NAME), "--check")
    assert looked.code == 0 and f"{NAME} main: {new[:12]} -> {old[:12]} (roll-back 3, alice); nothing was" in looked.out
    assert tree(cli.store) == before

    asked = hub.control("requests")["counts"]
    done = cli("rollback", f"{NAME}@main", "--note", "faces turn green")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{NAME} main: {new[:12]} -> {old[:12]} (roll-back 3, alice): faces turn green\n"
    assert hub.control("requests")["counts"] == asked, "no Hub is asked"
    assert published(cli) == old and shown(cli, old)
    record = cli.ledger()[-1]
    assert (record["actor"], record["note"], record["rollback"]) == ("alice", "faces turn green", True)
    assert cli.ledger()[-2] == {**record, "kind": "intent", "time": cli.ledger()[-2]["time"]}
    check_store(cli.store)

    assert cli("sync").out.endswith("nothing had to be done\n"), "the upstream still has the bad one"
    assert published(cli) == old
    again = cli("rollback", str(NAME))
    assert again.code == 2 and again.err == f"hf-mirror: {NAME}@main has no earlier commit that is still here\n"
    assert cli("rollback", str(NAME), old).out == "nothing had to be done\n"

    forward = cli("promote", str(NAME), new[:7], "--json")
    assert forward.code == 0 and forward.json["changed"] and forward.json["serial"] == 4
    assert (forward.json["old"], forward.json["commit"], forward.json["ref"]) == (old, new, "main")
    assert published(cli) == new and shown(cli, new)
    assert cli("sync").out.endswith("nothing had to be done\n")


def test_the_next_upstream_commit_is_published_after_a_rollback(cli: Cli, hub: HubProcess, two: list[str]) -> None:
    cli("rollback", str(NAME))
    hub.control("edit", {"repo_id": NAME, "changes": {"README.md": "mended"}})
    mended = commits(hub, str(NAME))[-1]
    assert mended not in two
    assert cli("sync").code == 0 and published(cli) == mended


def test_approval_by_hand(cli: Cli, hub: HubProcess) -> None:
    cli.options += ["--config", cli.write("c.yml", [SPACE])]
    cli("sync")
    (commit,) = commits(hub, SPACE["repo_id"])
    wrong = cli("promote", "stand-in/tiny-space")
    assert wrong.code == 2 and wrong.err == "hf-mirror: stand-in/tiny-space is not mirrored here\n"
    done = cli("promote", "stand-in/tiny-space", "--repo-type", "space")
    assert re.search(rf"^space stand-in/tiny-space main: nothing -> {commit[:12]} \(publish 1, \S+\)$", done.out)
    assert published(cli, "stand-in/tiny-space", "spaces") == commit
    again = cli("promote", "stand-in/tiny-space", "--repo-type", "space")
    assert again.code == 2 and "has no pending commit to promote" in again.err
    waited, moved = cli("log", "stand-in/tiny-space", "--repo-type", "space").out.splitlines()
    assert waited.endswith("waits for approval") and f"nothing -> {commit[:12]} (publish 1" in moved
    assert cli("log", "stand-in/tiny-space").out == "", "no model has that name"


def test_pins_and_frozen_refs(cli: Cli, hub: HubProcess, two: list[str]) -> None:
    old, new = two
    assert (
        cli("pin", f"{NAME}@{old[:8]}", "--note", "release 7").out == f"{NAME} {old[:12]}: pinned (alice): release 7\n"
    )
    assert cli("pin", f"{NAME}@{old}").out == "nothing had to be done\n"
    by_ref = cli("pin", str(NAME), "--check", "--json")
    assert by_ref.json["commit"] == new and by_ref.json["diff"]["after"] == f"{NAME} {new} is pinned\n"
    assert cli("freeze", str(NAME)).out == f"{NAME} main: frozen (alice)\n"
    assert cli("freeze", str(NAME), "--check").out == "nothing is to be done\n"
    status = cli("status")
    assert re.search(rf"^{NAME}@main +{new[:12]} +2 +frozen, 1 pinned +10 ", status.out, re.MULTILINE)
    (entry,) = cli("status", "--json").json["entries"]
    assert (entry["versions"], entry["pinned"], entry["retired"], entry["frozen"]) == (2, 1, 0, True)

    hub.control("edit", {"repo_id": NAME, "changes": {"README.md": "newer"}})
    assert cli("sync").out.endswith("nothing had to be done\n") and published(cli) == new
    assert cli("unfreeze", str(NAME)).out == f"{NAME} main: follows the upstream again (alice)\n"
    assert cli("unpin", f"{NAME}@{old}").out == f"{NAME} {old[:12]}: not pinned any more (alice)\n"
    assert cli("unpin", f"{NAME}@{old}", "--json").json["changed"] is False
    cli("sync")
    assert published(cli) == commits(hub, str(NAME))[-1]
    assert re.search(rf"^{NAME}@main +[0-9a-f]+ +3 +1 retired +10 ", cli("status").out, re.MULTILINE), "keep is 2"


def test_it_waits_for_no_run_and_needs_neither_libraries_nor_secrets(
    cli: Cli, two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"models": [FACES], "tokens_file": "gone.yml", "lock_file": "gone.json"}
    monkeypatch.setattr(_cli_session, "HUGGINGFACE_HUB_ERROR", "ImportError")
    with (cli.store / "locks" / "run").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = cli("rollback", str(NAME), "--config", cli.write("c.yml", config))
    assert done.code == 0 and published(cli) == two[0]


def test_what_is_damaged_is_not_published(cli: Cli, two: list[str]) -> None:
    old, new = two
    (cli.store / "hub/models--facefusion--models-3.3.0/snapshots" / old / "README.md").unlink()
    for arguments in (["--check"], []):
        got = cli("rollback", str(NAME), *arguments)
        assert got.code == 5 and f"{NAME}@{old[:12]} lacks README.md" in got.err
    assert published(cli) == new and cli.ledger()[-1]["kind"] == "run"


def test_what_could_not_follow_is_told(cli: Cli, two: list[str]) -> None:
    (cli.store / "views.json").write_text("{")
    got = cli("rollback", str(NAME))
    assert got.code == 1 and published(cli) == two[0]
    assert f"hf-mirror: {NAME}: it is done, but {cli.store}/views.json can't be read" in got.err


def test_diff(cli: Cli, two: list[str]) -> None:
    old, new = two
    found = cli("diff", str(NAME), old[:7], "main")
    assert found.code == 0
    assert re.fullmatch(
        r"FILE +OLD SIZE  OLD HASH +NEW SIZE  NEW HASH\n"
        r"hyperswap_1a_256\.hash +8 B  [0-9a-f]{12} +8 B  [0-9a-f]{12}\n"
        r"hyperswap_1a_256\.onnx +72\.2 kB  [0-9a-f]{12} +72\.2 kB  [0-9a-f]{12}\n"
        r"2 files differ\n",
        found.out,
    )
    as_json = cli("diff", str(NAME), old, new, "--json").json
    snapshots = cli.store / "hub/models--facefusion--models-3.3.0/snapshots"
    for one in as_json:
        for side, commit in (("old", old), ("new", new)):
            link = snapshots / commit / one["path"]
            assert one[side] == {"etag": os.path.basename(os.readlink(link)), "size": link.stat().st_size}
    assert cli("diff", str(NAME), "main", new).out == "no file differs\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["rollback"], 2, "the following arguments are required: REPO@REF"),
        (["rollback", "no/such"], 2, "hf-mirror: no/such is not mirrored here\n"),
        (["rollback", "../etc"], 2, "hf-mirror: rollback (../etc): repo_id '../etc' is not of the form"),
        (["rollback", f"{NAME}@v9"], 2, f"hf-mirror: {NAME}@v9 is not published\n"),
        (["rollback", str(NAME), "1234567"], 2, f"hf-mirror: {NAME} has no commit 1234567 here\n"),
        (["promote", str(NAME), "12345"], 2, "hf-mirror: '12345' is no commit: give at least 7 hexadecimal digits"),
        (["promote", f"{NAME}@../../x", "1234567"], 2, "revision '../../x' is no branch or tag"),
        (["promote", f"{NAME}@{'a' * 40}", "1234567"], 2, " is a commit: promote needs a branch or a tag\n"),
        (["freeze", f"{NAME}@{'a' * 40}"], 2, " is a commit: freeze needs a branch or a tag\n"),
        (["freeze", f"{NAME}@v9"], 2, f"hf-mirror: {NAME}@v9 is not published\n"),
        (["pin", f"{NAME}@v9"], 2, "hf-mirror: 'v9' is no commit"),
        (["pin", str(NAME), "--repo-type", "modle"], 2, "invalid choice: 'modle'"),
        (["diff", str(NAME), "main", "1234567"], 2, f"hf-mirror: {NAME} has no commit 1234567 here\n"),
        (["diff", f"{NAME}@main", "main", "main"], 2, "is not of the form ORGANISATION/NAME"),
        (["log", f"{NAME}@main"], 2, "is not of the form ORGANISATION/NAME"),
        (
            ["rollback", str(NAME), "--store", "elsewhere"],
            5,
            "elsewhere is no store yet. Create it with: hf-mirror sync",
        ),
    ],
)
def test_refused(cli: Cli, two: list[str], arguments: list[str], code: int, words: str) -> None:
    before = tree(cli.store)
    got = cli(*arguments)
    assert (got.code, got.out) == (code, "") and words in got.err
    now = tree(cli.store)
    assert {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)} <= {
        "locks/repo/models--facefusion--models-3.3.0"
    }


def test_no_store_is_made(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text(json.dumps([FACES]))
    for command in ("gc", "promote"):
        arguments: list[Any] = [command, *([NAME] if command == "promote" else [])]
        got = inside("--store", "store", "--config", "c.yml", *arguments)
        assert got.code == 5 and "store is no store yet" in got.err
    assert not (tmp_path / "store").exists()
