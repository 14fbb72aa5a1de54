# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door through which a module works on a folder that belongs to a user of its own.

What root starts is done by a process of that user, who can't go back: in a transient unit where systemd runs, which
gets the sandbox and the limits of the services by the prefix of its name, and goes on where the connection is
lost; else in a child. Root reads nothing but its JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .._base.errors import MirrorError, unexpected
from .._base.owner import other_owner

#: The prefix of the units of the engine, which the role ``mirror_sync`` gives a sandbox and limits.
UNIT = "hf-mirror-run-"
#: Bytes of an answer. One for 100,000 files has some 20 MB.
_MOST = 256 << 20
#: What of the environment counts for work as well: proxies, and whose certificates are believed.
_ENVIRONMENT = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "ssl_cert_file", "ssl_cert_dir")
_MODULES = "ansible_collections.modelops.hf_mirror.plugins.modules"
#: What Ansible would obey in an answer: facts and hosts are nothing that the store's user may tell.
_ORDERS = re.compile("_?ansible|add_(host|group)|invocation|deprecations")
#: It is there where systemd runs.
_SYSTEMD = Path("/run/systemd/system")
#: Lines of what a process complained of that are told.
_TOLD = 5
_START = f"import sys; sys.path.insert(0, sys.argv[1]); from {__name__} import main; main(sys.argv[2])"


@dataclass(frozen=True)
class Call:
    """What a module was given."""

    params: Mapping[str, Any]
    check_mode: bool = False
    diff: bool = False


#: What a module does. Its answer has ``failed`` where it failed, and ``warnings``.
Work = Callable[[Call], dict[str, Any]]


def answer(
    module: AnsibleModule,
    name: str,
    work: Work,
    folder: Callable[[], Path],
    unit: str | None = None,
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> None:
    """Do a module's work as whom a folder belongs to, and end the module with the answer.

    ``name``: the module's, which has ``work`` as a function of that name. ``unit``: the prefix of the units whose
    sandbox it gets; without one it is a child. ``prepare`` adds to what the module was given what only root can read.
    """

    def do(call: Call) -> dict[str, Any]:
        owner = other_owner(folder())
        call = replace(call, params=prepare(call.params))
        return work(call) if owner is None else _as(owner, name, call, unit)

    found = _answer(do, Call(module.params, module.check_mode, module._diff))
    for warning in found.pop("warnings", ()):
        module.warn(str(warning))
    if found.pop("failed", False):
        module.fail_json(**{"msg": "", **found})
    module.exit_json(**found)


def main(name: str) -> None:
    """Do a module's work in a process of its own: what it was given is read from standard input."""
    given = json.load(sys.stdin)
    os.environ.update(given["environment"])
    work: Work = importlib.import_module(f"{_MODULES}.{name}").work
    found = _answer(work, Call(given["params"], given["check_mode"], given["diff"]))
    print(json.dumps(found), flush=True)


def _answer(work: Work, call: Call) -> dict[str, Any]:
    try:
        return work(call)
    except (MirrorError, OSError) as problem:
        return {"failed": True, "msg": str(problem)}
    except Exception as error:
        odd = unexpected(error)
        return {"failed": True, "msg": str(odd), "exception": odd.trace}


def _as(owner: os.stat_result, name: str, call: Call, unit: str | None) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if key.lower() in _ENVIRONMENT}
    given = json.dumps({**asdict(call), "environment": environment}).encode()
    with _readable(Path(__file__).parents[6]) as sources:
        command = [sys.executable, "-I", "-c", _START, str(sources), name]
        if unit and _SYSTEMD.is_dir() and shutil.which("systemd-run"):
            command = [*_transient(f"{unit}{secrets.token_hex(4)}", owner), "--", *command]
            started = subprocess.run(command, input=given, capture_output=True, check=False)
        else:
            started = subprocess.run(
                command,
                input=given,
                capture_output=True,
                check=False,
                user=owner.st_uid,
                group=owner.st_gid,
                extra_groups=[],
                cwd="/",
                umask=0o022,
            )
    return _read(started)


def _transient(unit: str, owner: os.stat_result) -> list[str]:
    """Return the command that runs another one in a unit, as a user, and waits for its end."""
    properties = {"User": owner.st_uid, "Group": owner.st_gid, "UMask": "0022", "NoNewPrivileges": "yes"}
    return [
        "systemd-run",
        "--quiet",
        "--collect",
        "--pipe",
        "--wait",
        "--service-type=exec",
        f"--unit={unit}.service",
        *(f"--property={name}={value}" for name, value in properties.items()),
    ]


def _read(ended: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """Return the answer of a process."""
    lines = ended.stdout.strip().splitlines()
    try:
        if len(ended.stdout) > _MOST:
            raise ValueError("more than anybody reads")
        found = json.loads(lines[-1])
        if isinstance(found, dict):
            return {name: value for name, value in found.items() if not _ORDERS.match(name)}
    except (IndexError, ValueError, RecursionError):
        pass
    said = "; ".join(ended.stderr.decode(errors="backslashreplace").strip().splitlines()[-_TOLD:])
    return {
        "failed": True,
        "msg": f"the run ended without an answer (code {ended.returncode}){f': {said}' if said else ''}",
    }


@contextmanager
def _readable(sources: Path) -> Iterator[Path]:
    """Lend this collection's code where another user may read it: Ansible brings it in a file of root's."""
    if sources.is_dir():
        yield sources
        return
    with tempfile.TemporaryDirectory(prefix="hf-mirror-", dir="/run") as scratch:
        Path(scratch).chmod(0o755)  # it holds nothing but what everybody can get
        copy = Path(scratch, "sources.zip")
        shutil.copyfile(sources, copy)
        copy.chmod(0o644)
        yield copy
