# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small store on disk, and a real nginx on loopback that serves it with the role's own template."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.fs import Fs
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.names import NameProblem
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import File, Listing, Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.api import Api
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.description import describe_repository
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.documents import (
    commit_documents,
    commits_document,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.repository_reader import RepositoryReader
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.spelling import Spellings
from mirror_server import Server

BLOB_TIME = 1_000_000_000
_IP_BIND_ADDRESS_NO_PORT = 24  # the name is in Python from 3.12 on


def commit_of(name: str) -> str:
    return hashlib.sha1(name.encode()).hexdigest()


def etag_of(content: bytes) -> str:
    """Small files by git's SHA-1 and larger ones by SHA-256, as on the Hub."""
    if len(content) < 1000:
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return hashlib.sha256(content).hexdigest()


def _file(content: bytes) -> File:
    etag = etag_of(content)
    return File(len(content), etag, etag, 130) if len(etag) == 64 else File(len(content), etag)


def point(link: Path, target: str) -> None:
    """Make or move a symbolic link in one step."""
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f"{link.name}.fresh")
    fresh.symlink_to(target)
    fresh.replace(link)


@dataclass
class Store:
    """The layout of the store, written the short way."""

    root: Path

    def __post_init__(self) -> None:
        self.root.mkdir(exist_ok=True)
        self.sentinel.write_text('{"format": 1}\n')
        (self.root / "hub").mkdir(exist_ok=True)
        (self.root / "views").mkdir(exist_ok=True)

    @property
    def sentinel(self) -> Path:
        return self.root / "store.json"

    def folder(self, repo_id: str, kind: str = "models") -> Path:
        return self.root / "hub" / "--".join([kind, *repo_id.split("/")])

    def commit(self, repo_id: str, commit: str, files: Mapping[str, bytes], kind: str = "models", **info: Any) -> None:
        repo = self.folder(repo_id, kind)
        (repo / "blobs").mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            blob = repo / "blobs" / etag_of(content)
            blob.write_bytes(content)
            os.utime(blob, (BLOB_TIME, BLOB_TIME))
            link = repo / "snapshots" / commit / path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(blob, link.parent))
        Spellings(self.root, Fs()).add(repo.name, self.root)
        try:
            described = Repo(kind[:-1], repo_id)
        except NameProblem:  # what the engine refuses has no documents
            return
        listing = Listing(commit, {path: _file(content) for path, content in files.items()}, {}, info)
        for name, document in commit_documents(described, listing, files).items():
            place = repo / ".mirror" / "rev" / commit / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(document)

    def ref(self, repo_id: str, ref: str, commit: str, kind: str = "models") -> None:
        repo = self.folder(repo_id, kind)
        point(repo / ".mirror" / "rev" / ref, "../" * ref.count("/") + commit)
        branches = [{"name": ref, "ref": f"refs/heads/{ref}", "targetCommit": commit}]
        (repo / ".mirror" / "refs.json").write_text(json.dumps({"branches": branches, "converts": [], "tags": []}))
        published = repo / ".mirror" / "commits" / f"{ref}.json"
        published.parent.mkdir(parents=True, exist_ok=True)
        published.write_bytes(commits_document([{"commit": commit, "time": "2026-11-30T12:00:00Z"}], [commit]))

    def api(self, repo_id: str, kind: str = "models") -> None:
        """Write the documents of the mirror's own API, as the engine does."""
        repository = RepositoryReader(self.root / "hub", Repo(kind[:-1], repo_id))
        Api(repository, Fs()).write(describe_repository(repository))

    def view(self, name: str, files: Mapping[str, bytes]) -> str:
        digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]
        folder = self.root / "views" / f".{name}.{digest}"
        folder.mkdir(parents=True)
        for path, content in files.items():
            (folder / path).write_bytes(content)
            os.utime(folder / path, (BLOB_TIME, BLOB_TIME))
        point(self.root / "views" / name, folder.name)
        return digest


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def header(self, name: str) -> str | None:
        return self.headers.get(name)

    @property
    def json(self) -> Any:
        assert self.header("Content-Type") == "application/json", self.headers
        return json.loads(self.body)


@dataclass
class Mirror:
    """A running nginx and the store behind it."""

    store: Store
    port: int
    folder: Path
    source: str = "127.0.0.1"  # the address of who asks
    address: str = field(init=False)

    def __post_init__(self) -> None:
        self.address = f"http://127.0.0.1:{self.port}"

    def connect(self, source: str | None = None, buffer: int | None = None) -> socket.socket:
        """Return a connection from an address of its own."""
        client = socket.socket()
        client.settimeout(10)
        # the port is chosen when it connects, and not from those at which servers may want to listen
        client.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        if buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.bind((source or self.source, 0))
        client.connect(("127.0.0.1", self.port))
        return client

    def ask(self, path: str, method: str = "GET", body: str | bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.sock = self.connect()
        with contextlib.closing(connection):
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines()]

    def logged(self, path: str, method: str = "GET", **headers: str) -> dict[str, Any]:
        """Ask, and return what the log says of it: nginx writes that when the answer has gone out."""
        before = len(self.log())
        self.ask(path, method, **headers)
        deadline = time.monotonic() + 60
        while len(self.log()) == before:
            assert time.monotonic() < deadline, "nginx logged nothing"
            time.sleep(0.005)  # between two looks at the log
        return self.log()[-1]

    def errors(self) -> list[str]:
        return (self.folder / "error.log").read_text().splitlines()


@contextlib.contextmanager
def serving(store: Store, folder: Path, **variables: Any) -> Iterator[Mirror]:
    server = Server(store.root, folder, **variables)
    try:
        yield Mirror(store, server.port, folder)
    finally:
        server.stop()
