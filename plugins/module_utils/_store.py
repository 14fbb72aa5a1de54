# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store: the only room that knows where a blob's bytes are, and the only writer.

A standard Hugging Face cache under ``hub/``, plus ``.mirror/`` in each repository for what nginx answers from. Every
step is durable before the next makes it visible, so a run that is killed leaves no half file with a name and no ref to
something missing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from . import _fs
from ._documents import commit_documents, refs_document
from ._errors import MirrorError
from ._facts import Listing, Repo
from ._plan import RepoFacts

FORMAT = 1
#: Every blob's modification time: both nodes of a pair must send the same Last-Modified.
MTIME = 1_577_836_800  # 2020-01-01T00:00:00Z
_FOLDERS = ("hub", "pool", "views", "staging", "ledger", "locks")
_BLOB_MODE = 0o444


class StoreError(MirrorError):
    """The store is not there, not ours or in use."""


class Store:
    """A store at ``root``. Reading needs no more than that; writing wants ``prepare`` and ``locked`` first."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hub = root / "hub"
        self.pool = root / "pool"
        self.staging = root / "staging"

    def check(self) -> bool:
        """Say whether there is a store here (False: an empty or missing folder). Raises StoreError if it isn't ours."""
        try:
            found = json.loads((self.root / "store.json").read_text(encoding="utf-8"))["format"]
        except FileNotFoundError:
            strangers = sorted(set(os.listdir(self.root)) - {"lost+found", *_FOLDERS}) if self.root.is_dir() else []
            if strangers:
                raise StoreError(
                    f"{self.root} has no store.json and is not empty ({strangers[0]}): not a store, or not mounted"
                ) from None
            return False
        except (ValueError, KeyError, TypeError) as problem:
            raise StoreError(f"{self.root}/store.json can't be read: {problem}") from problem
        if found != FORMAT:
            raise StoreError(f"{self.root} has store format {found}, this collection knows {FORMAT}: update it")
        return True

    def prepare(self) -> bool:
        """Make the folder a store where it is none yet and return whether it did. The folder itself must exist."""
        if self.check():
            return False
        if not self.root.is_dir():
            raise StoreError(f"{self.root} does not exist: create it, or mount the file system that holds the store")
        for name in _FOLDERS:
            (self.root / name).mkdir(exist_ok=True)
        _fs.replace_file(self.root / "store.json", json.dumps({"format": FORMAT}).encode() + b"\n", self.staging)
        return True

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run lock: one sync at a time. Raises StoreError at once when another process has it."""
        with (self.root / "locks" / "run").open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise StoreError(f"another sync is running on {self.root} ({lock.read().strip()})") from None
            # for people only: the lock is the kernel's, and nobody decides by what is written here
            lock.truncate(0)
            lock.write(f"pid {os.getpid()} on {socket.gethostname()}\n")
            lock.flush()
            yield

    def facts(self, repo: Repo) -> RepoFacts:
        """Read what is published of a repository."""
        mirror = self.hub / repo.folder / ".mirror" / "rev"
        refs: dict[str, str] = {}
        snapshots: dict[str, dict[str, str]] = {}
        if not mirror.is_dir():
            return RepoFacts()
        for entry in [*mirror.iterdir(), *mirror.glob("refs/*/*")]:
            if entry.is_symlink():
                refs[str(entry.relative_to(mirror))] = os.path.basename(os.readlink(entry))
            elif entry.name != "refs" and entry.parent == mirror:
                snapshots[entry.name] = self._snapshot(entry)
        return RepoFacts(refs, snapshots)

    def _snapshot(self, sealed: Path) -> dict[str, str]:
        try:
            siblings = json.loads((sealed / "info.blobs.json").read_bytes())["siblings"]
            return {s["rfilename"]: s["lfs"]["sha256"] if "lfs" in s else s["blobId"] for s in siblings}
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise StoreError(f"{sealed}/info.blobs.json can't be read: {problem}") from problem

    def has(self, etag: str) -> bool:
        """Say whether the pool has a content."""
        return (self.pool / etag).exists()

    def part(self, etag: str) -> Path:
        """Return where a content is put together."""
        return self.staging / f"{etag}.part"

    def adopt(self, part: Path, etag: str) -> None:
        """Take a verified file into the pool."""
        part.chmod(_BLOB_MODE)
        os.utime(part, (MTIME, MTIME))
        _fs.link(part, self.pool / etag)
        _fs.sync_dir(self.pool)
        part.unlink()

    def upstream(self, repo: Repo, commit: str) -> Listing | None:
        """Return the Hub's listing of a commit if it was seen before: a commit never changes."""
        file = self.hub / repo.folder / ".mirror" / "upstream" / f"{commit}.json"
        try:
            return Listing.from_json(json.loads(file.read_bytes()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError) as problem:
            raise StoreError(f"{file} can't be read: {problem}; remove it, it is only a copy") from problem

    @contextmanager
    def _building(self, repo: Repo) -> Iterator[Path]:
        """Lend an empty folder on the repository's own file system, in which nothing has its final name yet."""
        build = _fs.empty_dir(self.hub / repo.folder / ".mirror" / "build")
        yield build
        shutil.rmtree(build)

    def seal(self, repo: Repo, listing: Listing, paths: tuple[str, ...]) -> None:
        """Make a commit complete by name: every blob is there, then the snapshot, then the documents."""
        folder = self.hub / repo.folder
        for name in ("blobs", "snapshots", "refs", ".mirror/rev", ".mirror/upstream"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for path in paths:
            file = listing.files[path]
            blob = folder / "blobs" / file.etag
            _fs.link(self.pool / file.etag, blob)
            if blob.stat().st_size != file.size:
                raise StoreError(f"{blob} has {blob.stat().st_size} bytes, the Hub declares {file.size}")
        _fs.sync_dir(folder / "blobs")
        with self._building(repo) as build:
            self._link_snapshot(folder, build, listing, paths)
            upstream = json.dumps(listing.to_json(), ensure_ascii=False).encode()
            _fs.replace_file(folder / ".mirror" / "upstream" / f"{listing.commit}.json", upstream, build)
            self._document(folder, build, listing.commit, commit_documents(repo, listing, paths))

    def _document(self, folder: Path, build: Path, commit: str, documents: Mapping[str, bytes]) -> None:
        sealed = folder / ".mirror" / "rev" / commit
        if sealed.exists():
            # more files of a commit that is served: each document is replaced at one instant, the links are there
            for name, content in documents.items():
                (sealed / name).parent.mkdir(parents=True, exist_ok=True)
                _fs.replace_file(sealed / name, content, build)
            _fs.sync_tree(sealed)
        else:
            _fs.write_files(build / "documents", documents)
            _fs.sync_tree(build / "documents")
            (build / "documents").rename(sealed)
            _fs.sync_dir(sealed.parent)

    def _link_snapshot(self, folder: Path, build: Path, listing: Listing, paths: tuple[str, ...]) -> None:
        snapshot = folder / "snapshots" / listing.commit
        target = snapshot if snapshot.exists() else build / "snapshot"
        for path in paths:
            link = target / path
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to("../" * (path.count("/") + 2) + f"blobs/{listing.files[path].etag}")
        _fs.sync_tree(target)
        if target != snapshot:
            target.rename(snapshot)
            _fs.sync_dir(snapshot.parent)

    def publish(self, repo: Repo, ref: str, old: str | None, new: str) -> None:
        """Let a ref name a sealed commit. ``.mirror/rev/REF`` is the truth, the rest is derived from it."""
        folder = self.hub / repo.folder
        rev = folder / ".mirror" / "rev"
        now = self.facts(repo).refs.get(ref)
        if now != old:
            raise StoreError(f"{repo}: {ref} names {now} and not {old}, as planned: someone else published, run again")
        if not (rev / new).is_dir():
            raise StoreError(f"{repo}: commit {new} is not sealed")
        (rev / ref).parent.mkdir(parents=True, exist_ok=True)
        with self._building(repo) as build:
            _fs.replace_link(rev / ref, "../" * ref.count("/") + new, build)
            self._derive(repo, build)

    def _derive(self, repo: Repo, build: Path) -> None:
        for file, content in self._stale(repo).items():
            file.parent.mkdir(parents=True, exist_ok=True)
            _fs.replace_file(file, content, build)

    def _stale(self, repo: Repo) -> dict[Path, bytes]:
        """Return the copies of refs that are out of date: ``refs/REF`` for Hub tools, ``refs.json`` for the API."""
        folder = self.hub / repo.folder
        refs = self.facts(repo).refs
        # Hub clients read refs/REF without stripping: no newline
        right = {folder / "refs" / ref: commit.encode() for ref, commit in refs.items()}
        if refs:
            right[folder / ".mirror" / "refs.json"] = refs_document(refs)
        return {file: content for file, content in right.items() if not file.exists() or file.read_bytes() != content}

    def recover(self, repo: Repo) -> None:
        """Finish what a run that was killed left: the first step of every run."""
        if (self.hub / repo.folder / ".mirror" / "build").exists() or self._stale(repo):
            with self._building(repo) as build:
                self._derive(repo, build)

    def has_view(self, name: str, files: Mapping[str, str]) -> bool:
        """Say whether a view holds exactly these files (name -> etag)."""
        try:
            return os.readlink(self.root / "views" / name) == _view_folder(name, files)
        except FileNotFoundError:
            return False

    def set_view(self, name: str, files: Mapping[str, str]) -> None:
        """Replace a view: a flat folder of hard links under a name of its own, then the symbolic link to it."""
        views = self.root / "views"
        folder = views / _view_folder(name, files)
        if not folder.exists():
            build = _fs.empty_dir(views / ".build")
            for file, etag in files.items():
                _fs.link(self.pool / etag, build / file)
            _fs.sync_dir(build)
            build.rename(folder)
        current = views / name
        old = os.readlink(current) if current.is_symlink() else None
        _fs.replace_link(current, folder.name, self.staging)
        if old and old != folder.name:
            _fs.empty_dir(views / old).rmdir()


def _view_folder(name: str, files: Mapping[str, str]) -> str:
    """Name a view's folder after its content, so that one look at the link tells whether it is up to date."""
    digest = hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()
    return f".{name}.{digest[:16]}"
