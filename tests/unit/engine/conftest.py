# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run mirror_models as Ansible does, against the stand-in Hub."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import http as _http
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import source as _source
from ansible_collections.modelops.hf_mirror.plugins.modules import mirror_models
from unit.engine.two_nodes import Pair
from unit.engine.upstreams import SWAPPER, Odd

from hub.process import HubProcess

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


@pytest.fixture
def call(store: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a module on the store."""

    def run(module: Any, check: bool = False, **options: Any) -> dict[str, Any]:
        capfd.readouterr()
        given = {name: value for name, value in {"store": str(store), **options}.items() if value is not None}
        arguments = {**given, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        answer: dict[str, Any] = json.loads(capfd.readouterr().out)
        return answer

    return run


@pytest.fixture
def sync(hub: HubProcess, call: Run) -> Run:
    def run(*models: Any, check: bool = False, **options: Any) -> dict[str, Any]:
        return call(mirror_models, check, **{"endpoint": hub.url, "models": list(models), **options})

    return run


@pytest.fixture
def listed(hub: HubProcess) -> Callable[[str], dict[str, Any]]:
    def find(repo_id: str) -> dict[str, Any]:
        found: dict[str, Any] = next(repo for repo in hub.control("repos") if repo["repo_id"] == repo_id)
        found["files"] = next(c["files"] for c in found["commits"] if c["commit"] == found["main"])
        return found

    return find


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Turn the engine's wall clock forward by some seconds."""

    def turn(seconds: float) -> None:
        monkeypatch.setattr(Clock, "now", lambda _clock: time.time() + seconds)

    return turn


def everything(top: Path) -> list[tuple[str, int, int]]:
    """List what stands under a folder, as path, mode and time of its last change in ns."""
    return [(str(file), file.lstat().st_mode, file.lstat().st_mtime_ns) for file in sorted(top.rglob("*"))]


@pytest.fixture
def pair(tmp_path: Path, hub: HubProcess) -> Iterator[Pair]:
    """Two nodes, nothing synced yet."""
    tmp_path.chmod(0o755)
    pair = Pair(tmp_path, hub)
    yield pair
    for node in pair.nodes.values():
        node.kill()


# ---- several upstreams


@pytest.fixture(scope="module")
def running_other(contents: Path) -> Iterator[HubProcess]:
    with HubProcess(contents) as other:
        yield other


@pytest.fixture
def other(running_other: HubProcess) -> HubProcess:
    running_other.control("reset", {})
    return running_other


@pytest.fixture(params=["first", "second"])
def odd(request: pytest.FixtureRequest, hub: HubProcess, other: HubProcess) -> Odd:
    return (other, [other, hub] if request.param == "first" else [hub, other])


@pytest.fixture
def published(store: Path) -> Callable[..., str | None]:
    def find(repo_id: str = SWAPPER) -> str | None:
        ref = store / "hub" / f"models--{repo_id.replace('/', '--')}" / ".mirror/rev/main"
        return os.readlink(ref) if ref.is_symlink() else None

    return find


@pytest.fixture
def telling(sync: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Sync, with what the module warns of in its answer."""
    told: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: told.append(text))

    def run(*models: Any, **options: Any) -> dict[str, Any]:
        told.clear()
        return {**sync(*models, **options), "warnings": [*told]}

    return run


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes half a minute in life takes a second here."""
    monkeypatch.setattr(_source, "_STALL_SECONDS", 1.0)
    monkeypatch.setattr(_http, "READ_TIMEOUT", 1)
    monkeypatch.setattr(_http.Http, "backoff", lambda http, attempt: http.clock.sleep(0.01 * attempt))
