# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of more than 50 GB, which huggingface_hub refuses over HTTP. Most of it is there already, as a hole."""

from __future__ import annotations

import os
import re
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
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import File, Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.plan import Fetch
from served import served

#: All of it zeros, and what that hashes to.
SIZE = 50_033_554_432
SHA256 = "aba851781b762913194a357b921b8c4390f9f4d452c2c24e59d7cd46e4dd89e7"
LEFT = 30 << 20

pytestmark = pytest.mark.skipif(
    os.environ.get("TEST_PROFILE") != "full", reason="hashing 50 GB takes a minute: make test-full"
)


class Zeros(BaseHTTPRequestHandler):
    """Answers every range of the file."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
        assert found
        start, end = int(found[1]), int(found[2])
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end}/{SIZE}")
        self.send_header("Content-Length", str(end - start + 1))
        self.end_headers()
        self.wfile.write(bytes(end - start + 1))

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    with served(Zeros) as url:
        yield url


def test_beyond_50_gb(endpoint: str, tmp_path: Path) -> None:
    part = tmp_path / "large.part"
    part.touch()
    os.truncate(part, SIZE - LEFT)
    clock = Clock()
    fetcher = Fetcher(Source(Hub(endpoint, Http(clock)), clock), Fs(), clock)
    fetcher.fetch(Fetch(Repo("model", "a/b"), "0" * 40, "large.bin", File(SIZE, "0" * 40, SHA256)), part)
    fetcher.close()
    assert part.stat().st_size == SIZE
    assert LEFT <= fetcher.fetched < 2 * LEFT
