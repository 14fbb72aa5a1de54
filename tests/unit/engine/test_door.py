# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What root starts is done by the store's user, who can't go back; what a module takes from a configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module import door
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.options import Given, with_secrets
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from ansible_collections.modelops.hf_mirror.plugins.modules import mirror_gc, mirror_info, mirror_models, mirror_ref

from hub.process import HubProcess

Run = Callable[..., dict[str, Any]]

NOBODY = 65534
TINY = {"repo_id": "stand-in/tiny-model"}


@pytest.fixture
def theirs(store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that belongs to another user than root, who starts things there with a Python that all can read.

    What a sync leaves there is seen on hosts: that Python has no libraries.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can start what another user does")
    for one in (store, *list(store.parents)[:-1]):
        one.chmod(one.stat().st_mode | 0o011)
    os.chown(store, NOBODY, NOBODY)
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    return store


def test_the_user_can_t_go_back(theirs: Path, call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import json, os; print(json.dumps({'store': [*os.getresuid(), *os.getresgid(), *os.getgroups()]}))"
    monkeypatch.setattr(door, "_START", program)
    assert call(mirror_info)["store"] == [NOBODY] * 6


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended without an answer (code -9)"),
        ("import sys; sys.exit('the disk is\\nburning')", "ended without an answer (code 1): the disk is; burning"),
        ("print('no JSON')", "ended without an answer (code 0)"),
        ("print('[1]')", "ended without an answer (code 0)"),
        ("print('[' * 100000)", "ended without an answer (code 0)"),
        ("""print('{"warnings": 5}')""", "ended without an answer (code 0)"),
        ("print('x' * (65 << 20))", "ended without an answer (code "),
    ],
)
def test_a_process_that_does_not_answer(
    theirs: Path, call: Run, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    monkeypatch.setattr(door, "_START", program)
    answer = call(mirror_info)
    assert answer["failed"] and words in answer["msg"]


def test_an_answer_gives_ansible_no_orders(theirs: Path, call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts say, for instance, which program is a host's Python, and root would run it next."""
    told = {"ansible_facts": {"x": 1}, "_ansible_y": 1, "add_host": {}, "invocation": {}, "self": 1, "store": 5}
    monkeypatch.setattr(door, "_START", f"print({json.dumps(json.dumps(told))})")
    assert call(mirror_info) == {"store": 5}


def test_what_the_environment_says_of_proxies_counts(theirs: Path, call: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://someone:secret@proxy.example.org:3128")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    told = "{'store': json.load(sys.stdin)['environment'], 'node': dict(os.environ)}"
    monkeypatch.setattr(door, "_START", f"import json, os, sys; print(json.dumps({told}))")
    answer = call(mirror_info)
    given = answer["store"]
    assert "hf_secret" not in str(answer["node"])  # nor anything else that is root's
    assert given.keys() <= {"https_proxy", "SSL_CERT_DIR", "SSL_CERT_FILE"}
    assert given == {**given, "https_proxy": "http://someone:secret@proxy.example.org:3128"}


def test_secrets_are_on_no_command_line(
    theirs: Path, hub: HubProcess, sync: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[Any] = []

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, command: Any, **more: Any) -> None:
            commands.append(command)
            super().__init__(command, **more)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    monkeypatch.setattr(
        door, "_START", "import json, sys; print(json.dumps({'msg': str(json.load(sys.stdin)['params'])}))"
    )
    sync(TINY, token="hf_secret")
    assert len(commands) == 1 and "secret" not in str(commands)


def test_in_a_unit_where_systemd_runs(theirs: Path, call: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What systemd makes of it is seen on hosts; here, that a unit of that prefix is asked for."""
    program = tmp_path / "systemd-run"
    program.write_text('#!/bin/sh\necho "{\\"store\\": \\"$*\\"}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(door, "_SYSTEMD", tmp_path)
    asked = call(mirror_info)["store"]
    assert f"--property=User={NOBODY}" in asked and "--pipe --wait" in asked and "--unit=hf-mirror-run-" in asked


def test_code_that_ansible_brings_is_lent(tmp_path: Path) -> None:
    file = tmp_path / "payload.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mine.py", "x = 1")
    file.chmod(0o600)
    with door._readable(file) as copy:
        assert copy.stat().st_mode & 0o777 == 0o644 and copy.parent.stat().st_mode & 0o777 == 0o755
        assert copy.read_bytes() == file.read_bytes()
    assert not copy.parent.exists()


# ---- the host's configuration


@pytest.fixture
def config(tmp_path: Path, store: Path, hub: HubProcess) -> Path:
    folder = tmp_path / "etc"
    (folder / "models.d").mkdir(parents=True)
    (folder / "models.d/ansible.yml").write_text(json.dumps({"models_to_sync": [TINY]}))
    (folder / "tokens.yml").write_text("default: hf_default\nteam: hf_team")
    (folder / "tokens.yml").chmod(0o600)
    file = folder / "config.yml"
    file.write_text(
        json.dumps({"store": str(store), "endpoint": hub.url, "whitelist": "models.d", "tokens_file": "tokens.yml"})
    )
    return file


def test_a_module_goes_by_the_configuration(config: Path, call: Run, store: Path) -> None:
    answer = call(mirror_models, store=None, config=str(config))
    assert answer["changed"] and not answer["failures"]
    assert [str(one.repo) for one in Store(store).repositories()] == [TINY["repo_id"]]
    again = call(mirror_ref, store=None, config=str(config), repo_id=TINY["repo_id"], state="pinned")
    assert again["changed"]
    assert call(mirror_info, store=None, config=str(config))["store"] == str(store)
    assert not call(mirror_gc, store=None, config=str(config))["changed"]


def test_its_own_options_win(config: Path, call: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    answer = call(
        mirror_models, store=str(tmp_path / "other"), config=str(config), models=[{"repo_id": "tiny-canonical"}]
    )
    assert not answer["failures"] and not any(store.iterdir())
    assert [str(one.repo) for one in Store(tmp_path / "other").repositories()] == ["tiny-canonical"]
    given = Given({"config": str(config), "endpoint": ["http://one.example.org"], "workers": None})
    assert given.settings().endpoint == ["http://one.example.org"]
    assert given.settings().workers == 8 and given.settings().actor == "ansible"


def test_a_file_s_error_is_told_by_the_module_as_well(config: Path, call: Run) -> None:
    call(mirror_models, store=None, config=str(config))
    (config.parent / "models.d/team.yml").write_text("- repo_id: [")
    answer = call(mirror_models, store=None, config=str(config))
    assert (
        answer["failed"]
        and "team.yml line 1: not YAML" in answer["msg"]
        and list(answer["failures"]) == ["whitelist team.yml"]
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"store": None}, "one of the following is required: store, config"),
        ({"models": None}, "one of the following is required: models, config"),
        ({"store": None, "config": "/nowhere.yml"}, "/nowhere.yml can't be read: No such file or directory"),
    ],
)
def test_what_is_missing_is_named(call: Run, options: dict[str, Any], words: str) -> None:
    answer = call(mirror_models, **{"models": [TINY], **options})
    assert answer["failed"] and words in answer["msg"]


def test_only_root_has_to_read_tokens(config: Path) -> None:
    given = {"config": str(config), "token": None, "tokens": {"team": "hf_mine"}}
    assert with_secrets(given) == {
        **given,
        "token": "hf_default",
        "tokens": {"default": "hf_default", "team": "hf_mine"},
    }
    assert with_secrets({**given, "config": None}) == {**given, "config": None}
