# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store on a small disk of its own that really gets full."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from testhosts import connect

STORE = "/mnt/small"
LARGE = "stand-in/one-large-file@main"
MODELS = [{"repo_id": "stand-in/one-large-file"}, {"repo_id": "stand-in/tiny-model"}]


@pytest.fixture
def mirror() -> Iterator[Host]:
    host = connect("mirror13")
    host.check_output(
        "mkdir -p %s && mount -t tmpfs -o size=200M,mode=755 tmpfs %s && chown hf-mirror: %s", STORE, STORE, STORE
    )
    host.check_output("echo %s > /tmp/models.yml", json.dumps(MODELS))
    yield host
    host.check_output("umount %s", STORE)


def test_a_full_disk_is_told_and_harms_nothing(mirror: Host) -> None:
    command = (
        f"hf-mirror --config /tmp/models.yml --store {STORE} --endpoint http://10.89.78.10 --reserve %s sync --json"
    )
    refused = mirror.run(command % 3)
    assert refused.rc == 1
    assert (
        f"the disk of {STORE} is full (3 % stay free)"
        in json.loads(refused.stdout)["failures"][f"{MODELS[0]['repo_id']}@main"]
    )
    assert mirror.file(f"{STORE}/hub/models--stand-in--tiny-model/refs/main").exists, "what there is room for"
    # somebody else fills the disk while we write
    mirror.check_output(f"mount -o remount,size=320M {STORE}")
    full = mirror.run(
        f"{command % 0} --bandwidth 60000000 & "
        f"until [ $(cat {STORE}/staging/*.part | wc -c) -gt 20000000 ]; do sleep 0.1; done;"
        f"head -c 150M /dev/zero > {STORE}/pool/.other; wait $!"
    )
    assert full.rc == 1
    assert f"the disk of {STORE}/staging is full" in json.loads(full.stdout)["failures"][LARGE]
    mirror.check_output(f"rm {STORE}/pool/.other && mount -o remount,size=500M {STORE}")
    assert mirror.run(command % 3).rc == 0
    assert mirror.run(f"hf-mirror --store {STORE} --config /tmp/models.yml fsck").rc == 0
