# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some tasks of a role on this machine, by Ansible, where they touch nothing but a test's own folder."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import ansible_process


class Run(NamedTuple):
    """What came of it."""

    is_good: bool
    changed: int
    said: str


def run(
    folder: Path, role: str, *files: str, programs: Path | None = None, handler: str | None = None, **variables: Any
) -> Run:
    """Run files of a role's tasks, one after the other, with a file for the play in ``folder``.

    ``variables`` win over the role's own, its internal ones, too. ``programs`` are found before the machine's.
    ``handler`` is the name of one that does nothing.
    """
    name = f"modelops.hf_mirror.{role}"
    tasks = [{"ansible.builtin.include_role": {"name": name, "tasks_from": file}} for file in files]
    play = folder / "play.json"
    about = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    handlers = {"handlers": [{"name": handler, "ansible.builtin.debug": {}}]} if handler else {}
    play.write_text(json.dumps([{**about, **handlers}]), encoding="utf-8")
    extra = json.dumps({"ansible_python_interpreter": sys.executable, **variables})
    path = f"{programs}:{os.environ['PATH']}" if programs else None
    done = ansible_process.play(["-v", "-i", "localhost,", "-c", "local", "-e", extra, play], path)
    changed = re.search(r"changed=(\d+)", done.said)
    assert changed, f"it ended before it began: {done.said}"
    return Run(done.code == 0, int(changed[1]), done.said)
