# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pair is worked on, by its playbooks, while a client downloads: drained, upgraded, taken away, uninstalled."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import pytest

from hub.repos import Library
from reading import CLIENT, client_reads
from testhosts import CLIENTS, FLOATING, MIRRORS, active, are_well, connect, playbook, recap, until

FULL = pytest.mark.skipif(os.environ.get("TEST_PROFILE") != "full", reason="takes minutes: make test-full")
STORE, FOLLOW = "/srv/hf-mirror", "hf-mirror-follow"


def run(name: str, *variables: str, options: Sequence[str] = ()) -> tuple[int, str, int]:
    """Run a playbook with variables, and return its exit status, what it said in one line, and how much it changed."""
    done = playbook(f"playbooks/{name}.yml", *options, *(word for variable in variables for word in ("-e", variable)))
    changed = sum(counts["changed"] for counts in recap(done.stdout).values())
    return done.returncode, " ".join((done.stdout + done.stderr).split()), changed


@pytest.fixture(autouse=True)
def first() -> Iterator[str]:
    """Begin and end with a pair that is well; the active node."""
    until(are_well)
    yield active()[0]
    until(are_well)


@pytest.fixture
def second(first: str) -> str:
    (name,) = {*MIRRORS} - {first}
    return name


@pytest.fixture
def client_downloads(library: Library) -> Callable[[], AbstractContextManager[None]]:
    """Have a client download all the while, and see that it got what it asked for each time."""
    return functools.partial(client_reads, library)


@pytest.fixture
def following() -> Iterator[None]:
    """Begin with the same on both, and end without followers."""
    for name in MIRRORS:
        # what other tests brought to one of the two would follow
        connect(name).check_output("hf-mirror sync --state exact --max-delete 100%")
    yield
    for name in MIRRORS:
        connect(name).check_output(f"systemctl disable --now {FOLLOW}; rm -rf /run/{FOLLOW}")
    assert playbook("site.yml").returncode == 0


@pytest.mark.parametrize(
    ("name", "variables", "words"),
    [
        (
            "maintenance",
            ["maintenance_state=drained"],
            "Name the mirror: -e maintenance_node=NAME, one of mirror12, mirror13, not ''",
        ),
        (
            "maintenance",
            ["maintenance_node=mirror12", "maintenance_state=away"],
            "or active (-e maintenance_state=active), not 'away'",
        ),
        ("maintenance", ["maintenance_node=mirror12", "mirror_keepalived_address="], "There is no floating address"),
        ("failover_drill", ["drill=plug"], "one of nginx, keepalived, drain, not 'plug'"),
        (
            "uninstall",
            ["uninstall_store=true"],
            f"{', '.join((*MIRRORS, *CLIENTS))}, with its store",
        ),
        (
            "uninstall",
            ["uninstall_confirm=true", "uninstall_store=perhaps"],
            "uninstall_store must be true or false, not 'perhaps'",
        ),
        (
            "uninstall",
            ["uninstall_confirm=true", "uninstall_store=true", "mirror_sync_store=/usr/share"],
            "is not a store",
        ),
    ],
    ids=["no node", "state", "no pair", "drill", "not confirmed", "neither true nor false", "no store"],
)
def test_what_cannot_be_meant_is_refused(first: str, name: str, variables: list[str], words: str) -> None:
    status, said, changed = run(name, *variables)
    assert (status != 0, changed) == (True, 0)
    assert words in said
    assert active() == [first]


def test_a_node_is_drained_and_taken_back(
    first: str, second: str, client_downloads: Callable[[], AbstractContextManager[None]]
) -> None:
    mark = connect(first).file("/etc/hf-mirror/drained")
    status, said, changed = run("maintenance", f"maintenance_node={first}", options=["--check"])
    assert (status, changed, mark.exists) == (0, 1, False), said
    try:
        with client_downloads():
            status, said, changed = run("maintenance", f"maintenance_node={first}")
            assert (status, changed, active()) == (0, 1, [second]), said
            status, said, changed = run("maintenance", f"maintenance_node={first}")
            assert (status, changed, active()) == (0, 0, [second]), said
            status, said, changed = run("maintenance", f"maintenance_node={second}")
            assert (status, changed, active()) == (2, 0, [second])
            assert f"{second} can't be drained, because no other node can become active. {first}: this node is" in said
            status, said, changed = run("maintenance", f"maintenance_node={first}", "maintenance_state=active")
            assert (status, changed, are_well(), active()) == (0, 1, True, [second]), said
        status, said, changed = run("maintenance", f"maintenance_node={first}", "maintenance_state=active")
        assert (status, changed) == (0, 0), said
    finally:
        connect(first).check_output("rm -f /etc/hf-mirror/drained")


def test_nobody_hands_over_to_a_node_that_lacks_something(first: str, second: str) -> None:
    host = connect(second)
    host.check_output("mkdir /run/%s && touch -d '11 minutes ago' /run/%s/caught-up", FOLLOW, FOLLOW)
    try:
        assert are_well(), "when the active node dies it is better than none"
        status, said, changed = run("maintenance", f"maintenance_node={first}")
        assert (status, changed, active()) == (2, 0, [first]), said
        assert f"can become active. {second}: it has not got all that its peer has for ten minutes" in said
    finally:
        host.check_output("rm -r /run/%s", FOLLOW)


@pytest.mark.parametrize("way", ["nginx", pytest.param("keepalived", marks=FULL), pytest.param("drain", marks=FULL)])
def test_the_active_node_is_taken_away_and_put_back(
    first: str, second: str, way: str, client_downloads: Callable[[], AbstractContextManager[None]]
) -> None:
    with client_downloads():
        status, said, _changed = run("failover_drill", f"drill={way}")
        assert (status, are_well(), active()) == (0, True, [second]), said
    told = dict(re.findall(r"(\w+): ([\w.]+)\b(?!:)", said.partition("[Report]")[2]))
    assert (told["was_active"], told["seen_from"]) == (first, sorted(CLIENTS)[0])
    assert (told[first], told[second]) == ("standby", "active")
    assert int(told["answers"]) > 0
    # a second without an answer is what stopping nginx is about; the other ways may be missed by nobody
    assert int(told["failures"]) > 0 or way != "nginx"
    assert connect(first).run("systemctl status hf-mirror-drill-end.timer").rc == 4, "it is gone"


@FULL
def test_the_pair_is_upgraded_without_a_gap(
    first: str, second: str, following: None, client_downloads: Callable[[], AbstractContextManager[None]]
) -> None:
    config = "/etc/nginx/conf.d/hf-mirror.conf"
    variables = {"mirror_sync_follow": True, "mirror_nginx_rate": 999}
    runs = f'cat {STORE}/ledger/*.jsonl | grep -c \'"kind":"run"\''
    before = {name: connect(name).check_output(runs) for name in MIRRORS}
    with client_downloads():
        status, said, _changed = run("upgrade", json.dumps(variables))
        assert (status, are_well(), active()) == (0, True, [second]), said
    order = re.findall(r"PLAY \[Upgrade one.*?\[(mirror\d+)\]", said)
    assert order == [second, first]
    for name in MIRRORS:
        host = connect(name)
        assert "rate=999r/s" in host.file(config).content_string
        assert host.file(f"/run/{FOLLOW}/caught-up").exists
        assert host.check_output(runs) == before[name], "it asks the Hub for nothing"
        assert host.run(f"hf-mirror --peer http://{MIRRORS[first if name == second else second]} compare").rc == 0


@FULL
def test_an_upgrade_that_fails_leaves_the_address_where_it_is(first: str, second: str) -> None:
    broken = "/etc/nginx/conf.d/zz-other-site.conf"
    connect(second).check_output("echo nonsense > %s", broken)
    try:
        status, said, _changed = run("upgrade", '{"upgrade_packages": [], "mirror_nginx_rate": 998}')
        assert (status, active()) == (2, [first]), said
        assert f"{second} could not be upgraded (nginx rejected the new configuration" in said
        assert connect(second).file("/etc/hf-mirror/drained").exists
        assert not connect(first).file("/etc/hf-mirror/drained").exists
        status, said, changed = run("upgrade", '{"upgrade_packages": []}')
        assert (status, changed) == (2, 0)
        assert f"{second} is not healthy, fix or reactivate it (maintenance.yml) first: this node is drained" in said
    finally:
        connect(second).check_output("rm %s", broken)
        status, said, changed = run("maintenance", f"maintenance_node={second}", "maintenance_state=active")
        assert (status, changed) == (0, 1), said


@FULL
@pytest.mark.parametrize("remove_store", [False, True])
def test_what_was_installed_is_removed_and_built_again(first: str, remove_store: bool) -> None:
    host, client = connect(first), connect(CLIENT)
    only, order = ["--limit", f"{first},{CLIENT}"], [f"uninstall_store={remove_store}"]
    inodes = f"find {STORE}/hub -type f -printf '%i %p\\n' | sort"
    before = host.check_output(inodes)
    status, said, changed = run("uninstall", *order, options=[*only, "--check"])
    assert status == 0 and changed > 0, said
    assert active() == [first]

    order.append("uninstall_confirm=true")
    status, said, changed = run("uninstall", *order, options=only)
    assert status == 0 and changed > 0, said
    kept = set() if remove_store else {STORE, "/var/lib/hf-mirror"}
    # what systemd keeps of a unit whose host was killed is systemd's
    left = f"find / /run -xdev -path {STORE}/hub -prune -o -name '*hf-mirror*' ! -name 'systemd-private-*' -print"
    assert set(host.check_output(left).splitlines()) == kept | {"/var/log/hf-mirror"}
    assert host.exists("nginx") and host.service("nginx").is_running
    assert not host.file("/etc/keepalived/keepalived.conf").exists
    assert (host.run("getent passwd hf-mirror").rc == 0) == (not remove_store)
    assert "hf_mirror" not in host.check_output("nft list tables")
    assert "worker_connections 768;\n" in host.file("/etc/nginx/nginx.conf").content_string
    assert client.check_output("env -i bash -lc 'echo $HF_ENDPOINT'") == ""
    assert client.run("systemd-run --quiet --pipe --wait printenv HF_ENDPOINT").rc == 1
    until(lambda: host.run(f"curl -fs -o /dev/null http://{FLOATING}/").rc == 0)
    status, said, changed = run("uninstall", *order, options=only)
    assert (status, changed) == (0, 0), said

    done = playbook("site.yml", *only)
    assert done.returncode == 0, done.stdout
    after = host.check_output(inodes)
    assert after if remove_store else after == before
    until(are_well)
