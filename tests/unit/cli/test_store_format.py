# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store that another version of the collection has made, of a format that this one does not know."""

from __future__ import annotations

from pathlib import Path

from .conftest import Cli

COMMANDS = [
    *("sync", "plan", "status", "log", "fsck", "scrub", "gc", "lock --output lock.json", "purge stand-in/tiny-model"),
    *("follow --peer http://localhost:9", "compare --peer http://localhost:9", "node active"),
    *(f"{change} stand-in/tiny-model" for change in ("promote", "rollback", "pin", "unpin", "freeze", "unfreeze")),
    "diff stand-in/tiny-model main main",
]


def snapshot(store: Path) -> dict[str, bytes | None]:
    return {str(file): file.read_bytes() if file.is_file() else None for file in sorted(store.rglob("*"))}


def test_no_command_touches_it(cli: Cli) -> None:
    config = cli.write("c.yml", {"models": [{"repo_id": "stand-in/tiny-model"}]})
    assert cli("--config", config, "sync").code == 0
    (cli.store / "store.json").write_text('{"format": 2}')
    before = snapshot(cli.store)
    for command in COMMANDS:
        done = cli("--config", config, *command.split())
        assert (done.code, done.out) == (5, ""), (command, done)
        assert "has store format 2, this collection knows 1: update it" in done.err, command
        assert snapshot(cli.store) == before, command
