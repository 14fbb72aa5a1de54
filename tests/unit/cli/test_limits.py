# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends a run before its end, and that people are told: limits, kills, errors that nobody foresaw."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock, LimitError, StoppedError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.progress import Progress
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.download import Downloads
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run import engine as _engine
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run import watchdog as _watchdog
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.watchdog import Watchdog
from polling import until

from hub.process import HubProcess
from receivers.process import ReceiversProcess

from .conftest import Cli, Result, result

TINY, SPACE = {"repo_id": "stand-in/tiny-model"}, {"repo_id": "stand-in/tiny-space", "repo_type": "space"}
_MODULE_UTILS = "ansible_collections.modelops.hf_mirror.plugins.module_utils"
_SLOWLY = ("--bandwidth", "1000000")


def kinds(cli: Cli) -> list[str]:
    return [record["kind"] for record in cli.ledger()]


@pytest.fixture
def alert(cli: Cli, receivers: ReceiversProcess) -> Callable[..., str]:
    """Run ``hf-mirror alert`` and return the message that came, or what the command said."""

    def run(of: Cli = cli) -> str:
        of.environment.update(receivers.environment)
        of.write("urls", receivers.url.replace("https://", "jsons://") + "/hook\n", mode=0o600)
        before = len(receivers.control("messages"))
        options = of.options[: of.options.index("--config")] if "--config" in of.options else of.options
        config = of.write("a.yml", {"alerts": {"urls_file": "urls"}})
        done = of.inside(*options, "alert", "--config", config, **of.environment)
        assert done.code == 0, done.err
        came = receivers.control("messages")[before:]
        return json.dumps(came) if came else done.out

    return run


def patched(cli: Cli, patch: str, *arguments: str) -> Result:
    """Run the command in a process of its own, with something of it changed."""
    script = f"import sys\nfrom {_MODULE_UTILS} import cli\nfrom {_MODULE_UTILS}._run import watchdog, settings\n"
    script += f"from {_MODULE_UTILS}._fetch.hub import Hub\n{patch}\nsys.exit(cli.main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", script, *cli.options, *arguments],
        cwd=cli.folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "collections")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    cli.running.append(process)
    return result(process)


# ---- limits


def test_a_run_without_any_progress_is_ended_and_told(cli: Cli, hub: HubProcess, alert: Callable[..., str]) -> None:
    """Though its sockets would wait for longer."""
    hub.control(
        "stall", {"repo_id": "hysts/ArcFace-resnet100", "path": "model.onnx", "after": 1_000_000, "times": None}
    )
    config = cli.write("c.yml", [{"repo_id": "hysts/ArcFace-resnet100", "files": ["model.onnx"]}])
    done = patched(cli, "watchdog.QUIET = 1.0", "sync", "--config", config)
    assert done.code == 6
    assert re.fullmatch(r"hf-mirror: no progress in \d+ minutes \(fetching, 0 of 1\): ended\n", done.err)
    assert kinds(cli) == ["start", "died"]
    assert "no progress in" in alert()
    hub.control("reset", {})
    assert cli("sync", "--config", config).code == 0
    assert "1 recovered" in alert() and alert() == "nothing to report\n"
    assert cli("fsck").out == "sound\n"


def test_a_run_that_takes_too_much_memory_is_ended_and_told(cli: Cli, alert: Callable[..., str]) -> None:
    config = cli.write("c.yml", {"models": [TINY], "memory_limit": 1024})
    done = patched(cli, "Hub.info = lambda *_a, **_k: bytearray(2 << 30)", "sync", "--config", config)
    assert (done.code, done.err) == (6, "hf-mirror: more than 1024 MiB of memory (memory_limit): ended\n")
    assert kinds(cli) == ["start", "died"] and "more than 1024 MiB of memory" in alert()


def watch(progress: Progress, clock: Clock, time_limit: int, what: Callable[[], Any]) -> list[StoppedError]:
    """Do something under a watchdog, and return what it gave up with."""
    gave_up: list[StoppedError] = []
    with Watchdog(clock, progress, time_limit, 1 << 20, gave_up.append).watching():
        what()
    return gave_up


def test_the_time_of_a_run_is_limited() -> None:
    clock = Clock()
    with pytest.raises(LimitError, match=r"^not done in 0 seconds \(time_limit\): ended$"):
        watch(Progress(), clock, 0, lambda: clock.sleep(60))


def test_progress_counts_and_so_does_a_wait_that_the_hub_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_watchdog, "QUIET", 0.5)
    clock, progress = Clock(), Progress()
    received = iter(range(10**9))
    looks = threading.Event()

    def moves() -> int:
        number = next(received)
        if number > 8:  # twice as often as would be too many without progress
            looks.set()
        return number

    progress.received = moves
    assert watch(progress, clock, 60, lambda: looks.wait(20)) == []
    clock.check()
    progress.received = lambda: 0
    waits = iter(range(10**9))
    progress.is_told_to_wait = lambda: next(waits) < 8
    watch(progress, clock, 60, lambda: until(lambda: next(waits) >= 8))
    clock.check()
    progress.begin("sealing", 3)
    with pytest.raises(LimitError, match=r"^no progress in 0 minutes \(sealing, 0 of 3\): ended$"):
        watch(progress, clock, 60, lambda: clock.sleep(60))


def test_memory_is_not_limited_beyond_the_run() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    watch(Progress(), Clock(), 60, lambda: None)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


# ---- runs that die without a word


def test_a_killed_run_is_told(large: Cli, alert: Callable[..., str]) -> None:
    process = large.start("sync", *_SLOWLY)
    until(lambda: list(large.store.glob("staging/*.part")))
    assert alert(large) == "nothing to report\n", "it is under way"
    process.kill()
    assert process.wait() == -9
    process.communicate()
    told = alert(large)
    assert "1 failing" in told and "run" in told and "a run ended without a message" in told
    assert alert(large) == "nothing to report\n", "once"
    assert kinds(large) == ["start", "died", "alert"]
    assert re.search(r"the run died: a run ended without a message: .* \(run 1\)$", large("log").out, re.MULTILINE)
    assert large("sync").code == 0
    assert "1 recovered" in alert(large)


def test_the_next_run_finds_out_as_well(large: Cli) -> None:
    process = large.start("sync", *_SLOWLY)
    until(lambda: list(large.store.glob("staging/*.part")))
    process.kill()
    process.communicate()
    assert large("sync").code == 0
    assert [kind for kind in kinds(large) if kind in ("start", "died", "run")] == ["start", "died", "start", "run"]
    assert "died" in kinds(large) and large("gc").code == 0 and kinds(large).count("died") == 1
    (large.store / "ledger/state.json").unlink()
    assert large("gc").code == 0 and kinds(large).count("died") == 1, "the ledger alone knows, too"


def test_a_run_that_does_not_even_begin_is_told(cli: Cli, alert: Callable[..., str]) -> None:
    """What systemd gives to a unit that it starts with ``OnFailure=``."""
    config = cli.write("c.yml", [TINY])
    assert cli("sync", "--config", config).code == 0
    cli.write("c.yml", [{**TINY, "kep": 1}])
    assert cli("sync", "--config", config).code == 2
    assert alert() == "nothing to report\n", "a person sees it at the terminal"
    cli.environment.update(MONITOR_UNIT="hf-mirror-sync.service", MONITOR_SERVICE_RESULT="exit-code")
    for status in ("1", "3", "4", "6"):
        cli.environment["MONITOR_EXIT_STATUS"] = status
        assert alert() == "nothing to report\n"
    cli.environment["MONITOR_EXIT_STATUS"] = "2"
    assert "hf-mirror-sync.service ended with exit code 2 before a run began: see journalctl -u" in alert()
    assert alert() == "nothing to report\n", "once"
    cli.write("c.yml", [TINY])
    assert cli("sync", "--config", config).code == 0
    del cli.environment["MONITOR_SERVICE_RESULT"]
    assert "1 recovered" in alert()


def test_a_store_that_cannot_be_used_is_told_each_time(cli: Cli, alert: Callable[..., str]) -> None:
    config = cli.write("c.yml", [TINY])
    assert cli("sync", "--config", config).code == 0
    (cli.store / "store.json").write_text("{")
    assert cli("sync", "--config", config).code == 5
    cli.environment.update(MONITOR_SERVICE_RESULT="exit-code", MONITOR_EXIT_STATUS="5")
    for _night in range(2):
        assert "store.json can't be read" in alert()


def test_a_refused_run_is_not_taken_for_the_one_under_way(large: Cli, alert: Callable[..., str]) -> None:
    process = large.start("sync", *_SLOWLY)
    until(lambda: list(large.store.glob("staging/*.part")))
    large.environment.update(MONITOR_SERVICE_RESULT="exit-code", MONITOR_EXIT_STATUS="2", MONITOR_UNIT="x")
    assert "ended with exit code 2" in alert(large)
    del large.environment["MONITOR_SERVICE_RESULT"]
    process.kill()
    process.communicate()
    assert large("gc").code == 0
    assert [record["run"] for record in large.ledger() if record["kind"] == "died"] == [None, 1]


# ---- errors that nobody foresaw


def test_one_entry_s_odd_error_is_its_own(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = Downloads.fetch

    def odd(self: Downloads, action: Any) -> None:
        if action.repo.repo_type == "space":
            raise KeyError("https://me:hf_secret@hub.example.com is odd")
        fetch(self, action)

    monkeypatch.setattr(Downloads, "fetch", odd)
    config = cli.write("c.yml", [SPACE, TINY])
    done = cli("sync", "--config", config)
    assert done.code == 1 and "Traceback" not in done.err + done.out
    said = "unexpected KeyError: 'https://***@hub.example.com is odd'"
    assert done.err == "hf-mirror: 1 of 2 entries failed: space stand-in/tiny-space@main: unexpected KeyError\n"
    entries = {entry["name"]: entry for entry in cli("status", "--json").json["entries"]}
    assert entries["stand-in/tiny-model@main"]["commit"]
    assert entries["space stand-in/tiny-space@main"]["message"] == said
    (trace,) = [record for record in cli.ledger() if record["kind"] == "trace"]
    assert trace["name"] == "space stand-in/tiny-space@main" and "in odd\n" in trace["trace"]
    assert "hf_secret" not in json.dumps(cli.ledger()) and "Traceback" not in cli("log").out
    monkeypatch.undo()


def test_an_odd_answer_about_one_entry_fails_that_entry(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    planner = _engine.Planner
    asked = planner._listing

    def odd(self: Any, wanted: Any, facts: Any) -> Any:
        listing = asked(self, wanted, facts)
        return 5 if wanted.repo.repo_type == "space" else listing  # what has no files

    monkeypatch.setattr(planner, "_listing", odd)
    done = cli("sync", "--config", cli.write("c.yml", [SPACE, TINY]), "--json")
    assert done.code == 1 and set(done.json["failures"]) == {"space stand-in/tiny-space@main"}
    assert "unexpected AttributeError: 'int' object has no attribute 'files'" in str(done.json["failures"])
    (fine,) = [one for one in cli("status", "--json").json["entries"] if one["name"] == "stand-in/tiny-model@main"]
    assert fine["commit"]


def test_an_error_outside_of_any_entry_ends_the_run_with_a_sentence(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, alert: Callable[..., str]
) -> None:
    config = cli.write("c.yml", [TINY])

    def odd(*_arguments: Any) -> None:
        raise ZeroDivisionError("odd")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_engine, "plan_gc", odd)
        done = cli("sync", "--config", config)
        assert (done.code, done.err) == (
            6,
            "hf-mirror: unexpected ZeroDivisionError: odd\n--traceback shows where it comes from\n",
        )
        shown = cli("sync", "--config", config, "--traceback")
        assert shown.code == 6 and "Traceback (most recent call last)" in shown.err and "in odd" in shown.err
    died = [record for record in cli.ledger() if record["kind"] == "died"]
    assert [(one["run"], one["message"]) for one in died] == [
        (1, "unexpected ZeroDivisionError: odd"),
        (2, "unexpected ZeroDivisionError: odd"),
    ]
    assert "in odd\n" in died[0]["trace"]
    told = alert()
    assert "1 failing" in told and "unexpected ZeroDivisionError: odd" in told
    assert cli("sync", "--config", config).code == 0
    assert "1 recovered" in alert()


def test_a_run_that_no_longer_has_memory_is_no_entry_s_failure(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(*_arguments: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Downloads, "fetch", odd)
    done = cli("sync", "--config", cli.write("c.yml", [TINY, SPACE]))
    assert (done.code, done.err) == (6, "hf-mirror: more than 4096 MiB of memory (memory_limit): ended\n")
    assert kinds(cli) == ["start", "died"]


def test_each_answer_of_the_hub_is_progress(hub: HubProcess, tmp_path: Path) -> None:
    """A listing of many pages has a limit of its own, and must not end the run that the others are in."""
    engine = _engine.Engine(Settings(store=tmp_path, endpoint=hub.url))
    (asked,), before = engine._hubs(), engine.progress.mark()
    asked.info(Repo("model", "stand-in/tiny-model"), "main")
    assert engine.progress.mark() != before
