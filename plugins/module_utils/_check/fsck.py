# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that all names of a store fit together. Reads names, sizes and documents, no contents; changes nothing.

A publish that is under way looks like damage for some milliseconds, so damage is looked at twice while a run goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from .._base.names import Etag
from .._plan.facts import Repo
from .._store.pool import is_named
from .._store.spelling import Spellings
from .._store.store import Store
from .._store.views import Views
from .fsck_repository import ETAG, Finding, Findings, Pool, check_blob, check_folder, check_repository, quoted, stats


def fsck(store: Store) -> list[Finding]:
    """Return what is wrong, and what nothing uses, by path."""
    found = list(_all(store))
    if store.running() and any(one.damage for one in found):
        store.clock.sleep(1)
        again = set(_all(store))
        found = [one for one in found if one in again]
    return sorted(found, key=lambda one: (not one.damage, one.path))


def _all(store: Store) -> Iterator[Finding]:
    findings = Findings(store.root)
    for folder in (store.root, store.hub, store.pool.folder, store.root / "views", store.root / "names"):
        yield from check_folder(findings, folder)
    pool = dict(stats(store.pool.folder))
    for etag, status in pool.items():
        yield from _in_pool(findings, store.pool.path(etag), status)
    yield from _hub(store, findings, pool)
    yield from _views(store, findings, pool)
    yield from _left(store, findings)
    yield from _ledger(store, findings)


def _in_pool(findings: Findings, file: Path, status: os.stat_result) -> Iterator[Finding]:
    if not ETAG.fullmatch(file.name):
        yield findings.damage(file, "is no name of a content", f"rm -rf {quoted(file)}", sync=False)
        return
    yield from check_blob(findings, file, status)
    if not is_named(status):
        yield findings.orphan(file, "is used by nothing: a coming sync may use it, else remove it")


def _hub(store: Store, findings: Findings, pool: Pool) -> Iterator[Finding]:
    ours = {repository.repo for repository in store.repositories()}
    for entry in sorted(store.hub.iterdir()):
        repo = Repo.of_folder(entry.name)
        if repo in ours:
            continue
        yield findings.orphan(entry, "is no repository of this mirror: no sync touches it")
    for repository in store.repositories():
        yield from check_repository(findings, repository, pool)
    spellings, top = Spellings(store.root, store.fs), store.root / "names"
    # where nothing was sealed yet there is nothing to find
    for folder in spellings.missing(one.folder.name for one in store.repositories() if one.sealed()):
        yield findings.damage(top / folder.lower(), f"must lead to hub/{folder}")
    for entry in spellings.surplus():
        yield findings.damage(entry, "leads to no repository")


def _views(store: Store, findings: Findings, pool: Pool) -> Iterator[Finding]:
    by_inode = {status.st_ino: etag for etag, status in pool.items()}
    # where ext4 gave a file no more names, older names are not the pool's file
    for blobs in store.hub.glob("*/blobs"):
        for etag, status in stats(blobs):
            by_inode.setdefault(status.st_ino, etag)
    views, top = Views(store), store.root / "views"
    shown = set()
    for name in views.names():
        link = top / name
        shown.add(os.readlink(link))
        inodes = {entry.name: entry.lstat().st_ino for entry in link.iterdir()} if link.is_dir() else {}
        known = {file: Etag(by_inode[inode]) for file, inode in inodes.items() if inode in by_inode}
        fits = len(known) == len(inodes) and views.has(name, known)
        if not fits or findings.damaged.intersection(inodes.values()):
            folder = link.resolve()
            both = [link, folder] if folder.is_dir() and folder.parent == top.resolve() else [link]
            what = "holds a damaged content" if fits else "does not hold what its name says"
            yield findings.damage(link, what, f"rm -r {quoted(*both)}")
    for entry in top.iterdir():
        if not entry.is_symlink() and entry.name not in shown:
            yield findings.orphan(entry, "is no view any more: the next sync removes it")
        elif not entry.is_symlink():
            yield from check_folder(findings, entry)


def _left(store: Store, findings: Findings) -> Iterator[Finding]:
    for part in sorted(store.staging.glob("*.part")):
        yield findings.orphan(
            part, f"is a download of {part.stat().st_size} bytes so far: a sync that needs it resumes it"
        )
    for suffix in (".again", ".rotten", ".sound"):
        for file in sorted(store.staging.glob(f"*{suffix}")):
            yield findings.orphan(file, "belongs to a repair that is not finished: the next scrub continues from there")
    for entry in store.trash.glob("*"):
        yield findings.orphan(entry, "was being removed: the next sync does the rest")


def _ledger(store: Store, findings: Findings) -> Iterator[Finding]:
    for file in sorted((store.root / "ledger").glob("[0-9]*.jsonl")):
        if not file.is_file():
            yield findings.orphan(file, "is no file, nothing can be recorded there")
            continue
        broken = [number for number, line in enumerate(file.read_bytes().split(b"\n"), 1) if not _is_record(line)]
        if broken:
            yield findings.orphan(file, f"can't be read at line {', '.join(map(str, broken))}: readers skip that")


def _is_record(line: bytes) -> bool:
    try:
        return not line or isinstance(json.loads(line), dict)
    except ValueError:
        return False
