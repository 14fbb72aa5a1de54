# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upstream whose large files are in Xet: hf_xet itself writes the store, and clients read it with hf_xet.

The Hub's part is small: one repository with one commit. The store's part answers as the public store does, from what
hf_xet wrote: a reconstruction names ranges of xorbs at signed addresses. With ``local=True`` the Hub names the folder
as the store instead, and clients read it with no code of ours between. ``/bridge/`` has the files over plain HTTP.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from hub import listings, objects
from hub.address import Address, parse
from hub.repos import Commit, File, NotFound, Repo

_SIGNATURE = "f00d"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_TIME = 1_700_000_000


class Term(NamedTuple):
    """A piece of a file: ``size`` bytes, which are chunks ``first`` up to ``end`` of a xorb."""

    xorb: str
    size: int
    first: int
    end: int


class Chunk(NamedTuple):
    """Where a chunk is in its xorb, compressed and with its header, and how large it is without."""

    first: int
    end: int
    size: int


class Store:
    """A folder that hf_xet fills and reads as ``local://``."""

    def __init__(self, folder: Path, contents: Mapping[str, bytes]) -> None:
        os.environ.setdefault("HF_XET_LOG_DEST", os.devnull)
        import hf_xet  # opens its log at once

        self.url = f"local://{folder}"
        self.xorbs = folder / "xet" / "xorbs" / "xorbs"
        upload = hf_xet.XetSession().new_upload_commit(endpoint=self.url)
        handles = {sha256: upload.start_upload_bytes(content) for sha256, content in contents.items()}
        upload.wait_to_finish()
        #: SHA-256 -> Xet hash
        self.hashes = {sha256: str(handle.result().xet_info.hash) for sha256, handle in handles.items()}
        shards = (folder / "xet" / "xorbs" / "shards").glob("*.mdb")
        self.files = {name: terms for shard in shards for name, terms in _read_shard(shard.read_bytes()).items()}

    def xorb(self, name: str) -> Path:
        """Return a xorb's file."""
        return self.xorbs / f"default.{name}"

    @lru_cache(maxsize=8)  # noqa: B019 - lives as long as a test
    def chunks(self, xorb: str, count: int) -> list[Chunk]:
        """Return where the first ``count`` chunks of a xorb are."""
        content, at = self.xorb(xorb).read_bytes(), 0
        found: list[Chunk] = []
        while len(found) < count:
            end = at + 8 + int.from_bytes(content[at + 1 : at + 4], "little")
            found.append(Chunk(at, end, int.from_bytes(content[at + 5 : at + 8], "little")))
            at = end
        return found


def _read_shard(shard: bytes) -> dict[str, list[Term]]:
    """Return Xet hash -> terms from the first section of a shard, which is made of records of 48 bytes."""
    files, at = {}, 48
    while shard[at : at + 32] != b"\xff" * 32:
        name, flags, count = _hex(shard, at), *struct.unpack_from("<II", shard, at + 32)
        records = [at + 48 * number for number in range(1, count + 1)]
        fields = [struct.unpack_from("<4xIII", shard, record + 32) for record in records]
        files[name] = [Term(_hex(shard, record), *numbers) for record, numbers in zip(records, fields, strict=True)]
        # each term may have a record more, and the file one
        at += 48 * (1 + count * (1 + (flags >> 31)) + (flags >> 30 & 1))
    return files


def _hex(shard: bytes, at: int) -> str:
    return "".join(f"{number:016x}" for number in struct.unpack_from("<4Q", shard, at))


@dataclass
class Request:
    """What came in: ``token``, ``reconstruction``, ``xorb``, ``bridge``, ``telemetry``, or the Hub's kinds."""

    kind: str
    method: str
    target: str
    headers: Message = field(repr=False)


class XetHub:
    """The Hub and the store on free loopback ports for as long as a ``with`` block lasts.

    ``refuse`` has a status for each kind of request that is to fail. Tokens last ``token_seconds`` and until
    ``end_tokens``. A xorb is sent when it is one of the first ``unhindered``, else when ``go_on`` is set.
    """

    repo_id = "stand-in/xet"

    def __init__(self, folder: Path, files: Mapping[str, bytes], local: bool = False) -> None:
        self.local, self.contents = local, {hashlib.sha256(content).hexdigest(): content for content in files.values()}
        listed = {path: _file(path, content) for path, content in files.items()}
        large = {file.lfs: self.contents[file.lfs] for file in listed.values() if file.lfs}
        self.store = Store(folder, large)
        tree = objects.tree_ids({path: file.oid for path, file in listed.items()})[""]
        title = "Upload models"
        self.commit = Commit(objects.commit_id(tree, None, _TIME, title), None, _TIME, title, listed)
        self.repo = Repo("model", self.repo_id, [self.commit], {"refs/heads/main": self.commit.id})
        self.requests: list[Request] = []
        self.refuse: dict[str, int] = {}
        self.token_seconds, self.tokens = 3600, 0
        self.unhindered, self.xorbs = 1 << 30, itertools.count(1)
        self.go_on = threading.Event()
        # two hosts, as it is upstream
        self._servers = [_Server(("127.0.0.1", 0), _Hub, self), _Server(("127.0.0.2", 0), _Cas, self)]
        self.url, self.store_url = (server.url for server in self._servers)

    def end_tokens(self) -> None:
        """Accept only tokens that are still to be given."""
        self.tokens += 1

    def seen(self, kind: str) -> list[Request]:
        """Return the requests of one kind so far."""
        return [request for request in self.requests if request.kind == kind]

    def __enter__(self) -> XetHub:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_on.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()


def _file(path: str, content: bytes) -> File:
    sha256 = hashlib.sha256(content).hexdigest()
    if not objects.is_lfs(path, len(content)):
        return File(len(content), objects.git_object_id("blob", content), sha256)
    pointer = objects.lfs_pointer(sha256, len(content))
    return File(len(content), objects.git_object_id("blob", pointer), sha256, sha256)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[_Handler], xet: XetHub) -> None:
        super().__init__(address, handler)
        self.xet, self.url = xet, f"http://{address[0]}:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client goes away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # else the kernel holds small answers back for 40 ms
    disable_nagle_algorithm = True

    @property
    def xet(self) -> XetHub:
        return self.server.xet

    def do_GET(self) -> None:
        raise NotImplementedError

    def do_HEAD(self) -> None:
        self.do_GET()

    def note(self, kind: str) -> bool:
        """Enter a request; return False when it was refused."""
        self.xet.requests.append(Request(kind, self.command, self.path, self.headers))
        status = self.xet.refuse.get(kind)
        if status:
            self.answer(status, b"refused on order")
        return not status

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def json(self, document: Any, headers: Mapping[str, str] | None = None) -> None:
        self.answer(200, json.dumps(document).encode(), headers)

    def span(self, size: int) -> tuple[int, int] | None:
        """Return the range that is asked for, or None without one."""
        found = _RANGE.fullmatch(self.headers.get("Range", ""))
        return (int(found[1]), min(int(found[2] or size) + 1, size)) if found else None

    def part(self, content: bytes, headers: Mapping[str, str]) -> None:
        """Answer with content or the range of it that is asked for."""
        span = self.span(len(content))
        if not span:
            self.answer(200, content, headers)
        elif span[0] >= span[1]:
            self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        else:
            told = {"Content-Range": f"bytes {span[0]}-{span[1] - 1}/{len(content)}"}
            self.answer(206, content[span[0] : span[1]], {**headers, **told})

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Hub(_Handler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == f"/api/models/{self.xet.repo_id}/xet-read-token/{self.xet.commit.id}":
            if self.note("token"):
                self._token()
            return
        address = parse(url.path)
        if not self.note(address.kind if address else "other"):
            return
        try:
            if not address or address.repo_id != self.xet.repo_id:
                raise NotFound("RepoNotFound", "Repository not found")
            self._about(address, self.xet.repo.commit(address.revision), parse_qs(url.query))
        except NotFound as problem:
            self.answer(404, b"", {"X-Error-Code": problem.code, "X-Error-Message": str(problem)})

    def _about(self, address: Address, commit: Commit, query: dict[str, list[str]]) -> None:
        if address.kind == "resolve":
            if address.path not in commit.files:
                raise NotFound("EntryNotFound", "Entry not found")
            self._resolve(commit, commit.files[address.path])
        elif address.kind == "tree":
            found = listings.tree(commit, address.path, _flag(query, "recursive"), _flag(query, "expand"))
            for entry in found:
                if "lfs" in entry:
                    entry["xetHash"] = self.xet.store.hashes[entry["lfs"]["oid"]]
            self.json(found)
        else:
            self.json(listings.info(self.xet.repo, commit, _flag(query, "blobs"), query.get("expand", [])))

    def _resolve(self, commit: Commit, file: File) -> None:
        headers = {"X-Repo-Commit": commit.id, "Accept-Ranges": "bytes"}
        if not file.lfs:
            self.part(self.xet.contents[file.blob], {**headers, "ETag": f'"{file.oid}"'})
            return
        token_url = f"{self.xet.url}/api/models/{self.xet.repo_id}/xet-read-token/{commit.id}"
        headers |= {
            "Location": f"{self.xet.store_url}/bridge/{file.lfs}?Signature={_SIGNATURE}",
            "X-Linked-Etag": f'"{file.lfs}"',
            "X-Linked-Size": str(file.size),
            "X-Xet-Hash": self.xet.store.hashes[file.lfs],
            "Link": f'<{token_url}>; rel="xet-auth", <{self.xet.store_url}/>; rel="xet-reconstruction-info"',
        }
        self.answer(302, b"", headers)

    def _token(self) -> None:
        url = self.xet.store.url if self.xet.local else self.xet.store_url
        token, end = f"store-token-{self.xet.tokens}", int(time.time()) + self.xet.token_seconds
        told = {"X-Xet-Cas-Url": url, "X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(end)}
        self.json({"casUrl": url, "accessToken": token, "exp": end}, told)


class _Cas(_Handler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        kind, *names = url.path.removeprefix("/").split("/")
        if kind in ("bridge", "xorb") and url.query != f"Signature={_SIGNATURE}":
            self.answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        elif kind == "bridge" and self.note("bridge"):
            self.part(self.xet.contents[names[0]], {"ETag": f'"{hashlib.sha256(names[0].encode()).hexdigest()}"'})
        elif kind == "xorb" and self.note("xorb"):
            if next(self.xet.xorbs) > self.xet.unhindered:
                self.xet.go_on.wait()
            self.part(self.xet.store.xorb(names[0]).read_bytes(), {})
        elif kind == "v1" and self.note("reconstruction"):
            if self.headers["Authorization"] != f"Bearer store-token-{self.xet.tokens}":
                self.answer(401, b"")
            else:
                self._reconstruction(names[1])
        elif kind not in ("bridge", "xorb", "v1"):
            self.answer(404, b"")  # there is a v2 by now; clients ask for it first

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.note("telemetry"):
            self.answer(200, b"{}")

    def _reconstruction(self, name: str) -> None:
        """Say which chunks of which xorbs make a range of a file, and at which ranges of which addresses they are."""
        terms = self.xet.store.files.get(name, [])
        size = sum(term.size for term in terms)
        first, end = self.span(size) or (0, size)
        if not terms or first >= end:
            self.answer(416 if terms else 404, b"")
            return
        found: list[Any] = []
        addresses: dict[str, list[Any]] = {}
        skipped, at = None, 0
        for term in terms:
            chunks = self.xet.store.chunks(term.xorb, term.end)
            numbers = []
            for number in range(term.first, term.end):
                if at < end and at + chunks[number].size > first:
                    numbers.append(number)
                    skipped = first - at if skipped is None else skipped
                at += chunks[number].size
            if not numbers:
                continue
            span = {"start": numbers[0], "end": numbers[-1] + 1}
            length = sum(chunks[number].size for number in numbers)
            found.append({"hash": term.xorb, "unpacked_length": length, "range": span})
            addresses.setdefault(term.xorb, []).append(
                {
                    "range": span,
                    "url": f"{self.xet.store_url}/xorb/{term.xorb}?Signature={_SIGNATURE}",
                    "url_range": {"start": chunks[numbers[0]].first, "end": chunks[numbers[-1]].end - 1},
                }
            )
        self.json({"offset_into_first_range": skipped, "terms": found, "fetch_info": addresses})


def _flag(query: dict[str, list[str]], name: str) -> bool:
    return query.get(name, [""])[0].lower() in ("true", "1")
