# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror gc``: what it says it would do, and what it does."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock

from hub.process import HubProcess
from storecheck import check_store, tree

from .conftest import Cli

MANY = "stand-in/many-small-files"
TINY = "stand-in/tiny-model"
FOLDER = "hub/models--stand-in--many-small-files"
HOUR = 3600.0


def commits(hub: HubProcess, repo_id: str) -> list[str]:
    (found,) = [repo["commits"] for repo in hub.control("repos") if repo["repo_id"] == repo_id]
    return [commit["commit"] for commit in found]


def pool(cli: Cli) -> int:
    """The bytes of all contents."""
    return sum(blob.stat().st_size for blob in (cli.store / "pool").iterdir())


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Turn the clock forward by some seconds from now."""

    def turn(seconds: float) -> None:
        monkeypatch.setattr(Clock, "now", lambda _clock: time.time() + seconds)

    return turn


@pytest.fixture
def old(cli: Cli, hub: HubProcess) -> str:
    """A commit that was published, and that another followed: both stay as long as nobody says how many shall."""
    commit = commits(hub, MANY)[0]
    for main in (0, 1):
        hub.control("move", {"repo_id": MANY, "commit": main})
        assert cli("sync", "--config", cli.write("two.yml", [{"repo_id": MANY}])).code == 0
    cli.environment["SUDO_USER"] = "alice"
    return commit


def test_a_commit_is_retired_then_collected(
    cli: Cli, hub: HubProcess, old: str, later: Callable[[float], None]
) -> None:
    assert cli("gc", "--config", cli.write("two.yml", [{"repo_id": MANY}])).out == "nothing had to be done\n"
    assert cli("gc").out == "nothing had to be done\n", "nobody says how many stay"
    keep_one = ("--config", cli.write("one.yml", {"models": [{"repo_id": MANY, "keep": 1}], "grace": 2}))
    before = tree(cli.store)
    asked = hub.control("requests")["counts"]
    looked = cli("gc", "--check", *keep_one)
    assert looked.code == 0 and tree(cli.store) == before
    assert looked.out == f"{MANY} {old[:12]}: to be retired, nothing names it any more\n"
    done = cli("gc", *keep_one)
    assert done.code == 0 and f"{MANY} {old[:12]}: retired, nothing names it any more\n" in done.out
    assert (cli.store / FOLDER / "snapshots" / old / "README.md").exists(), "it stays served by its id"
    assert cli("gc", *keep_one, "--json").json["changed"] is False
    assert cli("status", "--json").json["entries"][0]["retired"] == 1

    later(1.5 * HOUR)
    assert cli("gc", *keep_one).out == "nothing had to be done\n"
    later(2.5 * HOUR)
    before, size = tree(cli.store), pool(cli)
    looked = cli("gc", "--check", *keep_one, "--json")
    assert tree(cli.store) == before
    assert looked.json["collected"] == [f"{MANY}@{old}"] and looked.json["freed_bytes"] > 0
    assert looked.json["diff"]["before"] == f"{MANY} {old} is retired\n"
    done = cli("gc", *keep_one, "--json")
    assert done.json == looked.json, "what was foreseen happened"
    assert size - pool(cli) == looked.json["freed_bytes"]
    assert not (cli.store / FOLDER / "snapshots" / old).exists()
    assert hub.control("requests")["counts"] == asked, "no Hub is asked"
    (record,) = [record for record in cli.ledger() if record["kind"] == "collected"]
    assert (record["actor"], record["commits"], record["bytes"]) == ("alice", [old], looked.json["freed_bytes"])
    assert cli("log", MANY, "-n", "1").out.endswith(
        f"{old[:12]} collected, {record['bytes'] / 1000:.1f} kB freed (alice)\n"
    )
    check_store(cli.store)
    assert cli("fsck").code == 0


def test_the_grace_of_one_call(cli: Cli, old: str) -> None:
    config = ("--config", cli.write("one.yml", [{"repo_id": MANY, "keep": 1}]))
    cli("gc", *config)
    wrong = cli("gc", *config, "--grace", "-1")
    assert wrong.code == 2 and wrong.err == "hf-mirror: --grace is -1, it must be a number of hours, 0 to 87600\n"
    assert cli("gc", *config).out == "nothing had to be done\n"
    assert f"{MANY} {old[:12]}: collected, its grace is over\n" in cli("gc", *config, "--grace", "0").out


def test_what_somebody_names_again_is_spared(cli: Cli, old: str) -> None:
    config = ("--config", cli.write("one.yml", [{"repo_id": MANY, "keep": 1}]))
    cli("gc", *config)
    assert cli("status", "--json").json["entries"][0]["retired"] == 1
    cli("pin", f"{MANY}@{old}")
    assert cli("status", "--json").json["entries"][0]["retired"] == 0
    done = cli("gc", *config, "--grace", "0")
    assert done.out == f"{MANY} {old[:12]}: kept, something names it again\n"
    assert (cli.store / FOLDER / "snapshots" / old).exists()


def test_contents_that_nothing_names_go_after_the_grace(cli: Cli, old: str, later: Callable[[float], None]) -> None:
    (cli.store / "pool" / ("f" * 64)).write_bytes(b"12345")
    (cli.store / "staging" / f"{'e' * 64}.part").write_bytes(b"123")
    assert cli("gc").out == "nothing had to be done\n"
    later(73 * HOUR)
    done = cli("gc")
    assert done.out == (
        f"pool/{'f' * 64}: 5 B removed, nothing names it\n"
        f"staging/{'e' * 64}.part: 3 B removed, nothing names it\n"
        "8 B freed\n"
    )
    assert not (cli.store / "pool" / ("f" * 64)).exists() and not list((cli.store / "staging").iterdir())


def test_nothing_is_collected_where_something_is_wrong(
    cli: Cli, hub: HubProcess, old: str, later: Callable[[float], None]
) -> None:
    """The others are."""
    models = [{"repo_id": TINY, "keep": 1}, {"repo_id": MANY, "keep": 1}]
    config = ("--config", cli.write("one.yml", models))
    for main in (0, 1):
        hub.control("move", {"repo_id": TINY, "commit": main})
        assert cli("sync", *config).code == 0
    first = commits(hub, TINY)[0]
    later(40 * HOUR)
    cli("sync", *config)
    later(80 * HOUR)
    link = cli.store / FOLDER / "snapshots" / commits(hub, MANY)[1] / "README.md"
    target = os.readlink(link)
    link.unlink()
    link.symlink_to(target[:-4] + "0000")
    blobs = tree(cli.store / FOLDER / "blobs")
    done = cli("gc", *config)
    assert done.code == 1 and f"{MANY}: " in done.err and "does not lead to" in done.err
    assert tree(cli.store / FOLDER / "blobs") == blobs
    assert f"{TINY} {first[:12]}: collected, its grace is over\n" in done.out
    assert not (cli.store / "hub/models--stand-in--tiny-model/snapshots" / first).exists()

    (cli.store / FOLDER / ".mirror/history.json").write_text("{")
    for arguments in (["--check"], []):
        unread = cli("gc", *config, "--json", *arguments)
        assert unread.code == 1 and "history.json can't be read" in unread.json["failures"][MANY]


def test_one_run_at_a_time(cli: Cli, old: str) -> None:
    with (cli.store / "locks" / "run").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        busy = cli("gc")
        assert busy.code == 3 and "is running already" in busy.err
        assert cli("gc", "--check").code == 0


def test_what_a_killed_run_left_is_finished_first(cli: Cli, old: str) -> None:
    trash: Path = cli.store / "trash" / "models--stand-in--gone"
    (trash / "blobs").mkdir(parents=True)
    assert cli("gc").code == 0 and not trash.exists()
    assert [json.dumps(record) for record in cli.ledger() if record["kind"] == "recover"] != []
