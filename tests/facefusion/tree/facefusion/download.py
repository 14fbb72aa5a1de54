# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads as FaceFusion makes them: the same curl, the same order, the same mistakes."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
import zlib
from pathlib import Path

from facefusion import choices, metadata, process_manager, state

#: FaceFusion has no limit: tests of the loop itself give one, and it ends with this status then.
LOOP_SECONDS = float(os.environ.get("STAND_IN_LOOP_SECONDS", "inf"))
LOOPED = 99


def curl(*arguments: str) -> subprocess.Popen[bytes]:
    agent = f"FaceFusion/{metadata.METADATA['version']}"
    command = ["curl", "--user-agent", agent, "--location", "--silent", "--ssl-no-revoke", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@functools.lru_cache
def is_reachable(url: str) -> bool:
    asked = curl("-I", url, "--connect-timeout", "5")
    asked.communicate()
    return asked.returncode == 0


def find_url(base_name: str, file_name: str) -> str | None:
    for provider in state.providers():
        known = choices.download_provider_set[provider]
        for url in known["urls"]:
            if is_reachable(url):
                return url + known["path"].format(base_name=base_name, file_name=file_name)
    return None


@functools.lru_cache
def size_of(url: str) -> int:
    lines, _none = curl("-I", url, "--connect-timeout", "5").communicate()
    for line in reversed(lines.decode().lower().splitlines()):
        if line.startswith("content-length:"):
            return int(line.partition(":")[2])
    return 0


def have(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def download(url: str, path: Path) -> None:
    size = size_of(url)
    if have(path) >= size:
        return
    options = ["--create-dirs", "--continue-at", "-", "--output", str(path), "--connect-timeout", "5", "--retry", "5"]
    process = curl(url, *options)
    end = time.monotonic() + LOOP_SECONDS
    # with a pause, which FaceFusion does not make: the test hosts share their processors
    while have(path) < size:
        if time.monotonic() > end:
            # who ends it ends its curl, too, or that one would go on beside the next start's
            process.kill()
            os._exit(LOOPED)
        time.sleep(0.02)


def is_valid(model: Path) -> bool:
    sum_file = model.with_suffix(".hash")
    return have(model) > 0 and sum_file.is_file() and sum_file.read_text() == f"{zlib.crc32(model.read_bytes()):08x}"


def fetch_pair(base_name: str, name: str) -> bool:
    """Have a model and its sum: the sum is fetched when it is not there, the model when the two don't agree."""
    model = Path(".assets/models") / f"{name}.onnx"
    sum_file = model.with_suffix(".hash")
    sum_url, url = (find_url(base_name, path.name) for path in (sum_file, model))
    process_manager.check()
    if not sum_file.is_file() and sum_url:
        download(sum_url, sum_file)
    if not sum_file.is_file():
        print(f"[FACEFUSION.DOWNLOAD] validating hash for {name} failed", file=sys.stderr, flush=True)
        return False
    process_manager.end()
    process_manager.check()
    if not is_valid(model) and url:
        download(url, model)
    if not is_valid(model):
        print(f"[FACEFUSION.DOWNLOAD] validating source for {name} failed", file=sys.stderr, flush=True)
        model.unlink(missing_ok=True)
        return False
    process_manager.end()
    return True
