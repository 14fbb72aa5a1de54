# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror scrub``: what it says, its exit codes, and what ``status`` and ``fsck`` tell of it."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from polling import until
from unit.rot import flip

from hub.process import HubProcess

from .conftest import Cli, result

TINY = {"repo_id": "stand-in/tiny-model"}


@pytest.fixture
def config(cli: Cli) -> str:
    config = cli.write("c.yml", [TINY])
    assert cli("sync", "--config", config).code == 0
    return config


def largest(cli: Cli) -> Path:
    return max((cli.store / "pool").iterdir(), key=lambda blob: blob.stat().st_size)


def test_a_sound_store(cli: Cli, config: str) -> None:
    got = cli("scrub", "--config", config)
    assert (got.code, got.err) == (0, "")
    assert "5 contents, 40.4 kB read again: 0 repaired, 0 removed, 0 rotten (" in got.out
    shown = cli("status").out
    assert re.search(
        r"^all contents were read again by \d{4}-\S+Z: 5 contents, 40\.4 kB, 0 rotten$", shown, re.MULTILINE
    )
    status = cli("status", "--json").json["scrub"]
    assert status["rotten"] == 0 and status["last"]["contents"] == 5


def test_what_is_rotten_is_repaired(cli: Cli, config: str) -> None:
    blob = largest(cli)
    flip(blob)
    got = cli("scrub", "--config", config)
    assert (got.code, got.err) == (0, "")
    assert f"{blob.name[:12]} is rotten, and is not served any more: its 40082 bytes hash to " in got.out
    assert f"\n{blob.name[:12]} is sound again: model.safetensors of stand-in/tiny-model@" in got.out
    assert cli("fsck").out == "sound\n"
    assert "sound again" in cli("log").out


def test_what_is_not_repaired_is_damage_until_it_is(cli: Cli, config: str, hub: HubProcess) -> None:
    blob = largest(cli)
    flip(blob)
    left = cli("scrub", "--no-repair")
    assert left.code == 5
    said = rf"hf-mirror: {blob.name} is rotten \(its 40082 bytes hash to [0-9a-f]{{64}}\)\n"
    assert re.fullmatch(said, left.err)
    assert "1 rotten and not served. To repair, run: hf-mirror scrub --for 0\n" in cli("status").out
    damaged = cli("fsck")
    assert damaged.code == 5
    assert damaged.out == (
        f"damage: pool/{blob.name} was found rotten, it answers 403 until it is repaired\n"
        "To repair it, run as the user who owns the store:\n  hf-mirror scrub --for 0\n1 damaged, 0 left over\n"
    )
    hub.control("delete_repo", TINY)
    gone = cli("scrub", "--for", "0", "--json")
    assert gone.code == 5 and gone.json["rotten"][0]["state"] == "left" and "404" in gone.json["rotten"][0]["problem"]
    hub.control("reset", {})
    mended = cli("scrub", "--for", "0")
    assert mended.code == 0 and "sound again" in mended.out
    assert mended.out.endswith("the round is not complete: the next scrub continues from there\n")
    assert cli("fsck").out == "sound\n"


def test_a_truncated_one_is_the_scrub_s_to_mend(cli: Cli, config: str) -> None:
    """Its size is wrong, too: fsck's other advice would be for a file that is served."""
    blob = largest(cli)
    blob.chmod(0o644)
    blob.write_bytes(b"short")
    assert cli("scrub", "--no-repair").code == 5
    assert re.findall(r"^  (.*)$", cli("fsck").out, re.MULTILINE) == ["hf-mirror scrub --for 0"]
    assert cli("scrub", "--for", "0").code == 0
    assert cli("fsck").out == "sound\n"


def test_it_is_stopped_and_goes_on(cli: Cli, config: str) -> None:
    process = cli.start("scrub", "--rate", "400", "--no-repair")
    until(lambda: (cli.store / "locks/scrub").exists() and (cli.store / "locks/scrub").read_text())
    busy = cli("scrub", "--no-repair")
    assert busy.code == 3 and re.fullmatch(
        rf"hf-mirror: a scrub of {cli.store} is running already \(pid {process.pid} on .*\)\n", busy.err
    )
    assert cli("sync", "--config", config).code == 0, "a sync need not wait"
    process.send_signal(signal.SIGTERM)
    assert result(process).code == 4
    rest = cli("scrub", "--no-repair", "--json")
    assert rest.code == 0 and rest.json["complete"] and rest.json["last"]["contents"] == 5


def test_the_rate_may_be_the_configuration_s(cli: Cli, config: str) -> None:
    slow = cli.write("slow.yml", {"models": [TINY], "scrub_rate": 300})
    got = cli("scrub", "--config", slow, "--for", "1", "--json")
    assert got.code == 0 and not got.json["complete"] and got.json["contents"] < 5
    assert cli("scrub", "--config", slow, "--rate", "0", "--json").json["complete"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--rate", "-1"], "--rate is -1, it must be a number of bytes a second"),
        (["--rate", "fast"], "argument --rate: invalid int value: 'fast'"),
        (["--for", "night"], "argument --for: invalid int value: 'night'"),
    ],
)
def test_what_is_refused(cli: Cli, options: list[str], words: str) -> None:
    got = cli("scrub", *options)
    assert got.code == 2 and words in got.err


def test_there_must_be_a_store(cli: Cli) -> None:
    got = cli("scrub")
    assert got.code == 5 and "is no store yet" in got.err
