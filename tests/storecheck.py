# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a store from outside: what is in it, and whether it is sound."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def tree(top: Path) -> dict[str, str]:
    """Everything below a folder: links with their targets, files with inode and time of change."""
    found = {}
    for folder, folders, files in os.walk(top):
        for name in [*folders, *files]:
            path = Path(folder) / name
            status = path.lstat()
            what = (
                os.readlink(path) if path.is_symlink() else f"{status.st_ino} {status.st_mtime_ns} {status.st_mode:o}"
            )
            found[str(path.relative_to(top))] = what
    return found


def without_records(found: dict[str, str]) -> dict[str, str]:
    """What a run without changes leaves alone: everything but its own record."""
    return {name: what for name, what in found.items() if not name.startswith(("ledger", "locks"))}


def snapshot(store: Path, repo_id: str, commit: str) -> dict[str, bytes]:
    """Follow the store's links as a client of the Hub cache does."""
    top = store / "hub" / f"models--{repo_id.replace('/', '--')}" / "snapshots" / commit
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def check_store(store: Path) -> None:
    """Every blob hashes to its name, and nothing half-made lies about."""
    for blob in [*store.glob("pool/*"), *store.glob("hub/*/blobs/*")]:
        content = blob.read_bytes()
        hasher = hashlib.sha256() if len(blob.name) == 64 else hashlib.sha1(b"blob %d\0" % len(content))
        hasher.update(content)
        assert hasher.hexdigest() == blob.name
        assert blob.stat().st_mode & 0o777 == 0o444
    for link in store.glob("hub/*/snapshots/*/**/*"):
        assert link.exists(), f"{link} leads nowhere"
    for ref in [*store.glob("hub/*/.mirror/rev/*"), *store.glob("hub/*/.mirror/rev/refs/*/*")]:
        assert (ref / "info.json").is_file() or ref.name == "refs"
    assert not list(store.glob("hub/*/.mirror/build")) and not list(store.glob("views/.build"))
