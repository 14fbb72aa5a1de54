# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hf-mirror sync`` and ``plan``: what they do, say and return."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.modelops.hf_mirror.plugins.module_utils import cli as command
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli import session as _cli_session
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli.arguments import VERSION
from ansible_collections.modelops.hf_mirror.plugins.modules import mirror_models

from hub.process import HubProcess

from .conftest import LAUNCHER, Cli, Inside

TOP = Path(__file__).parents[3]
TINY = {"repo_id": "stand-in/tiny-model"}
NOBODY = "http://127.0.0.1:1"
SPACE = {"repo_id": "stand-in/tiny-space", "repo_type": "space"}
DATASET = {"repo_id": "stand-in/tiny-dataset", "repo_type": "dataset"}
GONE = {"repo_id": "stand-in/gone"}


def published(store: Path) -> set[str]:
    return {folder.name for folder in store.glob("hub/*--*") if (folder / "refs" / "main").exists()}


def test_the_endpoint_that_was_given_is_asked_for_models_and_nobody_for_anything_else(
    cli: Cli, hub: HubProcess
) -> None:
    """huggingface_hub's telemetry asks the endpoint of the environment, by default the public Hub, who is who."""
    cli.environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(cli.folder / "hf")}
    assert cli.process("sync", "--config", cli.write("w.yml", [TINY])).code == 0
    requests = hub.control("requests")["last"]
    asked = {entry["target"].partition("?")[0] for entry in requests if entry["origin"] == "hub"}
    assert asked and all("stand-in/tiny-model" in target for target in asked), asked


def test_the_quickest_try(cli: Cli) -> None:
    article = ("--config", str(TOP / "whitelists" / "article.yml"))
    early = cli.process("status")
    assert early.code == 5 and "store is no store yet. Create it with: hf-mirror sync" in early.err
    wrong = cli.process("sync", "--config", "gone.yml")
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err == "hf-mirror: gone.yml can't be read: No such file or directory\n"

    planned = cli.process("plan", *article)
    assert planned.code == 0 and not cli.store.exists()
    assert "+ 3 files, 8000000 bytes to fetch\n" in planned.out
    assert re.search(r"^REPOSITORY +REF +OLD +NEW +FILES +SIZE\n", planned.out, re.MULTILINE)
    assert re.search(r"^bonnetti/yoloface +main +- +[0-9a-f]{12} +1 +1\.0 MB\n", planned.out, re.MULTILINE)

    done = cli.process("sync", *article)
    assert done.code == 0 and done.err == ""
    assert re.search(r"^bonnetti/yoloface main: nothing -> [0-9a-f]{12} \(publish 1, \w+\)$", done.out, re.MULTILINE)
    assert re.search(
        r"^run 1 ended after .* s: 3 updated, 0 unchanged, 0 failed, 8\.0 MB came in$", done.out, re.MULTILINE
    )
    assert len(list((cli.store / "pool").iterdir())) == 3

    again = cli.process("sync", *article)
    assert again.code == 0 and "3 unchanged" in again.out and again.out.endswith("nothing had to be done\n")
    assert cli("plan", *article).out == "nothing is to be done\n"


def test_options_stand_before_or_after_the_command(cli: Cli) -> None:
    config = cli.write("c.yml", {"store": "elsewhere", "models": [TINY]})
    before, cli.options = cli.options, []
    assert cli("sync", *before, "--config", config).code == 0
    assert cli(*before, "--config", config, "status", "--json").json["store"] == str(cli.store)
    assert not (cli.folder / "elsewhere").exists()


def test_the_json_is_what_the_module_returns(cli: Cli, hub: HubProcess, capfd: pytest.CaptureFixture[str]) -> None:
    models = [TINY, {"repo_id": "facefusion/models-3.6.0", "views": ["facefusion"]}]
    other = cli.folder / "other"
    other.mkdir()

    def module(check: bool) -> dict[str, Any]:
        arguments = {"store": str(other), "endpoint": hub.url, "models": models}
        modes = {"_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args({**arguments, **modes}), pytest.raises(SystemExit):
            mirror_models.main()
        answer: dict[str, Any] = json.loads(capfd.readouterr().out)
        return answer

    config = cli.write("c.yml", models)
    for name, check in (("plan", True), ("sync", False), ("sync", False)):
        got = cli.process(name, "--config", config, "--json")
        expected = module(check)
        assert got.code == 0 and got.err == "" and got.json.pop("warnings", []) == []
        assert {key: value for key, value in got.json.items() if key != "warnings"} == {
            key: value for key, value in expected.items() if key != "invocation"
        }


def test_what_fails_does_not_stop_the_others(cli: Cli) -> None:
    config = cli.write("c.yml", [GONE, TINY])
    for name in ("plan", "sync"):
        done = cli.process(name, "--config", config)
        assert done.code == 1
        assert done.err.startswith("hf-mirror: 1 of 2 entries failed: stand-in/gone@main: ")
        assert done.err.count("\n") == 1
    assert published(cli.store) == {"models--stand-in--tiny-model"}
    failed = cli("sync", "--config", config, "--json")
    assert failed.code == 1 and list(failed.json["failures"]) == ["stand-in/gone@main"]
    assert f"hf-mirror: {failed.json['msg']}\n" == failed.err


def test_exact_and_absent(cli: Cli) -> None:
    cli("sync", "--config", cli.write("all.yml", [TINY, SPACE, DATASET]))
    less = cli.write("less.yml", {"models": [TINY], "max_delete": "50%"})
    kept = cli("sync", "--config", less, "--state", "exact")
    assert kept.code == 1 and "max_delete allows 50%: nothing was removed" in kept.err
    assert len(published(cli.store)) == 3
    looked = cli("plan", "--config", less, "--state", "exact", "--max-delete", "2")
    assert looked.code == 0 and "- space stand-in/tiny-space\n" in looked.out
    gone = cli("sync", "--config", less, "--state", "exact", "--max-delete", "2")
    assert gone.code == 0 and re.search(r"^space stand-in/tiny-space: removed", gone.out, re.MULTILINE)
    assert published(cli.store) == {"models--stand-in--tiny-model"}
    assert cli("sync", "--config", less, "--state", "absent").code == 0
    assert published(cli.store) == set()


def test_the_environment_has_the_last_word_nowhere(cli: Cli, hub: HubProcess) -> None:
    config = cli.write("c.yml", {"models": [TINY]})
    cli.options = ["--store", "store"]
    cli.environment["HF_ENDPOINT"] = hub.url
    assert cli("sync", "--config", config).code == 0
    cli.environment["HF_ENDPOINT"] = NOBODY
    config = cli.write("c.yml", {"models": [TINY], "endpoint": hub.url})
    assert cli("plan", "--config", config).code == 0
    wrong = cli("plan", "--config", config, "--endpoint", "ftp://x")
    assert wrong.code == 2 and wrong.err == (
        "hf-mirror: --endpoint must be an address that begins with http:// or https://\n"
    )
    several = cli(
        "plan", "--config", cli.write("c.yml", {"models": [TINY]}), "--endpoint", hub.url, "--endpoint", NOBODY
    )
    assert several.code == 0
    config = cli.write("c.yml", {"models": [TINY], "endpoint": [{"url": hub.url, "proxy": ""}, NOBODY]})
    assert cli("plan", "--config", config).code == 0
    cli.environment["HF_ENDPOINT"] = "https://me:secret@hub.example.com"
    wrong = cli("plan", "--config", config)
    assert wrong.code == 2 and "hf-mirror: HF_ENDPOINT has a user or a password in it" in wrong.err
    assert "secret" not in wrong.out + wrong.err


def test_the_tokens_of_a_run(tmp_path: Path, hub: HubProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is read before the run goes on as somebody who can't read it, and nothing written before."""
    seen: list[Any] = []
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "tokens.yml").write_text("team: hf_secret")
    (mine / "tokens.yml").chmod(0o600)
    (mine / "models.yml").write_text(json.dumps([TINY]))
    config = {"tokens_file": "tokens.yml", "whitelist": "models.yml", "endpoint": hub.url}
    (mine / "c.yml").write_text(json.dumps(config))

    def become_owner(store: Path) -> None:
        assert not store.exists()
        mine.rename(tmp_path / "nobody-s")

    class Engine(_cli_session.Engine):
        def __init__(self, settings: Any, *rest: Any) -> None:
            seen.append(settings)
            super().__init__(settings, *rest)

    monkeypatch.setattr(_cli_session, "become_owner", become_owner)
    monkeypatch.setattr(_cli_session, "Engine", Engine)
    monkeypatch.setenv("HF_TOKEN", "hf_default")
    assert command.main(["--store", str(tmp_path / "store"), "sync", "--config", str(mine / "c.yml")]) == 0
    assert seen[0].tokens == {"team": "hf_secret", None: "hf_default"}
    assert "hf_" not in repr(seen[0])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "the following arguments are required: COMMAND"),
        (["push"], 2, "invalid choice: 'push'"),
        (["sync", "--sta", "exact"], 2, "unrecognized arguments: --sta exact"),
        (["sync"], 2, "hf-mirror: no whitelist is given: pass --config FILE with the key models or whitelist"),
        (
            ["--workers", "0", "sync", "--config", "c.yml"],
            2,
            "hf-mirror: --workers is 0, it must be a number of files that are fetched at the same time, 1 to 64",
        ),
        (["log", "-n", "-1"], 2, "-1"),
        (["sync", "--config", "gone.yml"], 2, "hf-mirror: gone.yml can't be read: No such file or directory"),
        (
            ["sync", "--config", "c.yml", "--state", "exact", "--max-delete", "x"],
            2,
            "hf-mirror: --max-delete is 'x', it must be a number",
        ),
        (["sync", "--config", "c.yml", "--store", "no/where"], 5, "/no/where does not exist: create it"),
        (["sync", "--config", "c.yml", "--store", "."], 5, "has no store.json and is not empty (c.yml)"),
        (["sync", "--config", "c.yml", "--store", "/proc/self"], 5, "hf-mirror: /proc/self has no store.json"),
        (["status"], 5, "/store is no store yet. Create it with: hf-mirror sync"),
        (["fsck"], 5, "/store is no store yet"),
        (["log"], 5, "/store is no store yet"),
        (["lock", "--config", "c.yml"], 5, "/store is no store yet"),
    ],
)
def test_refused(inside: Inside, tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    (tmp_path / "c.yml").write_text(json.dumps([TINY]))
    got = inside("--store", "store", "--endpoint", NOBODY, *arguments)
    assert (got.code, got.out) == (code, "") and words in got.err
    assert [file.name for file in tmp_path.iterdir()] == ["c.yml"], "nothing was touched"


def test_a_missing_library_is_named(inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c.yml").write_text(json.dumps([TINY]))
    monkeypatch.setattr(_cli_session, "URLLIB3_ERROR", "ImportError")
    got = inside("--store", "store", "plan", "--config", "c.yml")
    assert got.code == 2 and re.search(r"^hf-mirror: \S+ lacks urllib3: install it with pip\n$", got.err)


def test_bars_at_a_terminal_and_none_in_a_log(cli: Cli) -> None:
    config = cli.write("c.yml", [{"repo_id": "hysts/ArcFace-resnet100"}])
    arguments = ["sync", "--config", config, "--bandwidth", "6000000"]
    plain = cli.process(*arguments)
    assert "fetching: 3 files, 3.0 MB\n" in plain.out and "\x1b" not in plain.out + plain.err
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(LAUNCHER), *cli.options, *arguments, "--store", "second"],
        cwd=cli.folder,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 4096):
            shown += block
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    assert b"\x1b[?25h" in shown, "the cursor is back"
    assert "━" in shown.decode() and b"of 3.0 MB" in shown and b"run 1 ended after" in shown


def test_whoever_stops_reading_stops_nothing(cli: Cli) -> None:
    process = cli.start("sync", "--config", cli.write("c.yml", [TINY]))
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0 and published(cli.store)
    process.stdout = None


def test_what_help_says(inside: Inside, cli: Cli) -> None:
    shown = inside("--help")
    assert shown.code == 0 and "exit codes:\n  0  success" in shown.out and "HF_TOKEN" in shown.out
    for name in command._COMMANDS:
        assert re.search(rf"^    {name} ", shown.out, re.MULTILINE)
    cli.options = []
    assert cli.process("--version").out == f"hf-mirror {VERSION}\n"
    assert yaml.safe_load((TOP / "galaxy.yml").read_text())["version"] == VERSION


def test_the_page_about_it_names_every_option_and_code(inside: Inside) -> None:
    page = (TOP / "docs" / "hf-mirror.md").read_text()
    options: set[str] = set()
    for name in command._COMMANDS:
        options.update(re.findall(r"--[a-z-]+", inside(name, "--help").out))
    assert not [option for option in options - {"--help"} if f"`{option}" not in page]
    assert all(f"| {code} |" in page for code in range(7))
