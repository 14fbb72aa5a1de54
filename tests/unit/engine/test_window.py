# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The segments of a large file come at the same time, also where an upstream takes long to begin each of them."""

from __future__ import annotations

import hashlib
import random
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.clock import Clock
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.fs import Fs
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.fetch import Fetcher
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import Http
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.hub import Hub
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.source import Source
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.window import SEGMENT
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import File, Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.plan import Fetch
from served import served

CONTENT = random.Random(1).randbytes(4 * SEGMENT)


class Upstream(BaseHTTPRequestHandler):
    """Answers itself, without a redirect; all segments but the first wait for each other."""

    protocol_version = "HTTP/1.1"
    others: threading.Barrier

    def do_GET(self) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
        assert found
        start, end = map(int, found.groups())
        if start:
            self.others.wait()
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end}/{len(CONTENT)}")
        self.send_header("Content-Length", str(end + 1 - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : end + 1])

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[str]:
    handler = type("Handler", (Upstream,), {"others": threading.Barrier(3, timeout=60)})
    with served(handler) as url:
        yield url


def test_segments_do_not_wait_for_each_other(upstream: str, tmp_path: Path) -> None:
    clock = Clock()
    fetcher = Fetcher(Source(Hub(upstream, Http(clock)), clock), Fs(), clock)
    file = File(len(CONTENT), "0" * 40, hashlib.sha256(CONTENT).hexdigest())
    try:
        fetcher.fetch(Fetch(Repo("model", "stand-in/slow"), "0" * 40, "model.bin", file), tmp_path / "part")
    finally:
        fetcher.close()
    assert (tmp_path / "part").read_bytes() == CONTENT
