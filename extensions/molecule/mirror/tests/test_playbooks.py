# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks as an operator runs them on hosts that are set up: again, in check mode, and with nonsense."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from testhosts import MIRRORS, configuration_kept, connect, container, playbook, recap


def fingerprint(name: str) -> list[str]:
    """Everything on a mirror but its diary and the status; folders change when a draft comes and goes in them."""
    store = "srv/hf-mirror"
    pruned = " -o ".join([f"-path {store}/{folder}" for folder in ("ledger", "locks", "v1")] + ["-name run"])
    found = connect(name).check_output(
        f"cd / && find {store} etc/nginx opt/hf-mirror \\( {pruned} \\) -prune -o -type d -printf '%p %m %u\\n'"
        " -o -printf '%p %i %m %u %T@ %l\\n'"
    )
    return sorted(found.splitlines())


#: Of the robots in the inventory.
SECRET = "fedcba9876543210"


@pytest.mark.parametrize("arguments", [[], ["--check", "--diff", "-vvv"]], ids=["run", "check"])
def test_a_converged_host_stays_as_it_is(arguments: list[str]) -> None:
    before = {name: fingerprint(name) for name in MIRRORS}
    done = playbook("site.yml", *arguments)
    assert done.returncode == 0, done.stdout
    counts = recap(done.stdout)
    assert set(MIRRORS) < set(counts)
    assert all(host["changed"] == 0 for host in counts.values()), done.stdout
    assert {name: fingerprint(name) for name in MIRRORS} == before
    assert SECRET not in done.stdout + done.stderr


def test_check_mode_on_a_bare_host_says_what_it_cannot_foresee(tmp_path: Path) -> None:
    """A client's host has nothing of a mirror on it."""
    inventory = tmp_path / "hosts.json"
    host = {
        "ansible_connection": "test_host",
        "ansible_host": container("client13"),
        "ansible_podman_executable": str(Path(__file__).parents[4] / "tests" / "hosts" / "bin" / "podman"),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    models = [{"repo_id": "stand-in/tiny-model"}]
    group = {"hosts": {"bare": host}, "vars": {"models_to_sync": models}}
    inventory.write_text(json.dumps({"mirrors": group, "hub_clients": {"hosts": {}}}))
    done = playbook("site.yml", "--check", "--diff", inventory=inventory)
    assert done.returncode == 0, done.stdout
    assert "bare has no /opt/hf-mirror/venv/bin/python, " in done.stdout
    assert "bare has no /usr/sbin/nginx, " in done.stdout
    assert connect("client13").run("test -e /srv/hf-mirror || test -e /etc/nginx").rc == 1


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ([], "the whitelist is empty"),
        ([{"repo_id": "a/b", "fles": ["x"]}], "whitelist entry 1 (a/b): unknown key fles"),
        ([{"repo_id": "a/b", "files": ["../x"]}], "'..' component"),
    ],
)
def test_a_wrong_whitelist_is_refused_before_anything_is_touched(models: list[Any], words: str) -> None:
    before = {name: fingerprint(name) for name in MIRRORS}
    done = playbook("playbooks/sync.yml", "-e", json.dumps({"models_to_sync": models}))
    assert done.returncode != 0
    assert words in done.stdout + done.stderr
    assert {name: fingerprint(name) for name in MIRRORS} == before


def test_what_the_hub_lacks_fails_by_name_and_the_others_sync() -> None:
    models = [{"repo_id": "no/such"}, {"repo_id": "stand-in/tiny-model", "revision": "v1"}]
    with configuration_kept("mirror12"):
        done = playbook("playbooks/sync.yml", "--limit", "mirror12", "-e", json.dumps({"models_to_sync": models}))
        # the timer goes by the same list as the play did
        entries = json.loads(connect("mirror12").check_output("hf-mirror status --json"))["entries"]
        assert "no/such@main" in [entry["name"] for entry in entries]
    assert done.returncode != 0
    assert "has no model no/such" in done.stdout + done.stderr
    assert connect("mirror12").file("/srv/hf-mirror/hub/models--stand-in--tiny-model/.mirror/rev/v1").is_symlink


def test_a_byte_flipped_upstream_is_refused() -> None:
    hub = connect("hub1")

    def order(what: str, **body: Any) -> None:
        hub.check_output("curl -fs http://10.89.78.10/_hub/%s -d %s", what, json.dumps(body))

    repo, path = "stand-in/tiny-model", "model.safetensors"
    order("flip", repo_id=repo, path=path)
    try:
        models = [{"repo_id": repo, "revision": "refs/pr/1"}]
        with configuration_kept("mirror13"):
            done = playbook("playbooks/sync.yml", "--limit", "mirror13", "-e", json.dumps({"models_to_sync": models}))
        assert done.returncode != 0
        assert re.search(r"is corrupt upstream: expected SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}", done.stdout)
        folder = "/srv/hf-mirror/hub/models--stand-in--tiny-model"
        assert not connect("mirror13").file(folder).exists, "nothing of it is published"
    finally:
        order("reset")
