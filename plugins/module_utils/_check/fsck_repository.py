# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the structure of one repository of a store: ref -> sealed commit -> listed file -> link -> blob."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._base import names as grammar
from .._base.errors import MirrorError
from .._base.fs import files_below, has_content
from .._base.names import Commit, Etag, NameProblem, Ref, RepoPath, Size
from .._border.history import history_of
from .._border.json import mapping, read_document
from .._border.listing import served_of
from .._store.documents import commit_documents
from .._store.inode import is_rotten
from .._store.pool import MTIME
from .._store.repository import Repository
from .._store.repository_reader import FACTS
from .._store.summary import kept_summary, make_summary, summary_file

Pool = Mapping[str, os.stat_result]
#: What a content may be called.
ETAG = re.compile(grammar.ETAG)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_BLOB_MODES = (0o444, 0o440)
#: Near the number of names that ext4 gives a file, a copy takes over the pool's name (``_store.repository``).
_MANY_NAMES = 60_000


@dataclass(frozen=True)
class Finding:
    """Something in a store. ``mend`` are shell commands, ``sync`` says that a sync after them does the rest.

    What is no ``damage`` is only left over.
    """

    path: str
    what: str
    mend: tuple[str, ...] = ()
    sync: bool = False
    damage: bool = True


class Findings:
    """Findings of one store, their paths relative to its root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.owner = root.stat().st_uid
        #: Inodes of contents that are not what they should be, under whatever names.
        self.damaged: set[int] = set()

    def damage(self, path: Path, what: str, *mend: str, sync: bool = True) -> Finding:
        """Return a finding that is to be mended."""
        return Finding(str(path.relative_to(self.root)), what, mend, sync)

    def orphan(self, path: Path, what: str) -> Finding:
        """Return a finding that harms nobody."""
        return Finding(str(path.relative_to(self.root)), what, damage=False)


def quoted(*paths: Path) -> str:
    """Return paths as a shell reads them."""
    return " ".join(shlex.quote(str(path)) for path in paths)


def check_blob(findings: Findings, file: Path, status: os.stat_result) -> Iterator[Finding]:
    """Check what all names of a content have in common."""
    mode = status.st_mode & 0o7777
    if not stat.S_ISREG(status.st_mode):
        yield findings.damage(file, "is no file", f"rm -rf {quoted(file)}")
    elif is_rotten(status):
        again = "hf-mirror scrub --for 0"
        yield findings.damage(file, "was found rotten, it answers 403 until it is repaired", again, sync=False)
    elif mode not in _BLOB_MODES:
        yield findings.damage(file, f"has mode {mode:04o}, it must be 0444", f"chmod 0444 {quoted(file)}", sync=False)
    elif status.st_mtime != MTIME:
        mend = f"touch --date=@{MTIME} {quoted(file)}"
        yield findings.damage(
            file, "has another time than all contents: clients can't resume at the peer", mend, sync=False
        )
    yield from _check_owner(findings, file, status)


def check_folder(findings: Findings, top: Path) -> Iterator[Finding]:
    """See that nginx can read a folder, and nobody but the engine's user can write to it."""
    try:
        status = top.stat()
    except FileNotFoundError:  # a run goes on
        return
    if status.st_mode & 0o022:
        yield findings.damage(top, "can be written by others", f"chmod go-w {quoted(top)}", sync=False)
    if status.st_mode & 0o005 != 0o005:
        yield findings.damage(top, "can't be read by nginx", f"chmod o+rx {quoted(top)}", sync=False)
    yield from _check_owner(findings, top, status)


def _check_file(findings: Findings, file: Path) -> Iterator[Finding]:
    try:
        status = file.stat()
    except FileNotFoundError:
        return
    if status.st_mode & 0o022:
        yield findings.damage(file, "can be written by others", f"chmod go-w {quoted(file)}", sync=False)
    if not status.st_mode & 0o004:
        yield findings.damage(file, "can't be read by nginx", f"chmod o+r {quoted(file)}", sync=False)
    yield from _check_owner(findings, file, status)


def _check_owner(findings: Findings, path: Path, status: os.stat_result) -> Iterator[Finding]:
    if status.st_uid != findings.owner:
        mend = f"chown {findings.owner} {quoted(path)}"
        yield findings.damage(path, f"belongs to user {status.st_uid}, the store to {findings.owner}", mend, sync=False)


def check_repository(findings: Findings, repository: Repository, pool: Pool) -> Iterator[Finding]:
    """Check all of a repository."""
    yield from _Check(findings, repository, pool).all()


class _Check:
    """One look at a repository."""

    def __init__(self, findings: Findings, repository: Repository, pool: Pool) -> None:
        self._findings, self._repository, self._pool = findings, repository, pool
        self._folder = repository.folder
        self._mirror = self._folder / ".mirror"
        self._rev = self._mirror / "rev"
        # first of all, from the top: what a publish makes later is then there as well
        self._links = dict(repository.links())
        self._refs: dict[Ref, Commit] = {}
        for name, target in self._links.items():
            with contextlib.suppress(NameProblem):
                self._refs[Ref(name)] = Commit(target)
        self._sealed = [Commit(entry.name) for entry in _entries(self._rev) if _is_sealed(entry)]
        self._listed: dict[Commit, dict[RepoPath, tuple[Etag, Size]]] = {}
        self._contents = dict(stats(self._folder / "blobs"))

    def all(self) -> Iterator[Finding]:
        """Yield what is found."""
        yield from self._modes()
        for ref, commit in self._links.items():
            yield from self._ref(ref, commit)
        for commit in self._sealed:
            yield from self._commit(commit)
        yield from self._derived()
        yield from self._history()
        yield from self._pending()
        yield from self._blobs()
        yield from self._left()

    def _modes(self) -> Iterator[Finding]:
        for folder, folders, files in os.walk(self._folder):
            folders.sort()
            yield from check_folder(self._findings, Path(folder))
            if folder == str(self._folder / "blobs"):
                continue
            for name in files:
                file = Path(folder) / name
                if not file.is_symlink():
                    yield from _check_file(self._findings, file)

    def _ref(self, ref: str, commit: str) -> Iterator[Finding]:
        link = self._rev / ref
        target = os.readlink(link)
        if not _COMMIT.fullmatch(commit) or target != "../" * ref.count("/") + commit:
            yield self._findings.damage(link, f"leads to {target}, which is no commit", f"rm -f {quoted(link)}")
        elif commit not in self._sealed:
            yield self._findings.damage(link, f"names commit {commit}, which is not there")

    def _commit(self, commit: Commit) -> Iterator[Finding]:
        """Follow each listed file of a commit to its content, and compare the documents with the listing."""
        sealed = self._rev / commit
        again = f"rm -rf {quoted(sealed)}"  # a sync then seals it anew
        try:
            listed = served_of(read_document(sealed / FACTS))
        except (OSError, ValueError) as problem:
            yield self._findings.damage(sealed / FACTS, f"can't be read: {_reason(problem)}", again)
            return
        self._listed[commit] = listed
        for path, (etag, size) in listed.items():
            yield from self._file(f"snapshots/{commit}/{path}", path.count("/") + 2, etag, size, again)
        yield from self._documents(commit, listed, again)

    def _file(self, name: str, depth: int, etag: str, size: int, again: str) -> Iterator[Finding]:
        target = "../" * depth + f"blobs/{etag}"
        try:
            found: str | None = os.readlink(f"{self._folder}/{name}")
        except OSError:
            found = None
        if found != target:
            link = self._folder / name
            what = f"leads to {found}, it must lead to {target}" if found else "is listed, and no link to a content"
            yield self._findings.damage(link, what, f"rm -rf {quoted(link)}", again)
        blob, status = self._folder / "blobs" / etag, self._contents.get(etag)
        if status is None:
            needs = f"{self._folder.relative_to(self._findings.root)}/{name} needs it"
            yield self._findings.damage(blob, f"is missing, {needs}", again)
            return
        if status.st_size != size and not is_rotten(status):
            what = f"has {status.st_size} bytes, the Hub declared {size}"
            names = quoted(blob, self._findings.root / "pool" / etag)
            self._findings.damaged.add(status.st_ino)
            yield self._findings.damage(blob, what, f"rm -f {names}", again)

    def _documents(self, commit: Commit, listed: Mapping[RepoPath, Any], again: str) -> Iterator[Finding]:
        """Compare the API's answers with what the Hub's listing makes of them."""
        copy = self._mirror / "upstream" / f"{commit}.json"
        try:
            listing = self._repository.upstream(commit)
            if listing is None:
                raise FileNotFoundError(2, "No such file")
            right = commit_documents(self._repository.repo, listing, listed)
        except (MirrorError, OSError, KeyError) as problem:
            yield self._findings.damage(
                copy, f"does not describe the commit: {_reason(problem)}", f"rm -f {quoted(copy)}", again
            )
            return
        top = self._rev / commit
        found = set(files_below(top))
        for name in sorted({*right, *found}):
            if name not in right:
                yield self._findings.orphan(top / name, "is no document of the commit")
            elif name not in found or not has_content(top / name, right[name]):
                what = "is not what this version writes" if name in found else "is missing"
                yield self._findings.damage(top / name, what, again)

    def _derived(self) -> Iterator[Finding]:
        """Check the copies of refs; recovery, the first step of a sync, brings them into order."""
        try:
            right = self._repository.derived(self._refs)
        except MirrorError:  # the history can't be read, which is told of it
            return
        for file, content in right.items():
            if not file.is_file():
                yield self._findings.damage(file, "is missing")
            elif not has_content(file, content):
                yield self._findings.damage(file, "does not say what the refs are")
        for file in self._repository.copies():
            if file not in right:
                yield self._findings.damage(file, "is there for a ref that is not published")
        yield from self._summary()

    def _summary(self) -> Iterator[Finding]:
        """Compare what is shown of the repository with what it is; one that is old is made anew by itself."""
        kept, file = kept_summary(self._repository), summary_file(self._repository)
        with contextlib.suppress(MirrorError):  # what can't be read is told by its own name
            made = make_summary(self._repository)
            if kept and kept != made:
                yield self._findings.damage(file, "does not say what the repository is", f"rm -f {quoted(file)}")
            # without one the next sync makes all of it
            for link, what in self._repository.api.damage(made.description) if kept else ():
                yield self._findings.damage(link, what, f"rm -rf {quoted(link.parent, file)}")

    def _history(self) -> Iterator[Finding]:
        file = self._mirror / "history.json"
        try:
            history = history_of(read_document(file)) if self._refs or file.exists() else {}
        except (OSError, ValueError) as problem:
            links = [self._rev / ref for ref in self._refs]
            yield self._findings.damage(file, f"can't be read: {_reason(problem)}", f"rm -f {quoted(file, *links)}")
            return
        last = {ref: [entry["commit"] for entry in entries][-2:] for ref, entries in history.items()}
        serials = {ref: [entry["serial"] for entry in entries] for ref, entries in history.items()}
        for ref in sorted({*self._refs, *last}):
            before, known = ["", "", *last.get(ref, [])][-2:]
            now = self._refs.get(ref, "")
            if now != known:
                # a publish that was announced and did not happen is recovery's; else the ref is published anew
                mend = [] if now == before else [f"rm -f {quoted(self._rev / ref)}"]
                what = f"says that {ref} names {known or 'nothing'}, it names {now or 'nothing'}"
                yield self._findings.damage(file, what, *mend)
            if any(second <= first for first, second in zip(serials.get(ref, []), serials.get(ref, [])[1:])):
                links = [self._rev / ref for ref in self._refs]
                yield self._findings.damage(file, f"numbers {ref} out of order", f"rm -f {quoted(file, *links)}")

    def _pending(self) -> Iterator[Finding]:
        file = self._mirror / "pending.json"
        try:
            pending = mapping(read_document(file), "it") if file.exists() else {}
            lost = [f"{ref} {commit}" for ref, commit in pending.items() if commit not in self._sealed]
        except (OSError, ValueError) as problem:
            yield self._findings.damage(file, f"can't be read: {_reason(problem)}", f"rm -f {quoted(file)}")
            return
        for what in lost:
            yield self._findings.damage(file, f"names {what}, which is not there", f"rm -f {quoted(file)}")

    def _blobs(self) -> Iterator[Finding]:
        needed = {etag for listed in self._listed.values() for etag, _size in listed.values()}
        for name, status in sorted(self._contents.items()):
            blob, first = self._folder / "blobs" / name, self._pool.get(name)
            if not ETAG.fullmatch(blob.name):
                yield self._findings.damage(blob, "is no name of a content", f"rm -rf {quoted(blob)}", sync=False)
                continue
            if blob.name not in needed and len(self._listed) == len(self._sealed):
                yield self._findings.orphan(blob, "is on no listing")
            if first is None or first.st_ino != status.st_ino:
                yield from check_blob(self._findings, blob, status)
            in_pool = self._findings.root / "pool" / blob.name
            if first is None:
                mend = f"ln {quoted(blob, in_pool)}"
                yield self._findings.damage(blob, "has lost its name in the pool", mend, sync=False)
            elif first.st_ino != status.st_ino and status.st_nlink < _MANY_NAMES:
                mend = f"ln -f {quoted(in_pool, blob)}"
                yield self._findings.damage(blob, f"is not the file that pool/{blob.name} is", mend, sync=False)

    def _left(self) -> Iterator[Finding]:
        """Find what a run that was killed left, or somebody put there."""
        if (self._mirror / "build").exists():
            yield self._findings.orphan(self._mirror / "build", "was being made: the next sync removes it")
        for entry in _entries(self._rev):
            if not entry.is_symlink() and entry.name not in ("refs", *self._sealed):
                yield self._findings.orphan(entry, "is neither a ref nor a commit")
        for snapshot in _entries(self._folder / "snapshots"):
            if snapshot.name not in self._sealed:
                yield self._findings.orphan(snapshot, "is not sealed: a sync that needs it continues from there")
                continue
            listed = self._listed.get(Commit(snapshot.name), {})
            for name in [one for one in files_below(snapshot) if one not in listed]:
                yield self._findings.orphan(snapshot / name, "is on no listing")


def stats(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield what is in a folder, by name, links themselves and not what they lead to."""
    for entry in os.scandir(folder) if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):  # a run goes on
            yield entry.name, entry.stat(follow_symlinks=False)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _is_sealed(entry: Path) -> bool:
    return bool(_COMMIT.fullmatch(entry.name)) and not entry.is_symlink() and entry.is_dir()


def _reason(problem: Exception) -> str:
    """Say what is wrong with a document, in words."""
    if isinstance(problem, KeyError):
        return f"it lacks {problem}"
    return (problem.strerror if isinstance(problem, OSError) else None) or str(problem)
