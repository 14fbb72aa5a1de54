# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One repository in the store: a standard Hugging Face cache folder, plus ``.mirror/`` for what nginx answers from.

Every step is durable before the next makes it visible. ``.mirror/rev/REF`` is the truth about a ref; ``refs/REF`` and
``.mirror/refs.json`` are derived from it. ``.mirror/history.json`` gets each publish before the ref moves.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from . import _fs
from ._clock import Clock, stamp
from ._documents import commit_documents, refs_document
from ._errors import MirrorError
from ._facts import Listing, Repo
from ._fs import Fs
from ._lock import locked
from ._plan import Publish, RepoFacts

#: Publishes of a ref that are remembered.
_HISTORY = 100
#: The document that says what is sealed: the last to be written.
_FACTS = "info.blobs.json"


#: What is noted about a commit or ref: when, by whom, why, at which age of the store.
Mark = dict[str, Any]


class RepositoryError(MirrorError):
    """What is on the disk is not what it should be."""


class Repository:
    """A repository's folder below ``hub``. Sealing and publishing want ``locked`` first."""

    def __init__(self, hub: Path, pool: Path, locks: Path, repo: Repo, fs: Fs, clock: Clock) -> None:
        self.repo = repo
        self.folder = hub / repo.folder
        self._mirror = self.folder / ".mirror"
        self._rev = self._mirror / "rev"
        self._pool, self._lock = pool, locks / repo.folder
        self._fs, self._clock = fs, clock

    def locked(self) -> AbstractContextManager[None]:
        """Hold the repository's lock; whoever has it needs milliseconds."""
        return locked(self._lock, wait=True)

    # ---- reading

    def facts(self) -> RepoFacts:
        """Read what is sealed and published."""
        refs = self.refs()
        snapshots = {}
        if self._rev.is_dir():
            snapshots = {entry.name: self._snapshot(entry.name) for entry in self._rev.iterdir() if _is_commit(entry)}
        history, marks = self._history(), self.marks()

        def sealed(kind: str) -> Iterator[str]:
            return (commit for commit in marks.get(kind, ()) if commit in snapshots)

        return RepoFacts(
            refs,
            snapshots,
            {ref: tuple(e["commit"] for e in entries if e["commit"]) for ref, entries in history.items()},
            {ref: entries[-1]["serial"] for ref, entries in history.items() if entries},
            {ref: commit for ref, commit in self._read("pending.json").items() if commit in snapshots},
            {ref: _rejected(entries) for ref, entries in history.items()},
            frozenset(ref for ref in marks.get("frozen", ()) if ref in refs),
            frozenset(sealed("pins")),
            frozenset(sealed("listed")),
            {commit: marks["retired"][commit]["age"] for commit in sealed("retired")},
            {commit: marks["narrowed"][commit]["age"] for commit in sealed("narrowed")},
        )

    def refs(self) -> dict[str, str]:
        """Return ref -> commit."""
        if not self._rev.is_dir():
            return {}
        links = [entry for entry in [*self._rev.iterdir(), *self._rev.glob("refs/*/*")] if entry.is_symlink()]
        return {str(link.relative_to(self._rev)): os.path.basename(os.readlink(link)) for link in links}

    def files(self, commit: str) -> dict[str, tuple[str, int]]:
        """Return the files of a sealed commit: path -> etag and size in bytes."""
        document = self._rev / commit / _FACTS
        try:
            siblings = json.loads(document.read_bytes())["siblings"]
            return {s["rfilename"]: (s["lfs"]["sha256"] if "lfs" in s else s["blobId"], s["size"]) for s in siblings}
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise RepositoryError(f"{document} can't be read: {problem}") from problem

    def _snapshot(self, commit: str) -> dict[str, str]:
        return {path: etag for path, (etag, _size) in self.files(commit).items()}

    def check_complete(self, commit: str) -> None:
        """See that every file of a commit is there and can be read. Raises RepositoryError."""
        for path, (etag, size) in self.files(commit).items():
            link = self.folder / "snapshots" / commit / path
            try:
                status = link.stat()
            except OSError as problem:
                raise RepositoryError(f"{self.repo}@{commit[:12]} lacks {path}: {problem.strerror}") from problem
            if status.st_size != size or not status.st_mode & 0o444 or os.path.basename(os.readlink(link)) != etag:
                raise RepositoryError(f"{self.repo}@{commit[:12]}: {path} is damaged, hf-mirror scrub repairs it")

    def marks(self) -> dict[str, dict[str, Mark]]:
        """Return what people and runs noted about commits and refs: kind -> commit or ref -> mark."""
        return self._read("marks.json")

    def _history(self) -> dict[str, list[dict[str, Any]]]:
        return self._read("history.json")

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self._mirror / name).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except ValueError as problem:
            raise RepositoryError(f"{self._mirror / name} can't be read: {problem}") from problem
        return found

    def upstream(self, commit: str) -> Listing | None:
        """Return the Hub's listing of a commit if it was seen before: a commit never changes."""
        file = self._mirror / "upstream" / f"{commit}.json"
        try:
            return Listing.from_json(json.loads(file.read_bytes()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError) as problem:
            raise RepositoryError(f"{file} can't be read: {problem}; remove it, it is only a copy") from problem

    # ---- sealing

    @contextmanager
    def _building(self) -> Iterator[Path]:
        """Lend an empty folder on the repository's own file system, in which nothing has its final name yet."""
        build = _fs.empty_dir(self._fs, self._mirror / "build")
        yield build
        self._fs.rmtree(build)

    def seal(self, listing: Listing, paths: tuple[str, ...]) -> None:
        """Make a commit complete by name: every blob is there, then the snapshot, then the documents.

        Raises FileNotFoundError where the pool lacks a blob.
        """
        for name in ("blobs", "snapshots", "refs", ".mirror/rev", ".mirror/upstream"):
            self._fs.mkdir(self.folder / name)
        for folder in (self._mirror, self.folder, self.folder.parent):
            self._fs.sync_dir(folder)
        for path in paths:
            file = listing.files[path]
            blob = self.folder / "blobs" / file.etag
            self._link_blob(file.etag, blob)
            if blob.stat().st_size != file.size:
                raise RepositoryError(f"{blob} has {blob.stat().st_size} bytes, the Hub declares {file.size}")
        self._fs.sync_dir(self.folder / "blobs")
        with self._building() as build:
            self._link_snapshot(build, listing, paths)
            upstream = json.dumps(listing.to_json(), ensure_ascii=False).encode()
            _fs.replace_file(self._fs, self._mirror / "upstream" / f"{listing.commit}.json", upstream, build)
            self._document(build, listing.commit, commit_documents(self.repo, listing, paths))

    def _link_blob(self, etag: str, blob: Path) -> None:
        if blob.exists():
            return
        try:
            self._fs.link(self._pool / etag, blob)
        except FileExistsError:
            return
        except OSError as problem:
            if problem.errno != errno.EMLINK:
                raise
            # ext4 gives a file 65,000 names at most: a copy takes over the pool's name, and gets the next ones
            self._copy_in_pool(etag)
            self._fs.link(self._pool / etag, blob)

    def _copy_in_pool(self, etag: str) -> None:
        old = self._pool / etag
        with self._building() as build:
            self._fs.write(build / etag, old.read_bytes())
            status = old.stat()
            self._fs.freeze(build / etag, status.st_mode & 0o777, int(status.st_mtime))
            with (build / etag).open("rb") as content:
                self._fs.sync(content)
            self._fs.rename(build / etag, old)
            self._fs.sync_dir(self._pool)

    def _document(self, build: Path, commit: str, documents: Mapping[str, bytes]) -> None:
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
        for name in sorted(documents, key=lambda one: one == _FACTS):
            if name == _FACTS:
                _fs.sync_tree(self._fs, sealed)
            if not (sealed / name).exists() or (sealed / name).read_bytes() != documents[name]:
                self._fs.mkdir((sealed / name).parent)
                _fs.replace_file(self._fs, sealed / name, documents[name], build)
        for file in sealed.rglob("*.json"):
            if str(file.relative_to(sealed)) not in documents:
                self._fs.unlink(file)
                self._fs.sync_dir(file.parent)

    def _link_snapshot(self, build: Path, listing: Listing, paths: tuple[str, ...]) -> None:
        snapshot = self.folder / "snapshots" / listing.commit
        target = snapshot if snapshot.exists() else build / "snapshot"
        for path in paths:
            link = target / path
            self._fs.mkdir(link.parent)
            if not link.is_symlink():
                self._fs.symlink("../" * (path.count("/") + 2) + f"blobs/{listing.files[path].etag}", link)
        _fs.sync_tree(self._fs, target)
        if target != snapshot:
            self._fs.rename(target, snapshot)
            self._fs.sync_dir(snapshot.parent)

    # ---- publishing

    def publish(self, publish: Publish, actor: str) -> None:
        """Let a ref name a sealed commit."""
        now = self.refs().get(publish.ref)
        if now != publish.old:
            raise RepositoryError(
                f"{self.repo}: {publish.ref} names {now} and not {publish.old}, as planned: someone else published,"
                " run again"
            )
        if not (self._rev / publish.new).is_dir():
            raise RepositoryError(f"{self.repo}: commit {publish.new} is not sealed")
        with self._building() as build:
            self._remember(publish.ref, publish.new, publish.serial, actor, build, publish.is_rollback)
            link = self._rev / publish.ref
            if not link.parent.is_dir():  # refs/pr
                self._fs.mkdir(link.parent)
                _fs.sync_tree(self._fs, self._rev / "refs")
                self._fs.sync_dir(self._rev)
            _fs.replace_link(self._fs, link, "../" * publish.ref.count("/") + publish.new, build)
            self._derive(build)

    def _remember(self, ref: str, commit: str, serial: int, actor: str, build: Path, is_rollback: bool = False) -> None:
        """Announce a publish. ``commit`` is empty where a ref is taken away."""
        history = self._history()
        entry = {"serial": serial, "commit": commit, "time": stamp(self._clock.now()), "actor": actor}
        if is_rollback:
            entry["rollback"] = True
        history[ref] = [*history.get(ref, [])[-_HISTORY:], entry]
        self._write("history.json", history, build)

    def set_pending(self, ref: str, commit: str) -> None:
        """Note that a sealed commit waits for a person to publish it."""
        with self._building() as build:
            self._write("pending.json", {**self._read("pending.json"), ref: commit}, build)

    def mark(self, changes: Mapping[str, Mapping[str, Mark | None]]) -> None:
        """Change marks: kind -> commit or ref -> the new mark, or None to take it away."""
        marks = self.marks()
        for kind, changed in changes.items():
            merged = {**marks.get(kind, {}), **changed}
            marks[kind] = {name: mark for name, mark in merged.items() if mark is not None}
        with self._building() as build:
            self._write("marks.json", {kind: found for kind, found in marks.items() if found}, build)

    def withdraw(self, ref: str, actor: str) -> None:
        """Take a ref away; its commits stay served by their ids."""
        with self._building() as build:
            self._remember(ref, "", self.facts().serials.get(ref, 0) + 1, actor, build)
            self._fs.unlink(self._rev / ref)
            self._fs.sync_dir((self._rev / ref).parent)
            self._derive(build)

    def _write(self, name: str, value: Any, build: Path) -> None:
        content = json.dumps(value, ensure_ascii=False, sort_keys=True).encode()
        _fs.replace_file(self._fs, self._mirror / name, content, build)

    def _derive(self, build: Path) -> None:
        """Bring the copies of refs up to date: ``refs/REF`` for Hub tools, ``refs.json`` for the API."""
        refs = self.refs()
        for file, content in self._stale(refs).items():
            self._fs.mkdir(file.parent)
            _fs.replace_file(self._fs, file, content, build)
        for file in self._surplus(refs):
            self._fs.unlink(file)
        pending = self._read("pending.json")
        waiting = {ref: commit for ref, commit in pending.items() if refs.get(ref) != commit}
        if waiting != pending:
            self._write("pending.json", waiting, build)

    def _stale(self, refs: Mapping[str, str]) -> dict[Path, bytes]:
        # Hub clients read refs/REF without stripping: no newline
        right = {self.folder / "refs" / ref: commit.encode() for ref, commit in refs.items()}
        if refs or (self._mirror / "refs.json").exists():
            right[self._mirror / "refs.json"] = refs_document(refs)
        return {file: content for file, content in right.items() if not file.exists() or file.read_bytes() != content}

    def _surplus(self, refs: Mapping[str, str]) -> list[Path]:
        top = self.folder / "refs"
        files = [file for file in top.rglob("*") if file.is_file()] if top.is_dir() else []
        return [file for file in files if str(file.relative_to(top)) not in refs]

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
        half = (self._mirror / "build").exists()
        with self._building() as build:
            kept = self._happened()
            if kept != self._history():
                self._write("history.json", kept, build)
            self._derive(build)
            for commit, files in self.facts().snapshots.items() if half else ():
                listing = self.upstream(commit)
                if listing:
                    # a commit that was to get more files, or less, and got some documents only
                    self._redocument(build, self._rev / commit, commit_documents(self.repo, listing, files))
        return ["what a run that was killed left was brought into order"]

    def _is_half(self) -> bool:
        refs = self.refs()
        left = (self._mirror / "build").exists() or self._happened() != self._history()
        return bool(left or self._stale(refs) or self._surplus(refs))

    def _happened(self) -> dict[str, list[dict[str, Any]]]:
        """Return the history without a publish that was announced and did not happen: the ref is the truth."""
        refs = self.refs()
        return {
            ref: entries[:-1] if entries and refs.get(ref, "") != entries[-1]["commit"] else entries
            for ref, entries in self._history().items()
        }


def _rejected(entries: list[dict[str, Any]]) -> frozenset[str]:
    """Return the commits that a rollback left and that nobody published again."""
    found: set[str] = set()
    before = ""
    for entry in entries:
        found.discard(entry["commit"])
        if entry.get("rollback"):
            found.add(before)
        before = entry["commit"]
    return frozenset(found)


def _is_commit(entry: Path) -> bool:
    return not entry.is_symlink() and len(entry.name) == 40 and entry.is_dir()
