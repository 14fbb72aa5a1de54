# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository that changes while nodes come and go."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import time

from failover.faults import DEAD, Fault, power_off
from failover.pair import have_caught_up
from testhosts import HUB, MIRRORS, PODMAN, active, are_well, connect, container, power_on, until

#: Of each run its own: the Hub keeps what it was told.
REPO, FOLDER = f"pair/model-{os.getpid()}", f"models--pair--model-{os.getpid()}"
MODELS = "/tmp/pair.yml"  # noqa: S108 - on a test host
SYNC = f"hf-mirror --config {MODELS} --store /srv/hf-mirror --endpoint {HUB}"
_HASHES = "cd /srv/hf-mirror/hub && find -L ./*/snapshots -type f | sort | xargs -d '\\n' sha256sum | sha256sum"


def edit(changes: dict[str, str]) -> None:
    """Let the repository's main have other files at the Hub, where other tests may have set all back."""
    hub = connect("hub1")
    for create in (False, True):
        body = json.dumps({"repo_id": REPO, "create": create, "changes": changes})
        answer = hub.run("curl -fs %s -d %s", f"{HUB}/_hub/edit", body)
        if answer.rc == 0:
            return
    raise AssertionError(answer.stdout)


def change(number: int) -> None:
    edit({**{f"part-{n}.txt": f"{number} {n} " * 2000 for n in range(8)}, "same.txt": "same " * 5000})


def whole(address: str) -> set[str]:
    """Return the numbers that a client reads in the files of main on a mirror: of one commit, or it is broken."""
    base = f"http://{address}/{REPO}/resolve"
    client = connect("client13")
    head = client.check_output("curl -fsI %s", f"{base}/main/same.txt").lower()
    commit = head.partition("x-repo-commit:")[2].split()[0]
    paths = " ".join(f"{base}/{commit}/part-{number}.txt" for number in range(8))
    texts = client.check_output(f"for url in {paths}; do curl -fs $url | cut -d ' ' -f 1; done")
    return set(texts.split())


def configure(name: str) -> None:
    """Have a mirror's whitelist name the repository."""
    connect(name).check_output("echo %s > %s", json.dumps([{"repo_id": REPO, "keep": 1, "views": ["pair"]}]), MODELS)


class Publishing:
    """Both nodes know the repository; whoever is active publishes."""

    def __init__(self) -> None:
        self._number = 0
        self._instants = random.Random()
        self.publish()
        until(self.are_equal)

    def publish(self) -> None:
        """Have a new commit on the active node."""
        self._number += 1
        change(self._number)
        (name,) = active()
        configure(name)
        connect(name).check_output(f"{SYNC} sync")

    def killed(self) -> Fault:
        """Return the fault of a host that is killed in the middle of a sync."""
        return Fault(self._kill, power_on, DEAD)

    def _kill(self, name: str) -> None:
        self._number += 1
        change(self._number)
        configure(name)
        command = [PODMAN, "exec", container(name), *SYNC.split(), "sync"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sync:
            with contextlib.suppress(subprocess.TimeoutExpired):
                sync.wait(self._instants.uniform(0.3, 1.5))
            power_off(name)

    def is_whole(self, address: str) -> bool:
        """Say whether a mirror has the last commit, or the one before, whole."""
        found = whole(address)
        return len(found) == 1 and found <= {str(self._number), str(self._number - 1)}

    def are_equal(self) -> bool:
        """Say whether both have the same, each file of each commit compared by its hash."""
        peers = zip(MIRRORS, reversed(MIRRORS.values()))
        compared = [connect(name).run(f"hf-mirror --peer http://{peer} compare").rc for name, peer in peers]
        return not any(compared) and len({connect(name).check_output(_HASHES) for name in MIRRORS}) == 1

    def away(self, count: int) -> float:
        """Publish so many commits while the standby is away, and return how long it then took to have them."""
        (first,) = active()
        (second,) = {*MIRRORS} - {first}
        power_off(second)
        try:
            for _sync in range(count):
                self.publish()
        finally:
            power_on(second)
        begun = time.monotonic()
        until(lambda: are_well() and have_caught_up(), 120)
        until(self.are_equal, 120)
        return time.monotonic() - begun

    def retire(self) -> None:
        """Take the repository away again, as though it had never been there."""
        (name,) = active()
        connect(name).check_output(f"{SYNC} sync --state absent")
        until(self.are_equal)
        for host in map(connect, MIRRORS):
            host.check_output("rm -rf /srv/hf-mirror/removed")
