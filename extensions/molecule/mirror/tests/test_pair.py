# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two mirrors behind their real servers: mirror12 syncs and is decided about, mirror13 follows it."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from failover.publishing import FOLDER, REPO, SYNC, change, configure, edit, whole
from testhosts import MIRRORS, connect

FOLLOW = f"hf-mirror --peer http://{MIRRORS['mirror12']} follow"
COMPARE = f"hf-mirror --peer http://{MIRRORS['mirror12']} compare"
KILLS = 20 if os.environ.get("TEST_PROFILE") == "full" else 5
FULL = os.environ.get("TEST_PROFILE") == "full"


def main_of(host: Host) -> str:
    return host.check_output("basename $(readlink /srv/hf-mirror/hub/%s/.mirror/rev/main)", FOLDER)


@pytest.fixture(scope="module")
def active() -> Host:
    return connect("mirror12")


@pytest.fixture(scope="module")
def standby() -> Host:
    return connect("mirror13")


@pytest.fixture(scope="module", autouse=True)
def repository(active: Host, standby: Host) -> Iterator[None]:
    """A repository that changes, beside those of the role's whitelist."""
    change(0)
    configure("mirror12")
    active.check_output(f"{SYNC} sync")
    standby.check_output(FOLLOW)
    yield
    active.check_output(f"{SYNC} sync --state absent")
    standby.check_output(FOLLOW)
    for host in (active, standby):
        # as though it had never been there, for the tests that compare what a run leaves
        host.check_output("rm -rf /srv/hf-mirror/views/pair /srv/hf-mirror/removed")
        host.check_output("hf-mirror sync")


def agree(standby: Host) -> None:
    standby.check_output(FOLLOW)
    compared = standby.run(COMPARE)
    assert compared.rc == 0, compared.stdout
    for name in MIRRORS:
        sound = connect(name).run("hf-mirror fsck")
        assert sound.rc == 0, sound.stdout


def test_both_have_the_same(standby: Host) -> None:
    agree(standby)


def test_nobody_else_sees_what_peers_see() -> None:
    for path in ("catalogue.json", f"hub/{FOLDER}/rev/{'0' * 40}/info.blobs.json", f"pool/{'0' * 64}"):
        answer = connect("client13").run(
            "curl -s -o /dev/null -w '%%{http_code}' %s", f"http://10.89.78.11/_peer/{path}"
        )
        assert answer.stdout == "404"


def test_the_follower_is_killed_at_random_instants(active: Host, standby: Host) -> None:
    instants = random.Random(None if FULL else "the same every time")
    for number in range(1, KILLS + 1):
        change(number)
        active.check_output(f"{SYNC} sync")
        if number % 3 == 2:
            active.check_output(f"hf-mirror rollback {REPO}")
        active.check_output(f"{SYNC} gc --grace 0")
        killed = standby.run(f"timeout --signal KILL {instants.uniform(0.2, 1.2):.3f} {FOLLOW}")
        assert killed.rc in (0, 137)
        assert len(whole(MIRRORS["mirror13"])) == 1
    active.check_output(f"{SYNC} gc --grace 0")
    agree(standby)
    assert whole(MIRRORS["mirror12"]) == whole(MIRRORS["mirror13"])


def test_the_active_one_is_killed_while_it_publishes(active: Host, standby: Host) -> None:
    instants = random.Random(None if FULL else "the same every time")
    for number in range(100, 100 + KILLS):
        change(number)
        killed = active.run(f"timeout --signal KILL {instants.uniform(0.3, 1.2):.3f} {SYNC} sync")
        assert killed.rc in (0, 137)
        standby.run(FOLLOW)
        assert len(whole(MIRRORS["mirror12"])) == 1 and len(whole(MIRRORS["mirror13"])) == 1
    active.check_output(f"{SYNC} sync")
    active.check_output(f"{SYNC} gc --grace 0")
    agree(standby)
    assert whole(MIRRORS["mirror13"]) == {str(100 + KILLS - 1)}


@pytest.mark.parametrize("second", sorted(MIRRORS))
def test_a_download_of_a_retired_commit_comes_to_its_end(active: Host, standby: Host, second: str) -> None:
    text = "".join(random.Random(second).choices("0123456789abcdef", k=60000))
    edit({"long.txt": text})
    active.check_output(f"{SYNC} sync")
    standby.check_output(FOLLOW)
    commit, client = main_of(active), connect("client13")
    url = f"http://%s/{REPO}/resolve/{commit}/long.txt"
    client.check_output(f"curl -fs -r 0-29999 -o /tmp/long {url % MIRRORS['mirror12']}")
    # the commit that it began with is replaced, and nothing names it any more
    edit({"long.txt": "x"})
    active.check_output(f"{SYNC} sync")
    active.check_output(f"{SYNC} gc")
    standby.check_output(FOLLOW)
    assert commit not in (main_of(active), main_of(standby))
    client.check_output(f"curl -fs -C - -o /tmp/long {url % MIRRORS[second]}")
    assert client.check_output("sha256sum /tmp/long").split()[0] == hashlib.sha256(text.encode()).hexdigest()
    agree(standby)
    # and when the grace is over it goes, on both
    active.check_output(f"{SYNC} gc --grace 0")
    agree(standby)
    for name in MIRRORS:
        assert client.run(f"curl -fs {url % MIRRORS[name]}").rc != 0
