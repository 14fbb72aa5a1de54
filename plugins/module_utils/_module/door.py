# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door through which a module works on a folder that belongs to a user of its own.

What root starts is done by a process of that user, who can't go back: in a transient unit where systemd runs, which
gets the sandbox and the limits of the services by the prefix of its name, and goes on where the connection is
lost; else in a child. Root reads nothing but its JSON.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

from ansible.module_utils.basic import AnsibleModule

from .._base.errors import MirrorError, unexpected
from .._base.names import clean
from .._base.owner import other_owner

#: The prefix of the units of the engine, which the role ``mirror_sync`` gives a sandbox and limits.
UNIT = "hf-mirror-run-"
#: Bytes of an answer. One for 100,000 files has some 20 MB.
_MOST = 64 << 20
#: What of the environment counts for work as well: proxies, and whose certificates are believed.
_ENVIRONMENT = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "ssl_cert_file", "ssl_cert_dir")
_MODULES = "ansible_collections.modelops.hf_mirror.plugins.modules"
#: What any answer may have, beside what its module documents.
_ALWAYS = ("changed", "failed", "msg", "diff", "skipped", "exception")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_COMPLAINT = 1 << 16
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
    returned: str,
    unit: str | None = None,
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> None:
    """Do a module's work as whom a folder belongs to, and end the module with the answer.

    ``name``: the module's, which has ``work`` as a function of that name. ``returned`` is what it documents as
    ``RETURN``: nothing else is passed on. ``unit``: the prefix of the units whose sandbox it gets; without one it is a
    child. ``prepare`` adds to what the module was given what only root can read.
    """

    def do(call: Call) -> dict[str, Any]:
        where = folder()
        owner = other_owner(where)
        call = replace(call, params=prepare(call.params))
        return work(call) if owner is None else _as(owner, name, call, unit, where)

    found = _answer(do, Call(module.params, module.check_mode, module._diff))
    for warning in found.pop("warnings", ()):
        module.warn(clean(str(warning)))
    # facts, for instance, would say which program root runs next
    known = {*_ALWAYS, *re.findall(r"^(\w+):$", returned, re.MULTILINE)}
    found = {key: value for key, value in found.items() if key in known}
    if found.pop("failed", False):
        module.fail_json(**{"msg": "", **found})
    module.exit_json(**found)


def main(name: str) -> None:
    """Do a module's work in a process of its own: what it was given is read from standard input."""
    given = json.load(sys.stdin)
    os.environ.update(given["environment"])
    work: Work = importlib.import_module(f"{_MODULES}.{name}").work
    found = _answer(work, Call(given["params"], given["check_mode"], given["diff"]))
    sys.stdout.write(f"{json.dumps(found)}\n")


def _answer(work: Work, call: Call) -> dict[str, Any]:
    try:
        return work(call)
    except (MirrorError, OSError) as problem:
        return {"failed": True, "msg": str(problem)}
    except Exception as error:
        odd = unexpected(error)
        return {"failed": True, "msg": str(odd), "exception": odd.trace}


def _as(owner: os.stat_result, name: str, call: Call, unit: str | None, folder: Path) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if key.lower() in _ENVIRONMENT}
    given = json.dumps({**asdict(call), "environment": environment}).encode()
    with _readable(Path(__file__).parents[6]) as sources:
        command = [sys.executable, "-I", "-c", _START, str(sources), name]
        if unit and _SYSTEMD.is_dir() and shutil.which("systemd-run"):
            return _run([*_transient(f"{unit}{secrets.token_hex(4)}", owner, folder), "--", *command], given)
        user: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": [], "umask": 0o022}
        return _run(command, given, cwd="/", env={"PATH": _PATH, "LANG": "C.UTF-8"}, **user)


def _run(command: list[str], given: bytes, **more: Any) -> dict[str, Any]:
    """Run a command, and return the answer that it prints; no more of it is read than an answer may have."""
    pipe = subprocess.PIPE
    # run_command reads all that a process says, and there is no end to what this one may say
    # pylint: disable-next=ansible-bad-function
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, **more) as process:
        takes, tells, complains = (cast("IO[bytes]", one) for one in (process.stdin, process.stdout, process.stderr))
        end: list[bytes] = []
        threads = [
            threading.Thread(target=_feed, args=(takes, given)),
            threading.Thread(target=_listen, args=(complains, end)),
        ]
        for thread in threads:
            thread.start()
        answer = tells.read(_MOST + 1)
        if len(answer) > _MOST:
            process.kill()
        for thread in threads:
            thread.join()
    return _read(process.returncode, answer, b"".join(end))


def _feed(stream: IO[bytes], given: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), stream:
        stream.write(given)


def _listen(stream: IO[bytes], end: list[bytes]) -> None:
    """Keep the end of what a process complains of."""
    while block := stream.read(_COMPLAINT):
        end[:] = [b"".join([*end, block])[-_COMPLAINT:]]


def _transient(unit: str, owner: os.stat_result, folder: Path) -> list[str]:
    """Return the command that runs another one in a unit, as a user who may write a folder, and waits for its end."""
    properties = {
        "User": owner.st_uid,
        "Group": owner.st_gid,
        "UMask": "0022",
        "NoNewPrivileges": "yes",
        "ReadWritePaths": str(folder).replace("%", "%%"),
    }
    return [
        # not quiet: what it says of how the unit ended is told where there is no answer
        "systemd-run",
        "--collect",
        "--pipe",
        "--wait",
        "--service-type=exec",
        f"--unit={unit}.service",
        *(f"--property={name}={value}" for name, value in properties.items()),
    ]


def _read(code: int, answer: bytes, complaint: bytes) -> dict[str, Any]:
    """Return the answer of a process: the last line of what it printed."""
    lines = answer.strip().splitlines()
    try:
        if len(answer) > _MOST:
            raise ValueError("the answer is too long")
        found = json.loads(lines[-1])
        if isinstance(found, dict) and isinstance(found.get("warnings", []), list):
            json.dumps(found)  # what is nested too deeply for that ends no module
            return found
    except (IndexError, ValueError, RecursionError):
        pass
    said = "; ".join(map(clean, complaint.decode(errors="replace").strip().splitlines()[-_TOLD:]))
    return {"failed": True, "msg": f"the run ended without an answer (code {code}){f': {said}' if said else ''}"}


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
