# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror left alone: its timer, its unit, alerts, and syncs whose starter has gone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testinfra.host import Host

from testhosts import HUB, INVENTORY, TOP, active, configuration_kept, connect, drained, until

RECEIVERS = "https://10.89.78.10/_receivers"
LARGE = "stand-in/one-large-file"
BIG = 300_000_000


@pytest.fixture(scope="module", autouse=True)
def active_node() -> Iterator[None]:
    """Its timer does nothing on a standby."""
    with drained("mirror13"):
        until(lambda: active() == ["mirror12"])
        yield


@pytest.fixture
def mirror() -> Host:
    return connect("mirror12")


@pytest.fixture
def hub() -> Iterator[Host]:
    host = connect("hub1")
    host.check_output(f"curl -fs {HUB}/_hub/reset -d '{{}}'")
    yield host
    host.check_output("systemctl start hub")
    until(lambda: host.run(f"curl -fs {HUB}/_hub/reset -d '{{}}'").rc == 0)


def messages(hub: Host) -> list[dict[str, Any]]:
    found: Any = json.loads(hub.check_output(f"curl -fsk {RECEIVERS}/messages"))
    return list(found["messages"] if isinstance(found, dict) else found)


def test_the_timer_is_on_and_its_time_is_one(mirror: Host) -> None:
    assert mirror.check_output("systemctl is-enabled hf-mirror-sync.timer") == "enabled"
    assert mirror.check_output("systemctl is-active hf-mirror-sync.timer") == "active"
    shown = mirror.check_output(
        "systemctl show hf-mirror-sync.timer -p TimersCalendar -p Persistent -p RandomizedDelayUSec"
    )
    assert "OnCalendar=*-*-* 04:00:00" in shown and "Persistent=yes" in shown and "30min" in shown
    mirror.check_output("systemd-analyze calendar '*-*-* 04:00:00'")


def test_the_access_log_is_counted(mirror: Host) -> None:
    assert mirror.check_output("systemctl is-enabled hf-mirror-count.timer") == "enabled"

    def counted() -> dict[str, Any]:
        mirror.check_output("systemctl start hf-mirror-count.service")
        traffic = json.loads(mirror.check_output("hf-mirror status --json"))["traffic"]
        return dict(traffic["total"])

    before = counted().get("served", {"requests": 0})["requests"]
    mirror.check_output("curl -fs http://127.0.0.1/hysts/ArcFace-resnet100/resolve/main/model.onnx -o /dev/null")
    assert counted()["served"]["requests"] > before


def test_the_unit_syncs_as_the_service_user_and_can_write_nothing_else(mirror: Host) -> None:
    mirror.check_output("systemctl start hf-mirror-sync.service")
    # what becomes of the pair is told there, too
    last = json.loads(mirror.check_output('grep -h \'"kind":"run"\' /srv/hf-mirror/ledger/*.jsonl | tail -n 1'))
    assert not last["failed"] and not last["succeeded"]
    assert mirror.check_output("find /srv/hf-mirror ! -user hf-mirror") == ""
    show = mirror.check_output("systemctl show hf-mirror-sync.service -p ProtectSystem -p User -p ReadWritePaths")
    assert "ProtectSystem=strict" in show and "User=hf-mirror" in show and "ReadWritePaths=/srv/hf-mirror" in show
    limits = mirror.check_output("systemctl show hf-mirror-sync.service -p TimeoutStartUSec -p MemoryMax")
    assert f"MemoryMax={4096 << 20}" in limits and "TimeoutStartUSec=1w 5min" in limits


def shown(mirror: Host, unit: str, *names: str) -> dict[str, set[str]]:
    """Return settings of a unit; a path that is named twice is one."""
    told = mirror.check_output(f"systemctl show {unit} {' '.join(f'-p {name}' for name in names)}")
    return {name: set(value.split()) for name, _equals, value in (line.partition("=") for line in told.splitlines())}


def assert_confined(mirror: Host) -> None:
    """What a playbook starts is as confined as what the timer starts."""
    unit = mirror.check_output("systemctl list-units --plain --no-legend 'hf-mirror-run-*.service'").split()[0]
    asked = ("ProtectSystem", "ReadWritePaths", "NoNewPrivileges", "MemoryMax", "MainPID")
    show, timer = (shown(mirror, one, *asked) for one in (unit, "hf-mirror-sync.service"))
    number = show.pop("MainPID").pop()
    assert show == {name: value for name, value in timer.items() if name in show}
    assert show["ProtectSystem"] == {"strict"} and show["MemoryMax"] == {str(4096 << 20)}
    # real, effective, saved: there is no way back
    ids = mirror.check_output(f"grep ^Uid: /proc/{number}/status").split()[1:]
    assert ids == [mirror.check_output("id -u hf-mirror")] * 4
    told = mirror.check_output(f"cat /proc/{number}/cmdline /proc/{number}/environ | tr '\\0' ' '")
    assert "fedcba9876543210" not in told


def test_a_sync_by_root_leaves_nothing_of_root_in_the_store(mirror: Host) -> None:
    assert json.loads(mirror.check_output("hf-mirror sync --json"))["failures"] == {}
    assert mirror.check_output("find /srv/hf-mirror ! -user hf-mirror") == ""
    mirror.check_output("runuser -u hf-mirror -- hf-mirror --config /etc/hf-mirror/config.yml status")
    assert mirror.run("hf-mirror fsck").rc == 0


def test_secrets_are_for_root_alone_and_shown_nowhere(mirror: Host) -> None:
    for name in ("tokens.yml", "alerts.conf"):
        file = mirror.file(f"/etc/hf-mirror/{name}")
        assert (file.user, file.mode) == ("root", 0o600)
    # what a run of site.yml says is looked at by test_playbooks.py
    journal = mirror.check_output("journalctl -u hf-mirror-sync -u hf-mirror-alert --no-pager")
    assert "fedcba9876543210" not in journal and "693a91f6" not in journal


def test_three_failures_in_a_row_are_told_once_and_so_is_the_recovery(mirror: Host, hub: Host) -> None:
    hub.check_output("systemctl stop hub")
    known = len(messages(hub))
    for told in (0, 0, 2, 2):
        assert mirror.run("systemctl start hf-mirror-sync.service").rc != 0, "the Hub is off"
        until(
            lambda: mirror.run("systemctl is-active hf-mirror-alert.service").stdout.strip() in ("inactive", "failed")
        )
        assert len(messages(hub)) - known == told, "one message for each of two receivers, once"
    assert "deepinsight/inswapper-128" in json.dumps(messages(hub)[-1], ensure_ascii=False)
    hub.check_output("systemctl start hub")
    until(lambda: hub.run(f"curl -fs {HUB}/").rc == 0)
    mirror.check_output("systemctl start hf-mirror-sync.service")
    until(lambda: len(messages(hub)) - known == 4)
    mirror.check_output("systemctl start hf-mirror-sync.service")
    mirror.check_output("systemctl start hf-mirror-alert.service")
    assert len(messages(hub)) - known == 4
    mirror.check_output("hf-mirror alert --test")
    assert len(messages(hub)) - known == 6


@pytest.fixture
def slow_sync() -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start playbooks/sync.yml with a sync that takes some time, in a process group of its own."""
    started: list[subprocess.Popen[bytes]] = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment["ANSIBLE_CONFIG"] = str(TOP / "ansible.cfg")
    variables = {"models_to_sync": [{"repo_id": LARGE}], "mirror_sync_bandwidth": 20_000_000}
    command = ["ansible-playbook", "-i", str(INVENTORY), "playbooks/sync.yml", "--limit", "mirror12"]

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*command, "-e", json.dumps(variables)],
            cwd=TOP,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(process)
        return process

    with configuration_kept("mirror12"):
        yield start
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_sync_goes_on_without_its_starter_and_the_next_start_follows_it(
    mirror: Host, hub: Host, slow_sync: Callable[[], subprocess.Popen[bytes]]
) -> None:
    mirror.run("hf-mirror --config /dev/null sync")  # nothing to read there: refused, and nothing touched
    part = "cat /srv/hf-mirror/staging/*.part 2>/dev/null | wc -c"
    first = slow_sync()
    until(lambda: int(mirror.check_output(part)) > 20_000_000)
    assert_confined(mirror)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = int(mirror.check_output(part))
    until(lambda: int(mirror.check_output(part)) > before + 20_000_000)
    assert mirror.run("hf-mirror sync").rc == 3, "somebody syncs"
    second = slow_sync()
    output, _nothing = second.communicate(timeout=240)
    assert second.returncode == 0, output.decode()
    store = "/srv/hf-mirror/hub/models--stand-in--one-large-file"
    assert mirror.check_output(f"stat -Lc %s {store}/snapshots/*/large.bin") == str(BIG)
    counts = json.loads(hub.check_output(f"curl -fs {HUB}/_hub/requests"))
    came = sum(entry["body_bytes"] for entry in counts["last"] if entry["origin"] == "content")
    assert came < BIG * 1.1, "nothing was fetched twice"
