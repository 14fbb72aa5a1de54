# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror status``, ``log``, ``lock`` and ``alert``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from hub.process import HubProcess
from receivers.process import ReceiversProcess

from .conftest import Cli, Inside

TINY = {"repo_id": "stand-in/tiny-model"}
SPACE = {"repo_id": "stand-in/tiny-space", "repo_type": "space", "publish": "manual"}
GONE = {"repo_id": "stand-in/gone"}


def commits(hub: HubProcess, repo_id: str) -> list[str]:
    (found,) = [repo["commits"] for repo in hub.control("repos") if repo["repo_id"] == repo_id]
    return [commit["commit"] for commit in found]


def test_status(cli: Cli, hub: HubProcess) -> None:
    fixed = commits(hub, TINY["repo_id"])[0]
    models = [TINY, SPACE, GONE, {**TINY, "revision": fixed}, {"repo_id": "tiny-canonical"}]
    config = cli.write("c.yml", models[:4])
    cli("sync", "--config", config)
    assert cli("sync", "--config", config).code == 1
    got = cli("status", "--config", cli.write("more.yml", [*models[1:3], models[4]]), "--json")
    assert got.code == 0 and got.json["running"] is None
    assert got.json["disk"]["used_bytes"] == sum(blob.stat().st_size for blob in (cli.store / "pool").iterdir())
    entries = {entry.pop("name"): entry for entry in got.json["entries"]}
    # the whitelist's, and the refs that the store has besides
    assert set(entries) == {
        "space stand-in/tiny-space@main",
        "stand-in/gone@main",
        "stand-in/tiny-model@main",
        "tiny-canonical@main",
    }
    assert entries["space stand-in/tiny-space@main"]["pending"] == commits(hub, SPACE["repo_id"])[0]
    assert entries["space stand-in/tiny-space@main"]["commit"] is None
    tiny, gone, new = (entries[f"{name}@main"] for name in ("stand-in/tiny-model", "stand-in/gone", "tiny-canonical"))
    assert tiny["commit"] == commits(hub, TINY["repo_id"])[1] and (tiny["files"], tiny["bytes"]) == (5, 40444)
    assert gone["failures"] == 2 and "has no model stand-in/gone" in gone["message"]
    assert new["last_success"] is None and new["failures"] == 0

    shown = cli("status").out
    assert re.search(rf"^stand-in/gone@main +- +0 +0 B +- +2 in a row: {hub.url} has no model", shown, re.MULTILINE)
    assert re.search(rf"^stand-in/tiny-model@{fixed} +{fixed[:12]} +5 +40\.4 kB +\d{{4}}-", shown, re.MULTILINE)
    assert re.search(rf"^{cli.store} holds .*, .* of .* are free$", shown, re.MULTILINE)


def test_status_of_a_repository_that_is_damaged(cli: Cli) -> None:
    cli("sync", "--config", cli.write("c.yml", [TINY, {"repo_id": "tiny-canonical"}]))
    (cli.store / "hub/models--tiny-canonical/.mirror/rev/main/info.blobs.json").write_text("{")
    got = cli("status", "--json")
    assert got.code == 0
    messages = {entry["name"]: entry["message"] for entry in got.json["entries"]}
    assert "info.blobs.json can't be read" in messages["tiny-canonical"] and messages["stand-in/tiny-model@main"] == ""


def test_log(cli: Cli) -> None:
    cli("sync", "--config", cli.write("c.yml", [TINY]))
    cli("sync", "--config", cli.write("c.yml", [TINY, GONE]))
    (ledger,) = cli.store.glob("ledger/*.jsonl")
    with ledger.open("a") as file:
        file.write('{"time": "2026-01-01T00:00:00Z", "kind": "sta')  # a power cut
    lines = cli("log").out.splitlines()
    assert [line.partition("  ")[2].split(" ")[0] for line in lines] == [
        "run",
        "stand-in/tiny-model",
        "run",
        "run",
        "run",
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  run 1 begins \(\w+\)", lines[0])
    assert "1 of 2 entries failed: stand-in/gone@main" in lines[-1]
    assert cli("log", "-n", "2").out.splitlines() == lines[-2:]
    assert cli("log", "-n", "0").out == ""
    records = [json.loads(line) for line in cli("log", "--json", "-n", "3").out.splitlines()]
    assert [record["kind"] for record in records] == ["run", "start", "run"]
    # the next writer ends the torn line
    assert cli("sync", "--config", cli.write("c.yml", [TINY])).code == 0
    assert cli("log", "-n", "1").out.startswith(lines[-1][:4])


def test_a_lock_is_written_obeyed_and_missed(cli: Cli, hub: HubProcess) -> None:
    models = cli.write("models.yml", [TINY, {"repo_id": "tiny-canonical"}])
    missing = cli("lock", "--config", models)
    assert missing.code == 5, "no store"
    cli("sync", "--config", cli.write("less.yml", [TINY]))
    missing = cli("lock", "--config", models, "--output", "lock.json")
    assert (
        missing.code == 2
        and "tiny-canonical@main is not published, nothing was written. First run: hf-mirror sync" in missing.err
    )
    assert not (cli.folder / "lock.json").exists()

    cli("sync", "--config", models)
    assert cli("lock", "--config", models, "--output", "lock.json").out == ""
    lock = json.loads((cli.folder / "lock.json").read_text())
    assert cli("lock", "--config", models).json == lock
    old, new = commits(hub, TINY["repo_id"])[1:3]
    assert lock["version"] == 1 and lock["entries"]["stand-in/tiny-model@main"]["commit"] == old
    described = next(repo for repo in hub.control("repos") if repo["repo_id"] == TINY["repo_id"])["commits"][1]["files"]
    assert lock["entries"]["stand-in/tiny-model@main"]["files"] == {
        path: {"size": file["size"], "sha256": file["sha256"]} for path, file in described.items()
    }
    assert [file.name for file in cli.folder.iterdir() if file.name.startswith(".")] == []

    hub.control("move", {"repo_id": TINY["repo_id"], "commit": new})
    locked = cli.write("locked.yml", {"whitelist": "models.yml", "lock_file": "lock.json"})
    assert cli("sync", "--config", locked).out.endswith("nothing had to be done\n")
    assert f"main {new}" in cli("plan", "--config", models).out

    lock["entries"]["stand-in/tiny-model@main"]["files"]["config.json"]["size"] += 1
    del lock["entries"]["tiny-canonical@main"]
    cli.write("lock.json", lock)
    violated = cli("sync", "--config", locked, "--json")
    assert violated.code == 1
    assert (
        "config.json of stand-in/tiny-model@main: the lock file says"
        in violated.json["failures"]["stand-in/tiny-model@main"]
    )
    assert violated.json["failures"]["tiny-canonical@main"] == (
        "tiny-canonical@main is not in the lock file. Regenerate it with: hf-mirror lock --output FILE"
    )


def test_the_lock_file_s_folder_must_be_there(cli: Cli) -> None:
    config = cli.write("c.yml", [TINY])
    cli("sync", "--config", config)
    got = cli("lock", "--config", config, "--output", "no/lock.json")
    assert got.code == 5 and "No such file or directory" in got.err


DEAD = "json://127.0.0.1:1/"  # nobody listens on port 1


def told(receivers: ReceiversProcess) -> list[Any]:
    found: list[Any] = receivers.control("messages")
    return found


def test_alerts(cli: Cli, receivers: ReceiversProcess, hub: HubProcess) -> None:
    hook = receivers.url.replace("https://", "jsons://") + "/hook"
    cli.write("urls", f"{hook}\n", mode=0o600)
    alerts = {"threshold": 2, "urls_file": "urls"}
    config = cli.write("c.yml", {"models": [TINY, GONE], "alerts": alerts})
    tested = cli("alert", "--test", "--config", config)
    assert tested.code == 5, "no store"
    cli("sync", "--config", config)
    assert cli("alert", "--config", config).out == "nothing to report\n"
    tested = cli("alert", "--test", "--config", config)
    assert (tested.code, tested.out, tested.err) == (0, "1 of 1 receivers accepted the message\n", "")
    assert len(told(receivers)) == 1 and "alert" not in [record["kind"] for record in cli.ledger()]

    cli("sync", "--config", config)
    cli.write("urls", f"{DEAD}\n", mode=0o600)
    deaf = cli("alert", "--config", config)
    assert deaf.code == 1 and re.fullmatch(r"hf-mirror: receiver 1 \(json\) .*\n", deaf.err)
    assert "127.0.0.1:1" not in deaf.err
    cli.write("urls", f"{DEAD}\n{hook}\n", mode=0o600)
    assert cli("alert", "--config", config).code == 1, "one of two took it"
    assert len(told(receivers)) == 2 and "stand-in/gone@main" in json.dumps(told(receivers)[1])
    again = cli("alert", "--config", config)
    assert (again.code, again.out) == (0, "nothing to report\n"), "each once"
    records = [record for record in cli.ledger() if record["kind"] == "alert"]
    assert [(record["failing"], len(record["problems"])) for record in records] == [
        ([], 1),
        (["stand-in/gone@main"], 1),
    ]
    (cli.store / "ledger/state.json").unlink()
    assert cli("alert", "--config", config).out == "nothing to report\n", "the ledger knows"


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0o600, "no receiver is configured: set alerts: urls_file: FILE in the configuration"),
        ("# nobody\n", 0o600, "urls names no receiver"),
        ("json://secret", 0o604, "urls has mode 0604"),
        ("nonsense://secret", 0o600, "receiver 1 (nonsense) is not a valid apprise URL"),
    ],
)
def test_alerts_that_are_wrong(inside: Inside, tmp_path: Path, content: str | None, mode: int, words: str) -> None:
    (tmp_path / "c.yml").write_text(json.dumps({"store": "s", "alerts": {"urls_file": "urls"} if content else {}}))
    if content:
        (tmp_path / "urls").write_text(content)
        (tmp_path / "urls").chmod(mode)
    got = inside("--config", "c.yml", "alert")
    assert got.code == 2 and words in got.err and "//secret" not in got.err
