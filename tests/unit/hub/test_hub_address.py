# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs of the Hub, read from the raw path."""

from __future__ import annotations

import pytest

from hub.address import Address, parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("raw_path", "expected"),
    [
        ("/api/models/org/name", Address("info", "model", "org/name")),
        ("/api/models/gpt2", Address("info", "model", "gpt2")),
        ("/api/datasets/org/name", Address("info", "dataset", "org/name")),
        ("/api/models/org/name/revision/main", Address("revision", "model", "org/name", "main")),
        ("/api/models/gpt2/revision/refs%2Fpr%2F1", Address("revision", "model", "gpt2", "refs/pr/1")),
        ("/api/models/org/name/revision/refs/pr/1", Address("revision", "model", "org/name", "refs/pr/1")),
        ("/api/spaces/org/name/tree/main", Address("tree", "space", "org/name", "main")),
        ("/api/models/org/name/tree/main/a%2Fb", Address("tree", "model", "org/name", "main", "a/b")),
        ("/api/models/org/name/tree/feature%2Fx/a/b", Address("tree", "model", "org/name", "feature/x", "a/b")),
        ("/api/models/org/name/refs", Address("refs", "model", "org/name")),
        ("/api/models/org/name/paths-info/main", Address("paths_info", "model", "org/name", "main")),
        ("/org/name/resolve/main/a/b.txt", Address("resolve", "model", "org/name", "main", "a/b.txt")),
        ("/gpt2/resolve/v1/a.txt", Address("resolve", "model", "gpt2", "v1", "a.txt")),
        ("/datasets/org/name/resolve/main/a%20%2B.txt", Address("resolve", "dataset", "org/name", "main", "a +.txt")),
        ("/org/name/resolve/refs%2Fpr%2F1/a.txt", Address("resolve", "model", "org/name", "refs/pr/1", "a.txt")),
        ("/o/n/resolve/main/resolve/main/t", Address("resolve", "model", "o/n", "main", "resolve/main/t")),
        ("/o/n/resolve/main/100%25.txt", Address("resolve", "model", "o/n", "main", "100%.txt")),
        (
            f"/api/resolve-cache/models/org/name/{COMMIT}/a/b",
            Address("resolve_cache", "model", "org/name", COMMIT, "a/b"),
        ),
        (f"/api/resolve-cache/models/gpt2/{COMMIT}/a", Address("resolve_cache", "model", "gpt2", COMMIT, "a")),
        ("/", None),
        ("/org/name", None),
        ("/api/agent-harnesses", None),
        ("/api/models/a/b/c", None),
        ("/api/telemetry/x/y", None),
    ],
)
def test_parse(raw_path: str, expected: Address | None) -> None:
    assert parse(raw_path) == expected
