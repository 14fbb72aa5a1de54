# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some tasks of a role on this machine, by Ansible, where they touch nothing but a test's own folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import ansible_process

TOP = Path(__file__).parents[1]


class Run(NamedTuple):
    """What came of it."""

    is_good: bool
    changed: int
    said: str


def run(
    folder: Path,
    role: str,
    *files: str,
    programs: Path | None = None,
    handler: str | None = None,
    check: bool = False,
    **variables: Any,
) -> Run:
    """Run files of a role's tasks, one after the other, with a file for the play in ``folder``.

    ``variables`` win over the role's own, its internal ones, too. ``programs`` are found before the machine's.
    ``handler`` is the name of one that does nothing. ``check`` is Ansible's check mode.
    """
    name = f"modelops.hf_mirror.{role}"
    tasks = [{"ansible.builtin.include_role": {"name": name, "tasks_from": file}} for file in files]
    handlers = {"handlers": [{"name": handler, "ansible.builtin.debug": {}}]} if handler else {}
    extra = json.dumps({"ansible_python_interpreter": sys.executable, **variables})
    options = [*(["--check"] if check else []), "-e", extra]
    path = f"{programs}:{os.environ['PATH']}" if programs else None
    done = ansible_process.play(arguments(folder, {"tasks": tasks, **handlers}, options), path)
    return result(done.code, done.said)


def arguments(folder: Path, about: dict[str, Any], options: list[str]) -> list[str]:
    """Write a play for this machine, and return what ansible-playbook is given for it."""
    file = folder / "play.json"
    file.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, **about}]), encoding="utf-8")
    return ["-v", "-i", "localhost,", "-c", "local", *options, str(file)]


def result(code: int, said: str) -> Run:
    """Return what came of a play."""
    changed = re.search(r"changed=(\d+)", said)
    assert changed, f"it ended before it began: {said}"
    return Run(code == 0, int(changed[1]), said)


def play_by(python: str, folder: Path, about: dict[str, Any], options: list[str]) -> Run:
    """Run a play on this machine by the Ansible that ``python`` has, which may be another one."""
    program = Path(python).with_name("ansible-playbook")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment = {**clean, "ANSIBLE_CONFIG": str(TOP / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    command = [str(program), *arguments(folder, about, options)]
    done = subprocess.run(command, cwd=TOP, env=environment, check=False, capture_output=True, text=True, timeout=300)
    return result(done.returncode, done.stdout + done.stderr)
