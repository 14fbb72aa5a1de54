# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook on this machine, for tests that run many plays: Ansible is imported once, each play is a fork.

As a program it reads a play a line (JSON) from standard input and answers each with its exit status.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

TOP = Path(__file__).parents[1]
#: Seconds that no play takes, however busy the machine is.
_DEADLINE = 300


class Played(NamedTuple):
    """What came of a play."""

    code: int
    said: str


def play(arguments: Sequence[object], path: str | None = None) -> Played:
    """Run ansible-playbook with these arguments, and with ``path`` as its PATH."""
    process = _process()
    assert process.stdin and process.stdout
    with tempfile.NamedTemporaryFile() as said:
        environment = {"PATH": path or os.environ["PATH"]}
        order = {"arguments": [str(one) for one in arguments], "environment": environment, "said": said.name}
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        assert select.select([process.stdout], [], [], _DEADLINE)[0], f"ansible-playbook does not end: {arguments}"
        return Played(int(process.stdout.readline()), Path(said.name).read_text(encoding="utf-8"))


@functools.cache
def _process() -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_CONFIG": str(TOP / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, __file__], cwd=TOP, env=environment, stdin=pipe, stdout=pipe, text=True)
    atexit.register(process.communicate)  # the end of its input is its end
    return process


# ---- in the process


def main() -> None:
    from ansible.cli.playbook import PlaybookCLI

    for line in sys.stdin:
        child = os.fork()
        if not child:
            _play(PlaybookCLI, **json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _play(cli: Any, arguments: list[str], environment: dict[str, str], said: str) -> None:
    """Become the program, and end with its exit status. Nothing that the parent needs is cleaned up."""
    os.environ.update(environment)
    with open(os.devnull) as nothing, open(said, "w") as words:
        for file, number in ((nothing, 0), (words, 1), (words, 2)):
            os.dup2(file.fileno(), number)
    code: Any = 250
    try:
        cli.cli_executor(["ansible-playbook", *arguments])
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
