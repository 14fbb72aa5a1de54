# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""promote.yml, rollback.yml and gc.yml on two mirrors, and what a client sees of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hub.repos import Library
from testhosts import HUB, MIRRORS, connect, playbook

REPO = {"repo_id": "stand-in/tiny-dataset", "repo_type": "dataset", "publish": "manual"}


def named(name: str, commit: str) -> tuple[str, ...]:
    """Return the arguments that order a playbook to name a commit."""
    given = {"repo": REPO["repo_id"], "repo_type": "dataset", "commit": commit}
    return (
        f"playbooks/{name}.yml",
        *(word for key, value in given.items() for word in ("-e", f"{name}_{key}={value}")),
    )


LIST = "/tmp/refs.yml"  # noqa: S108 - on a test host

Sync = Callable[..., None]


def served(name: str) -> str:
    """Return the commit that a client gets from a mirror when it asks for main."""
    url = f"http://{MIRRORS[name]}/datasets/{REPO['repo_id']}/resolve/main/README.md"
    heads = connect("client13").check_output("curl -fsI %s", url)
    found = re.search(r"^x-repo-commit: ([0-9a-f]{40})", heads, re.IGNORECASE | re.MULTILINE)
    assert found, heads
    return found[1]


def all_serve() -> set[str]:
    return {served(name) for name in MIRRORS}


@pytest.fixture
def commits(library: Library) -> list[str]:
    found = [commit.id for commit in library.repo("dataset", REPO["repo_id"]).commits]
    assert len(found) == 2
    return found


@pytest.fixture
def sync(commits: list[str]) -> Iterator[Sync]:
    """Let a mirror fetch a commit, which waits there for a person."""
    hub = connect("hub1")

    def order(what: str, **body: Any) -> None:
        hub.check_output("curl -fs %s -d %s", f"{HUB}/_hub/{what}", json.dumps(body))

    def run(commit: str, *mirrors: str) -> None:
        order("move", repo_id=REPO["repo_id"], repo_type="dataset", commit=commit)
        for name in mirrors:
            connect(name).check_output(f"hf-mirror --config {LIST} --store /srv/hf-mirror --endpoint {HUB} sync")

    for name in MIRRORS:
        connect(name).check_output("echo %s > %s", json.dumps([REPO]), LIST)
    yield run
    order("reset")
    for name in MIRRORS:
        connect(name).check_output(f"hf-mirror --config {LIST} --store /srv/hf-mirror sync --state absent && rm {LIST}")


def test_approval_by_hand_and_the_way_back(sync: Sync, commits: list[str]) -> None:
    old, new = commits
    sync(old, *MIRRORS)
    done = playbook(*named("promote", old))
    assert done.returncode == 0, done.stdout
    assert all_serve() == {old}

    first, second = MIRRORS
    sync(new, first)
    refused = playbook(*named("promote", new[:12]))
    assert refused.returncode != 0 and f"dataset {REPO['repo_id']} has no commit {new[:12]} here" in refused.stdout
    assert all_serve() == {old}, "one that lacks it keeps all from it"

    sync(new, second)
    looked = playbook(*named("promote", new[:12]), "--check")
    assert looked.returncode == 0 and looked.stdout.count(f"+dataset {REPO['repo_id']} main {new}") == 2
    assert all_serve() == {old}
    done = playbook(*named("promote", new[:12]))
    assert done.returncode == 0 and all_serve() == {new}, done.stdout

    back = (*named("rollback", old), "-e", "rollback_note='it lies'")
    done = playbook(*back)
    assert done.returncode == 0 and all_serve() == {old}, done.stdout
    again = playbook(*back)
    assert again.returncode == 0 and not re.search(r"changed=[1-9]", again.stdout)
    sync(new, *MIRRORS)
    assert all_serve() == {old}, "no sync brings it again"
    for name in MIRRORS:
        told = connect(name).check_output(f"hf-mirror log {REPO['repo_id']} --repo-type dataset")
        assert re.search(rf"main: {new[:12]} -> {old[:12]} \(roll-back 3, ansible.*\): it lies$", told, re.MULTILINE)
        assert connect(name).check_output("find /srv/hf-mirror ! -user hf-mirror") == ""
        assert connect(name).run("hf-mirror fsck").rc == 0


@pytest.mark.parametrize("name", ["promote", "rollback"])
def test_an_order_that_is_not_complete_is_refused_in_a_sentence(name: str) -> None:
    done = playbook(f"playbooks/{name}.yml", "-e", f"{name}_repo=a/b")
    assert done.returncode != 0
    assert f"Name the repository and the commit: -e {name}_repo=ORG/NAME -e {name}_commit=ID" in " ".join(
        done.stdout.split()
    )


def test_gc_tells_what_it_would_free() -> None:
    blob = f"/srv/hf-mirror/pool/{'f' * 64}"
    host = connect("mirror12")
    host.check_output(f"install -o hf-mirror -g hf-mirror -m 0444 /etc/hostname {blob}")
    try:
        grace = ("-e", "mirror_sync_grace=0", "--limit", "mirror12")
        looked = playbook("playbooks/gc.yml", *grace, "--check")
        assert looked.returncode == 0 and re.search(r"^\+\d+ bytes are freed$", looked.stdout, re.MULTILINE)
        assert host.file(blob).exists
        done = playbook("playbooks/gc.yml", *grace)
        assert done.returncode == 0 and not host.file(blob).exists, done.stdout
    finally:
        host.run(f"rm -f {blob}")
