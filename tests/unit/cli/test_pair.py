# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``follow``, ``compare`` and ``purge``: what a node does with the other one of its pair."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from node import Node
from polling import until
from unit.cli.conftest import Cli, Inside, until_said

from hub.process import HubProcess
from storecheck import tree

TINY = "stand-in/tiny-model"


@pytest.fixture
def peer(cli: Cli, tmp_path: Path) -> Iterator[Node]:
    """The node that syncs; it has one repository."""
    tmp_path.chmod(0o755)
    assert cli("--config", cli.write("models.yml", [{"repo_id": TINY}]), "sync").code == 0
    node = Node(cli.store, tmp_path / "nginx")
    yield node
    node.kill()


@pytest.fixture
def other(tmp_path: Path, hub: HubProcess, inside: Inside, peer: Node) -> Iterator[Cli]:
    """The node that follows it."""
    (tmp_path / "other").mkdir()
    cli = Cli(tmp_path, ["--store", "other", "--endpoint", hub.url, "--peer", peer.url], inside)
    yield cli
    for process in cli.running:
        process.kill()
        process.communicate()


def test_follow_and_compare(other: Cli) -> None:
    assert other("follow").code == 0
    compared = other("compare")
    assert compared.code == 0 and "equal" in compared.out
    again = other("follow")
    assert again.code == 0 and not again.out


def test_compare_tells_what_differs(cli: Cli, other: Cli, peer: Node) -> None:
    other("follow")
    assert cli("freeze", f"{TINY}@main").code == 0
    compared = other("compare")
    assert compared.code == 1 and f"{TINY}@main" in compared.out and "frozen" in compared.out
    assert other("compare", "--json").json == [
        {"peer": peer.url, "name": f"{TINY}@main", "what": "is in frozen", "here": "False", "there": "True"}
    ]


@pytest.mark.parametrize("order", [1, -1], ids=["away first", "away last"])
@pytest.mark.parametrize("differs", [True, False])
def test_compare_with_one_away(cli: Cli, other: Cli, peer: Node, hub: HubProcess, order: int, differs: bool) -> None:
    other("follow")
    if differs:
        assert cli("freeze", f"{TINY}@main").code == 0
    away = "http://127.0.0.1:9"
    peers = [word for url in [away, peer.url][::order] for word in ("--peer", url)]
    compared = Cli(cli.folder, ["--store", "other", "--endpoint", hub.url, *peers], cli.inside)("compare")
    assert compared.code == 1 and away in compared.err
    assert ("frozen" if differs else f"no differences from {peer.url}") in compared.out
    assert "equal" not in compared.out


def test_follow_goes_on_until_it_is_stopped_and_past_trouble(cli: Cli, other: Cli, peer: Node, hub: HubProcess) -> None:
    process = other.start("follow", "--interval", "1")
    until_said(process, "moved")
    peer.kill()
    hub.control("move", {"repo_id": TINY, "commit": 0})
    cli("--config", "models.yml", "sync")
    peer.start()
    until_said(process, "moved")
    process.terminate()
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err.count("can't be reached") <= 1, "the same trouble is said once"
    until(lambda: other("compare").code == 0)


def test_without_a_peer(cli: Cli, peer: Node) -> None:
    for command in ("follow", "compare"):
        answer = cli(command)
        assert answer.code == 2 and "peer" in answer.err


def test_a_peer_that_is_away(cli: Cli, other: Cli, peer: Node) -> None:
    peer.kill()
    answer = other("follow")
    assert answer.code == 2 and "can't be reached" in answer.err


def test_a_purge_is_tried_first(cli: Cli, peer: Node) -> None:
    """What it says is what is taken down then."""
    for what in (("--file", "config.json"), ()):
        before = tree(cli.store)
        tried = cli("purge", TINY, *what, "--check", "--json")
        assert tried.code == 0 and tree(cli.store) == before
        assert tried.json["purged"] and cli("purge", TINY, *what, "--json").json == tried.json
    assert cli("purge", TINY, "--check").out == "nothing was changed, this is a check\n"


def test_purge_and_lift(cli: Cli, peer: Node, hub: HubProcess) -> None:
    answer = cli("purge", TINY, "--file", "config.json", "--note", "a secret in it")
    assert answer.code == 0 and "config.json" in answer.out
    assert "a secret in it" in cli("--config", "models.yml", "sync").err
    assert "lifted" in cli("purge", TINY, "--file", "config.json", "--lift").out
    assert cli("--config", "models.yml", "sync").code == 0
    assert cli("purge", TINY).code == 0
    assert not (cli.store / "hub/models--stand-in--tiny-model").exists()
    assert "lifted" in cli("purge", TINY, "--lift").out
    said = [line.partition("  ")[2] for line in cli("log", "-n", "50").out.splitlines()]
    told = [line for line in said if line.startswith(("purged", "lifted"))]
    assert len(told) == 4 and told[0].startswith("purged ") and told[0].endswith(": a secret in it")
    assert told[1].startswith("lifted the purge of ") and told[2].startswith(f"purged {TINY} (")
    assert told[3].startswith(f"lifted the purge of {TINY} (")


@pytest.mark.parametrize("name", ["no/such", "not a name", "../../etc"])
def test_purge_refuses_what_is_no_file_of_a_repository(cli: Cli, peer: Node, name: str) -> None:
    answer = cli("purge", name, "--file", "x")
    assert answer.code == 2 and not (cli.store / "purged.json").exists()


def test_whoever_follows_leaves_a_mark_when_it_has_caught_up(other: Cli, peer: Node, tmp_path: Path) -> None:
    mark = tmp_path / "run" / "caught-up"
    mark.parent.mkdir()
    other.environment["RUNTIME_DIRECTORY"] = str(mark.parent)
    peer.kill()
    process = other.start("follow", "--interval", "1")
    assert process.stderr is not None and "can't be reached" in process.stderr.readline()
    assert not mark.exists()
    peer.start()
    until(mark.exists)
    assert other("compare").code == 0


def test_whoever_follows_tells_systemd_how_it_fares(other: Cli, peer: Node, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(20)
        other.environment["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        peer.kill()
        process = other.start("follow", "--interval", "1")
        assert re.match(r"STATUS=retries every 1(\.0)? s: .* can't be reached", notify.recv(1000).decode())
        peer.start()
        assert notify.recv(1000) == b"STATUS=up to date with its peers"
        until_said(process, "up to date with its peers")


def test_trouble_with_the_disk_ends_no_follower(other: Cli, tmp_path: Path) -> None:
    """It would be started again, which is no better, and lose what it knows."""
    assert other("follow").code == 0
    catalogue = tmp_path / "other" / "catalogue.json"
    catalogue.unlink()
    catalogue.mkdir()
    process = other.start("follow", "--interval", "1")
    assert process.stderr is not None and "Is a directory" in process.stderr.readline()
    catalogue.rmdir()
    until_said(process, "up to date with its peers")


def test_what_keepalived_made_of_a_node(cli: Cli, peer: Node) -> None:
    assert cli("status", "--json").json["node"] is None
    for state in ("standby", "active"):
        assert cli("node", state).code == 0
    # what a sync saves meanwhile has it, too
    assert cli("--config", "models.yml", "sync").code == 0
    node = cli("status", "--json").json["node"]
    assert node["state"] == "active"
    assert node["takeovers"] == 1
    assert f"this node: active since {node['since'][:16]}Z, took over once" in cli("status").out
    for state in ("active", "fault", "active"):
        assert cli("node", state).code == 0
    assert "took over 2 times" in cli("status").out
    assert "this node of the pair: standby" in cli("log").out
    assert cli("node", "well").code == 2


def test_the_status_tells_of_the_other_node(cli: Cli, other: Cli, peer: Node, tmp_path: Path) -> None:
    assert other("status", "--json").code == 5, "no store"
    other("follow")
    (told,) = other("status", "--json").json["peers"]
    assert (told["endpoint"], told["differences"], told["problem"], told["since"]) == (peer.url, 0, "", None)
    assert told["answered"] == told["asked"] and told["node"] is None
    assert f"peer {peer.url}: equal; asked at " in other("status").out

    cli("node", "active")
    other("follow")
    assert re.search(f"^peer {peer.url}: active since .*Z, took over once; equal; asked at ", other("status").out, re.M)

    assert other("freeze", f"{TINY}@main").code == 0, "here alone, until the peer follows"
    other("follow")
    assert "; differs in 1 place since " in other("status").out

    (tmp_path / "store" / "node.json").write_text('{"state": "\\n", "since": "2026-01-01T00:00:00Z"}')
    assert other("follow").code == 0, "that keeps nobody from following"
    assert "what it says of itself can't be right" in other("status").out
    peer.kill()
    other("follow")
    (told,) = other("status", "--json").json["peers"]
    assert told["answered"] < told["asked"] and told["since"] <= told["asked"] and "can't be reached" in told["problem"]
    assert re.search(r"can't be reached.* \(since .*Z\); asked at", other("status").out)
