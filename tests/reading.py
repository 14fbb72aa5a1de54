# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client on a test host that downloads a file from the pair, over and over, while the mirrors are worked on."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

from hub.repos import Library
from testhosts import FLOATING, PODMAN, connect, container, until

CLIENT, FOLDER = "client13", "/tmp/reading"  # noqa: S108 - on a test host
REPO, FILE = "deepinsight/inswapper-128", "inswapper_128.onnx"
#: With curl's own retries, and a line for each time.
_DOWNLOAD = f"""
cd {FOLDER} && while [ ! -e stop ]; do
    curl -fsSL --connect-timeout 1 --speed-limit 1 --speed-time 2 --retry 30 --retry-all-errors --retry-delay 1 \
        -o file http://{FLOATING}/{REPO}/resolve/main/{FILE}; sha256sum < file >> sums
done
"""


@contextlib.contextmanager
def client_reads(library: Library) -> Iterator[None]:
    """Download all the while, and see that the client got what it asked for each time."""
    sha256 = library.repo("model", REPO).main.files[FILE].blob
    host = connect(CLIENT)
    host.check_output("rm -rf %s && mkdir %s && touch %s/sums", FOLDER, FOLDER, FOLDER)

    def sums() -> list[str]:
        lines: list[str] = host.check_output(f"cat {FOLDER}/sums").splitlines()
        return lines

    command = [PODMAN, "exec", container(CLIENT), "sh", "-c", _DOWNLOAD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as client:
        try:
            until(sums)
            yield
            before = len(sums())
            until(lambda: len(sums()) > before + 1)
        finally:
            host.check_output("touch %s/stop", FOLDER)
            said, _nothing = client.communicate(timeout=120)
    assert {line.split()[0] for line in sums()} == {sha256}, said
