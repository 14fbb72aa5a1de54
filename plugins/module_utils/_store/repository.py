# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One repository in the store: a standard Hugging Face cache folder, plus ``.mirror/`` for what nginx answers from.

Every step is durable before the next makes it visible. ``.mirror/rev/REF`` is the truth about a ref; ``refs/REF`` and
``.mirror/refs.json`` are derived from it. ``.mirror/history.json`` gets each publish before the ref moves.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from .._base import fs as _fs
from .._base.clock import Clock, stamp, stamp_after
from .._base.fs import Fs
from .._base.limits import ANSWER_BYTES
from .._base.lock import locked
from .._base.names import Commit, Etag, Ref, RepoPath
from .._plan.facts import Listing, Repo
from .._plan.plan import Publish
from .api import Api
from .documents import LATER, commit_documents
from .history import LENGTH, Entry, History, Mark, merge_marks
from .pool import Pool, TooManyNamesError
from .repository_reader import FACTS, SHARED_MARKS, RepositoryError, RepositoryReader
from .spelling import Spellings


class Repository(RepositoryReader):
    """A repository's folder below ``hub``. Sealing and publishing want ``locked`` first."""

    def __init__(self, hub: Path, pool: Pool, locks: Path, repo: Repo, fs: Fs, clock: Clock) -> None:
        super().__init__(hub, repo)
        self._pool, self._lock = pool, locks / repo.folder
        self._fs, self._clock = fs, clock
        self._spellings = Spellings(hub.parent, fs)

    def locked(self) -> AbstractContextManager[None]:
        """Hold the repository's lock; whoever has it needs milliseconds."""
        return locked(self._lock, wait=True)

    # ---- sealing

    @contextmanager
    def _building(self) -> Iterator[Path]:
        """Lend an empty folder on the repository's own file system, in which nothing has its final name yet."""
        build = _fs.empty_dir(self._fs, self._mirror / "build")
        yield build
        self._fs.rmtree(build)

    def seal(self, listing: Listing, paths: tuple[RepoPath, ...]) -> None:
        """Make a commit complete by name: every blob is there, then the snapshot, then the documents.

        Raises FileNotFoundError where the pool lacks a blob.
        """
        upstream = json.dumps(listing.to_json()).encode()  # ASCII: a name that is refused may be no UTF-8
        if len(upstream) > ANSWER_BYTES:  # the other node of a pair takes no more
            what = f"the listing of {self.repo}@{listing.commit[:12]}"
            raise RepositoryError(f"{what} has {len(upstream)} bytes, {ANSWER_BYTES} are the most")
        for name in ("blobs", "snapshots", "refs", ".mirror/rev", ".mirror/upstream"):
            self._fs.mkdir(self.folder / name)
        self._pool.sync()
        for folder in (self._mirror, self.folder, self.folder.parent):
            self._fs.sync_dir(folder)
        for path in paths:
            file = listing.files[path]
            blob = self.folder / "blobs" / file.etag
            self._link_blob(file.etag, blob)
            status = blob.lstat()
            if not stat.S_ISREG(status.st_mode):
                raise RepositoryError(f"{blob} is not a regular file: move it away")
            if status.st_size != file.size:
                raise RepositoryError(
                    f"{path} of {self.repo}@{listing.commit[:12]} has {status.st_size} bytes, the Hub declares"
                    f" {file.size}"
                )
        self._fs.sync_dir(self.folder / "blobs")
        with self._building() as build:
            self._link_snapshot(build, listing, paths)
            _fs.replace_file(self._fs, self._mirror / "upstream" / f"{listing.commit}.json", upstream, build)
            self._document(build, listing.commit, commit_documents(self.repo, listing, paths))
            self._spellings.add(self.folder.name, build)
            self._derive(build)

    def gate(self) -> None:
        """Let the server show it to those alone who may see what is gated; views are closed first (``view_update``)."""
        with self._building() as build:
            _fs.replace_file(self._fs, self._mirror / "gated", b"", build)

    def _link_blob(self, etag: Etag, blob: Path) -> None:
        if os.path.lexists(blob):
            return
        try:
            self._pool.link(etag, blob)
        except FileExistsError:
            return
        except TooManyNamesError:
            with self._building() as build:
                self._pool.renew(etag, build)
            self._pool.link(etag, blob)

    def _document(self, build: Path, commit: Commit, documents: Mapping[str, bytes]) -> None:
        sealed = self._rev / commit
        if sealed.exists():
            # more files of a commit that is served: each document is replaced at one instant, the links are there
            self._fs.sync_dir(self._mirror)  # if this is cut short, the folder for building tells
            self._redocument(build, sealed, documents)
        else:
            _fs.write_files(self._fs, build / "documents", documents)
            _fs.sync_tree(self._fs, build / "documents")
            self._fs.rename(build / "documents", sealed)
            self._fs.sync_dir(sealed.parent)

    def _redocument(self, build: Path, sealed: Path, documents: Mapping[str, bytes]) -> None:
        """Replace the documents of a commit, that which facts are read from as the last."""
        for name in sorted(documents, key=lambda one: one == FACTS):
            if name == FACTS:
                _fs.sync_tree(self._fs, sealed)
            if not _fs.has_content(sealed / name, documents[name]):
                self._fs.mkdir((sealed / name).parent)
                _fs.replace_file(self._fs, sealed / name, documents[name], build)
        for name in [one for one in _fs.files_below(sealed) if one not in documents]:
            self._fs.unlink(sealed / name)
            self._fs.sync_dir((sealed / name).parent)

    def _link_snapshot(self, build: Path, listing: Listing, paths: tuple[RepoPath, ...]) -> None:
        snapshot = self.folder / "snapshots" / listing.commit
        target = snapshot if snapshot.exists() else build / "snapshot"
        for folder in sorted({target, *((target / path).parent for path in paths)}):
            self._fs.mkdir(folder)
        for path in paths:
            link = target / path
            leads_to = "../" * (path.count("/") + 2) + f"blobs/{listing.files[path].etag}"
            if not link.is_symlink():
                self._fs.symlink(leads_to, link)
            elif os.readlink(link) != leads_to:  # the commit was thrown away, for what it said was wrong
                _fs.replace_link(self._fs, link, leads_to, build)
        _fs.sync_tree(self._fs, target)
        if target != snapshot:
            self._fs.rename(target, snapshot)
            self._fs.sync_dir(snapshot.parent)

    # ---- publishing

    def publish(self, publish: Publish, actor: str, note: str = "") -> None:
        """Let a ref name a sealed commit. ``note`` says why, for people."""
        now = self.refs().get(publish.ref)
        if now != publish.old:
            raise RepositoryError(
                f"{self.repo}: {publish.ref} is at {now}, not at {publish.old} as planned: someone else published,"
                " run again"
            )
        if not (self._rev / publish.new).is_dir():
            raise RepositoryError(f"{self.repo}: commit {publish.new} is not sealed")
        entry = self._entry(publish.new, publish.serial, actor)
        if publish.is_rollback:
            entry["rollback"] = True
        if note:
            entry["note"] = note
        self._move({publish.ref: [*self.history().get(publish.ref, []), entry]})

    def follow(self, histories: History) -> None:
        """Take over histories from the other node, and let each ref name what its last entry says."""
        self._move(histories)

    def _move(self, histories: History) -> None:
        """Announce where refs go, then move them; an empty commit takes one away."""
        with self._building() as build:
            moved = {ref: entries[-LENGTH:] for ref, entries in histories.items()}
            self._write("history.json", {**self.history(), **moved}, build)
            for ref, entries in histories.items():
                self._point(ref, entries[-1]["commit"], build)
            self._derive(build)

    def _point(self, ref: str, commit: str, build: Path) -> None:
        """Let a ref name a commit, or go where that is empty."""
        link = self._rev / ref
        if not commit:
            self._fs.unlink(link)
            self._fs.sync_dir(link.parent)
            return
        if link.is_symlink() and os.path.basename(os.readlink(link)) == commit:
            return
        if not link.parent.is_dir():  # refs/pr
            self._fs.mkdir(link.parent)
            _fs.sync_tree(self._fs, self._rev / "refs")
            self._fs.sync_dir(self._rev)
        _fs.replace_link(self._fs, link, "../" * ref.count("/") + commit, build)

    def _entry(self, commit: Commit | None, serial: int, actor: str) -> Entry:
        return {"serial": serial, "commit": commit or "", "time": stamp(self._clock.now()), "actor": actor}

    def set_pending(self, ref: Ref, commit: Commit) -> None:
        """Note that a sealed commit waits for a person to publish it."""
        with self._building() as build:
            self._write("pending.json", {**self.pending(), ref: commit}, build)

    def replace_pending(self, pending: Mapping[Ref, Commit]) -> None:
        """Let just these sealed commits wait."""
        with self._building() as build:
            self._write("pending.json", dict(pending), build)

    def mark(self, changes: Mapping[str, Mapping[str, Mark | None]]) -> None:
        """Change marks: kind -> commit or ref -> the new mark, or None to take it away.

        Those that all nodes have get their time here.
        """
        marks = self.marks()
        for kind, changed in changes.items():
            known = marks.get(kind, {})
            if kind in SHARED_MARKS:
                changed = {name: self._later(mark, known.get(name)) for name, mark in changed.items()}
            marks[kind] = {name: mark for name, mark in {**known, **changed}.items() if mark is not None}
        newest = sorted(marks.get("collected", {}).items(), key=lambda one: (one[1]["time"], one[0]))[-LENGTH:]
        marks["collected"] = dict(newest)
        self._write_marks(marks)

    def _later(self, mark: Mark | None, known: Mark | None) -> Mark:
        """Return a mark, or that it was taken away, later than one that is known."""
        return {**(mark or {"off": True}), "time": stamp_after(known["time"] if known else "", self._clock.now())}

    def merge_marks(self, theirs: Mapping[str, Mapping[str, Mark]]) -> bool:
        """Take over the other node's marks that are newer, and say whether there were any."""
        marks = self.marks()
        merged = {**marks, **{kind: merge_marks(marks.get(kind, {}), theirs.get(kind, {})) for kind in SHARED_MARKS}}
        merged = {kind: found for kind, found in merged.items() if found}
        if merged != marks:
            self._write_marks(merged)
        return merged != marks

    def _write_marks(self, marks: Mapping[str, Mapping[str, Mark]]) -> None:
        with self._building() as build:
            self._write("marks.json", {kind: found for kind, found in marks.items() if found}, build)

    def withdraw(self, ref: Ref, actor: str) -> None:
        """Take a ref away, and what waits for it; its commits stay served by their ids.

        That it was frozen goes first: published again one day, it is to follow the upstream.
        """
        if ref in self.marks().get("frozen", ()):
            self.mark({"frozen": {ref: None}})
        pending = self.pending()
        if pending.pop(ref, None):
            self.replace_pending(pending)
        if ref not in self.refs():
            return
        entries = self.history().get(ref, [])
        serial = entries[-1]["serial"] + 1 if entries else 1
        self._move({ref: [*entries, self._entry(None, serial, actor)]})

    def last_words(self, actor: str) -> History:
        """Return the history with all refs taken away: what is to be remembered of a repository that goes."""
        try:
            history = self.history()
        except RepositoryError:  # what is broken must go all the same
            return {}
        return {
            ref: [*entries, self._entry(None, entries[-1]["serial"] + 1, actor)] if entries[-1]["commit"] else entries
            for ref, entries in history.items()
            if entries
        }

    def leave_behind(self, history: History) -> None:
        """Write a history where it is found when the repository is gone."""
        self._fs.mkdir(self._past.parent)
        with self._building() as build:
            content = json.dumps(history, ensure_ascii=False, sort_keys=True).encode()
            _fs.replace_file(self._fs, self._past, content, build)
        self._fs.sync_dir(self._past.parent.parent)

    def _write(self, name: str, value: Any, build: Path) -> None:
        content = json.dumps(value, ensure_ascii=False, sort_keys=True).encode()
        _fs.replace_file(self._fs, self._mirror / name, content, build)

    def keep_derived(self, name: str, content: bytes) -> None:
        """Keep a file that is derived of all else, and may be lost."""
        _fs.replace_derived(self._fs, self._mirror / name, content)

    @property
    def api(self) -> Api:
        """The API's documents."""
        return Api(self, self._fs)

    def derive(self) -> None:
        """Bring what is derived up to date, after commits were taken away."""
        with self._building() as build:
            self._derive(build)

    def _derive(self, build: Path) -> None:
        """Bring the copies of refs up to date: ``refs/REF`` for Hub tools, the others for the API."""
        refs = self.refs()
        for file, content in self._stale(refs).items():
            self._fs.mkdir(file.parent)
            _fs.replace_file(self._fs, file, content, build)
        for file in self._surplus(refs):
            self._fs.unlink(file)
        pending = self.pending()
        waiting = {ref: commit for ref, commit in pending.items() if refs.get(ref) != commit}
        if waiting != pending:
            self._write("pending.json", waiting, build)

    def _stale(self, refs: Mapping[Ref, Commit]) -> dict[Path, bytes]:
        right = self.derived(refs)
        return {file: content for file, content in right.items() if not _fs.has_content(file, content)}

    def _surplus(self, refs: Mapping[Ref, Commit]) -> list[Path]:
        right = self.derived(refs)
        return [file for file in self.copies() if file not in right]

    def recover(self) -> list[str]:
        """Bring what a killed run left into order and say what was done."""
        if not self._is_half():
            return []
        with self.locked():
            return self.recover_locked()

    def recover_locked(self) -> list[str]:
        """Do that when the lock is held already; whoever changes anything without a run needs it first."""
        if not self._is_half():
            return []
        # a killed run moved refs; that must be durable before what is derived from it
        _fs.sync_tree(self._fs, self._rev / "refs")
        if self._rev.is_dir():
            self._fs.sync_dir(self._rev)
        half = os.path.lexists(self._mirror / "build")
        with self._building() as build:
            kept = self.happened()
            if kept != self.history():
                self._write("history.json", kept, build)
            self._derive(build)
            older = self._older()
            for commit, files in self.facts().snapshots.items() if half or older else ():
                listing = self.upstream(commit) if half or commit in older else None
                if listing:
                    # a commit that was to get more files, or less, and got some documents only
                    self._redocument(build, self._rev / commit, commit_documents(self.repo, listing, files))
        return ["what a killed run left behind was cleaned up"]

    def _is_half(self) -> bool:
        refs = self.refs()
        left = os.path.lexists(self._mirror / "build") or self.happened() != self.history()
        return bool(left or self._stale(refs) or self._surplus(refs) or self._older())

    def _older(self) -> set[Commit]:
        """Return the commits that an older version sealed, which wrote less documents."""
        lacking = {commit for commit in self.sealed() if any(not (self._rev / commit / one).exists() for one in LATER)}
        return {commit for commit in lacking if (self._mirror / "upstream" / f"{commit}.json").exists()}
