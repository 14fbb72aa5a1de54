# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are stopped, and two at once."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest
from polling import until

from hub.process import HubProcess

from .conftest import Cli, result, until_said

_SIZE = 24_000_000
_TAIL = 4 << 20  # what a resume fetches again
_SLOWLY = ("--bandwidth", "1000000")


def parts(store: Path) -> list[int]:
    """Sizes of downloads under way."""
    return [file.stat().st_size for file in store.glob("staging/*.part")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_is_gone_on_with(large: Cli, number: signal.Signals) -> None:
    process = large.start("sync", "--bandwidth", "12000000")
    until(lambda: sum(parts(large.store)) > 2 * _TAIL)
    process.send_signal(number)
    stopped = result(process)
    assert stopped.code == 4
    assert stopped.err == "hf-mirror: stopped before it was finished; the next run continues from there\n"
    assert "stopped before the run was finished" in stopped.out
    assert [record["kind"] for record in large.ledger()] == ["start", "stopped"]
    (there,) = parts(large.store)
    assert there > 2 * _TAIL

    assert large("sync").code == 0
    assert large.ledger()[-1]["fetched_bytes"] <= _SIZE - there + _TAIL
    assert large("fsck").out == "sound\n"


def test_a_run_ends_in_time_though_the_hub_keeps_silent(cli: Cli, hub: HubProcess) -> None:
    hub.control(
        "stall", {"repo_id": "hysts/ArcFace-resnet100", "path": "model.onnx", "after": 1_000_000, "times": None}
    )
    config = cli.write("c.yml", [{"repo_id": "hysts/ArcFace-resnet100", "files": ["model.onnx"]}])
    process = cli.start("sync", "--config", config)
    until(lambda: sum(parts(cli.store)))
    process.terminate()
    stopped = result(process, 25)  # the sockets' own patience is longer
    assert stopped.code == 4
    assert stopped.err == "hf-mirror: stopped before it was finished; the next run continues from there\n"
    assert [record["kind"] for record in cli.ledger()] == ["start", "stopped"]
    hub.control("reset", {})
    assert cli("sync", "--config", config).code == 0
    assert cli("fsck").out == "sound\n"


def test_a_second_run_is_told_who_runs(large: Cli) -> None:
    first = large.start("sync", *_SLOWLY)
    until(lambda: parts(large.store))
    busy = large.process("sync")
    assert busy.code == 3 and busy.out == ""
    assert re.fullmatch(rf"hf-mirror: a sync of {large.store} is running already \(pid {first.pid} on .*\)\n", busy.err)

    def fetching() -> Any:
        shown = large("status", "--json").json["running"]
        return shown if shown["progress"]["phase"] == "fetching" else None

    shown = until(fetching)
    assert shown["by"].startswith(f"pid {first.pid} on ")
    assert shown["progress"]["bytes_total"] == _SIZE
    assert re.search(
        rf"^a sync is under way \(pid {first.pid} on .*\): fetching, 0 of 1, ", large("status").out, re.MULTILINE
    )
    assert large("plan").code == 0, "looking is free"
    first.terminate()
    result(first)


def test_one_waits_one_follows(large: Cli) -> None:
    first = large.start("sync", *_SLOWLY)
    until(lambda: parts(large.store))
    waiting, following = large.start("sync", "--wait"), large.start("status", "--follow")
    assert waiting.stdout is not None and following.stdout is not None
    said = until_said(waiting, "waiting for its end")
    assert re.search(
        rf"^a sync of .* is running already \(pid {first.pid} on .*\): waiting for its end$", said, re.MULTILINE
    )
    until_said(following, "fetching: 1 files, 24.0 MB")
    first.terminate()
    assert result(first).code == 4
    rest = waiting.stdout.read()
    assert waiting.wait() == 0
    assert re.search(r"^team/large main: nothing -> .*\nrun \d+ ended .* 1 updated", rest, re.MULTILINE)
    shown = following.stdout.read()
    assert following.wait() == 0
    assert "stopped before the run was finished" in shown
    assert re.search(r"^ENTRY .*(\nteam/large@main .*)?\n/.* holds ", shown, re.MULTILINE)


def test_whoever_waits_can_be_stopped(large: Cli) -> None:
    first = large.start("sync", *_SLOWLY)
    until(lambda: parts(large.store))
    waiting = large.start("sync", "--wait")
    until_said(waiting, "waiting for its end")
    waiting.terminate()
    assert result(waiting).code == 4
    assert first.poll() is None
    first.terminate()
    assert result(first).code == 4


def test_a_run_that_is_stopped_while_it_asks_blames_nobody(cli: Cli) -> None:
    # nobody listens there: each entry is asked for again and again
    config = cli.write("c.yml", [{"repo_id": "stand-in/tiny-model"}])
    process = cli.start("sync", "--config", config, "--endpoint", "http://127.0.0.1:1")
    until(lambda: list(cli.store.glob("ledger/*.jsonl")))
    process.terminate()
    assert result(process).code == 4
    assert [record["kind"] for record in cli.ledger()] == ["start", "stopped"]
    assert cli("status", "--json").json["entries"] == []
