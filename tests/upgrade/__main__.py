# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrade a pair: ``python -m upgrade``, which ``tests/setup/upgrade.sh`` does on the hosts of the tests.

The older version builds the pair, from its own inventory. The standby is upgraded first, and until the other one is,
either of the two publishes what the other has to follow.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from failover.publishing import Publishing
from hub.repos import Library
from reading import client_reads
from testhosts import MIRRORS, TOP, active, are_well, connect, drained, playbook, recap, until

#: As an operator's pair is; those of the tests are left alone otherwise.
_PAIR = ("--limit", "mirrors", "-e", '{"mirror_sync_follow": true}')
_CONTENTS = "find /srv/hf-mirror/hub -type f -size +20k -printf '%i %f\\n' | sort -u"


def main() -> int:
    """Read the command line, and upgrade."""
    parser = argparse.ArgumentParser(prog="python -m upgrade", description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="older", metavar="COMMIT", help="the older version (default: the last release)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=TOP / ".cache") as folder:
        tree = unpack(options.older or last_release(), Path(folder))
        inventory = tree / "extensions" / "molecule" / "inventory"
        run("site.yml", tree=tree, inventory=inventory)
        until(are_well)
        upgrade(inventory)
    print("upgraded")
    return 0


def last_release() -> str:
    """Return the commit of the last release: nothing else writes the changelog's record."""
    command = ["git", "-C", str(TOP), "log", "-1", "--format=%H", "--", "changelogs/changelog.yaml"]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    if not found:
        raise SystemExit("This history has no release. Name a commit: tests/setup/upgrade.sh --from COMMIT")
    return found


def unpack(commit: str, folder: Path) -> Path:
    """Write the files of a commit into a folder, which sees the hosts and contents of this tree."""
    packed = subprocess.run(["git", "-C", str(TOP), "archive", commit], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="tar")
    (folder / ".cache").symlink_to(TOP / ".cache")
    return folder


def upgrade(inventory: Path) -> None:
    """Upgrade the pair that an older version built, with its inventory."""
    publishing = Publishing()
    contents = {name: connect(name).check_output(_CONTENTS) for name in MIRRORS}
    (first,) = active()
    (second,) = {*MIRRORS} - {first}
    with client_reads(Library(TOP / ".cache" / "hub-contents")):
        run("playbooks/upgrade.yml", "--limit", second, inventory=inventory)
        with step("the newer one follows the older"):
            publishing.publish()
            until(publishing.are_equal)
        with step("the older one follows the newer"), drained(first):
            until(lambda: active() == [second])
            publishing.publish()
            until(publishing.are_equal)
        until(are_well)
        run("playbooks/upgrade.yml", inventory=inventory)
        with step("both follow"):
            publishing.publish()
            until(publishing.are_equal)
    for name in MIRRORS:
        host = connect(name)
        with step(f"{name} has what it had, sound"):
            gone = {*contents[name].splitlines()} - {*host.check_output(_CONTENTS).splitlines()}
            assert not gone, gone
            host.check_output("hf-mirror fsck")
    publishing.retire()
    run("site.yml", inventory=inventory)
    with step("the timer's unit syncs"):
        connect(active()[0]).check_output("systemctl start hf-mirror-sync.service")
    counts = run("site.yml", inventory=inventory)
    assert not any(count["changed"] for count in counts.values()), f"a second run changes something: {counts}"


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is seen, and whether it was."""
    print(what, end=": ", flush=True)
    yield
    print("yes", flush=True)


def run(name: str, *arguments: str, inventory: Path, tree: Path = TOP) -> dict[str, dict[str, int]]:
    """Run a playbook to its good end, and return its recap."""
    version = "this version's" if tree == TOP else "the older version's"
    with step(" ".join([version, name, *arguments])):
        done = playbook(name, *_PAIR, *arguments, inventory=inventory, tree=tree)
        if done.returncode:
            raise SystemExit(f"it fails:\n{done.stdout[-5000:]}{done.stderr[-2000:]}")
    return recap(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
