# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the command as people do: the launcher of the checkout, a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils import cli as command

from hub import recipes
from hub.contents import build
from hub.drafts import Draft, Noise
from hub.process import HubProcess
from receivers.process import ReceiversProcess

LAUNCHER = Path(sys.executable).parent / "hf-mirror"
#: Seconds that no command takes, however busy the machine is.
_DEADLINE = 120.0


@dataclass
class Result:
    """What a command left: ``out`` and ``err`` are its two streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Inside = Callable[..., Result]


@dataclass
class Cli:
    """The command with a store and a Hub, in a folder of its own, without the caller's environment."""

    folder: Path
    options: list[str]
    inside: Inside
    environment: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(LAUNCHER), *self.options, *arguments],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        return process

    def process(self, *arguments: str) -> Result:
        """Run it as people do."""
        return result(self.start(*arguments))

    def __call__(self, *arguments: str) -> Result:
        """Run it without a process of its own."""
        return self.inside(*self.options, *arguments, **self.environment)

    def write(self, name: str, value: Any, mode: int = 0o644) -> str:
        """Write a file beside the configuration; JSON is YAML."""
        file = self.folder / name
        file.write_text(value if isinstance(value, str) else json.dumps(value))
        file.chmod(mode)
        return str(file)

    def ledger(self) -> list[dict[str, Any]]:
        return [
            json.loads(line) for file in self.store.glob("ledger/*.jsonl") for line in file.read_text().splitlines()
        ]


def result(process: subprocess.Popen[str], seconds: float = _DEADLINE) -> Result:
    """Wait for a process to end."""
    out, err = process.communicate(timeout=seconds)
    assert "Traceback" not in err
    return Result(process.returncode, out, err)


def until_said(process: subprocess.Popen[str], words: str) -> str:
    """Read what a process says up to a line with these words; the rest is in its ``stdout``."""
    assert process.stdout is not None
    said = ""
    while words not in said:
        line = process.stdout.readline()
        assert line, f"it never said {words!r} but: {said}"
        said += line
    return said


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Inside:
    """The command in this process, where a start of its own would only take time."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("HF_", "CREDENTIALS"))]:
        monkeypatch.delenv(name)

    def run(*arguments: str, **environment: str) -> Result:
        capfd.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            try:
                code = command.main(list(arguments))
            except SystemExit as ended:
                code = int(ended.code or 0)
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return run


def _cli(folder: Path, url: str, inside: Inside) -> Iterator[Cli]:
    cli = Cli(folder, ["--store", "store", "--endpoint", url], inside)
    yield cli
    for process in cli.running:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def cli(tmp_path: Path, hub: HubProcess, inside: Inside) -> Iterator[Cli]:
    yield from _cli(tmp_path, hub.url, inside)


@pytest.fixture(scope="session")
def large_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A Hub with a file that takes its time at a limited speed, and has some segments."""
    folder = tmp_path_factory.mktemp("large")
    with pytest.MonkeyPatch.context() as patch:
        large = Draft("team/large", [("Upload", {"large.bin": Noise("large", 24_000_000)})])
        patch.setattr(recipes, "small", lambda: [large])
        build(folder, small=True)
    with HubProcess(folder) as hub:
        yield hub


@pytest.fixture
def large(tmp_path: Path, large_hub: HubProcess, inside: Inside) -> Iterator[Cli]:
    for cli in _cli(tmp_path, large_hub.url, inside):
        cli.options += ["--config", cli.write("large.yml", [{"repo_id": "team/large", "files": ["large.bin"]}])]
        yield cli


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiversProcess]:
    with ReceiversProcess(tmp_path_factory.mktemp("receivers")) as receivers:
        yield receivers


@pytest.fixture
def receivers(running: ReceiversProcess, cli: Cli) -> ReceiversProcess:
    running.control("reset", {})
    cli.environment.update(running.environment)
    return running
