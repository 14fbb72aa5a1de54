# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut ``site.yml`` at its tasks: ``python -m cut``, which ``tests/setup/cut.sh`` does on the hosts of the tests.

Before each cut the mirrors are uninstalled; their packages stay, so the first cut of all is on hosts that have none.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from testhosts import INVENTORY, MIRRORS, TOP, connect, recap

#: A file that every published state of the tests' inventory has.
PUBLISHED = "deepinsight/inswapper-128/resolve/main/inswapper_128.onnx"


def main() -> int:
    """Read the command line, and cut."""
    parser = argparse.ArgumentParser(prog="python -m cut", description=__doc__.splitlines()[0])
    parser.add_argument("--some", type=int, metavar="N", help="at N of the tasks, chosen at random")
    parser.add_argument("--at", type=int, nargs="+", metavar="NUMBER", help="at these tasks")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of --some")
    options = parser.parse_args()
    tasks = names()
    numbers = options.at or range(1, len(tasks) + 1)
    if options.some:
        numbers = sorted(random.Random(options.seed).sample(numbers, min(options.some, len(tasks))))
    print(f"{len(tasks)} tasks, cut at {len(numbers)} of them (seed {options.seed})", flush=True)
    bad = 0
    for number in numbers:
        problem = cut(number)
        bad += bool(problem)
        print(f"{number:4} {problem or 'serves':8} {tasks[number - 1]}", flush=True)
    print(f"{len(numbers) - bad} of {len(numbers)} cuts were mended by the next run")
    return 1 if bad else 0


def names() -> list[str]:
    """Build the mirrors on hosts without anything, and return the names of all tasks that this takes."""
    uninstall()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "tasks")
        done = play("site.yml", CUT_AT="0", CUT_LOG=str(log))
        if done.returncode:
            raise SystemExit(f"site.yml fails without a cut:\n{done.stdout[-5000:]}")
        return log.read_text(encoding="utf-8").splitlines()


def cut(number: int) -> str:
    """Cut a run on new hosts at a task, run again, and return what is wrong then."""
    uninstall()
    with tempfile.TemporaryDirectory() as folder:
        if play("site.yml", CUT_AT=str(number), CUT_LOG=f"{folder}/tasks").returncode != -signal.SIGKILL:
            return "was not cut"
    again = play("site.yml")
    if again.returncode:
        return f"the next run fails: {_reason(again.stdout)}"
    for name in MIRRORS:
        answer = connect(name).run("curl -fsS -o /dev/null http://127.0.0.1/%s", PUBLISHED)
        if answer.rc:
            return f"{name} does not serve, and the run was green: {answer.stderr.strip()}"
    third = play("site.yml")
    changed = {name: counts["changed"] for name, counts in recap(third.stdout).items() if counts["changed"]}
    return f"a third run changes {changed}" if changed or third.returncode else ""


def uninstall() -> None:
    done = play("playbooks/uninstall.yml", "-e", "uninstall_confirm=true", "-e", "uninstall_store=true")
    if done.returncode:
        raise SystemExit(f"uninstall.yml fails:\n{done.stdout[-5000:]}")


def play(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook on the mirrors, which dies with this process."""
    command = ["ansible-playbook", "-i", str(INVENTORY), str(TOP / name), "--limit", "mirrors", *arguments]
    plugins = {"ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"), "ANSIBLE_CALLBACKS_ENABLED": "cut"}
    own = {"ANSIBLE_CONFIG": str(TOP / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", **(plugins if environment else {})}
    return subprocess.run(
        command, cwd=TOP, env={**os.environ, **own, **environment}, check=False, capture_output=True, text=True
    )


def _reason(said: str) -> str:
    found = re.search(r"(?:fatal|ERROR)[^\n]*(?:\n[^\n]+){0,6}", said)
    return " ".join(found[0].split())[:500] if found else said[-500:]


if __name__ == "__main__":
    sys.exit(main())
