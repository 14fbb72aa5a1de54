# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Hub with its content origin, and the other node of a pair, that are honest but for one kind of answer a repository.

Its origins are ``hub``, ``cdn`` and ``peer``, and ``thief``, to which only a hostile answer leads.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import socket
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from unit.fuzz.answers import Answer, Edit, filled, tampered
from unit.fuzz.honest import PAGE, PREFIXES, HonestRepo, etag

_API = re.compile(r"/api/(?P<kind>model|dataset|space)s/(?P<id>[^/]+/[^/]+)/(?P<what>revision|tree)/(?P<rev>.+)")
_RESOLVE = re.compile(r"/(?:(?P<kind>dataset|space)s/)?(?P<id>[^/]+/[^/]+)/resolve/(?P<rest>.+)")
_PEER = re.compile(
    r"/_peer/(?P<name>catalogue(?:-digest)?\.json|hub/(?P<folder>[^/]+)/(?P<what>upstream|rev)/.+|pool/.+)"
)
_REASONS = {200: "OK", 206: "Partial Content", 302: "Found", 404: "Not Found"}


class Upstream:
    """What is where, and which of its answers are not what they should be.

    ``numbers``: repository -> which of its commits main is. ``tampering``: (folder, kind of answer) -> edits.
    ``peer``: the store that is served as the peer's. ``tokens``: origins at which a token arrived. ``names`` stand in
    edits, as ``{name}``, for what is only known when the answer is sent.
    """

    def __init__(self, repos: Sequence[HonestRepo], names: Mapping[str, str]) -> None:
        self.repos = {(one.repo_type, one.repo_id): one for one in repos}
        self.numbers: dict[HonestRepo, int] = {}
        self.tampering: dict[tuple[str, str], tuple[Edit, ...]] = {}
        self.peer: Path | None = None
        self.tokens: dict[str, list[str]] = {}
        self.urls: dict[str, str] = {}
        self._names = dict(names)
        self._contents = {etag(p, c): c for one in repos for n in range(3) for p, c in one.files(n).items()}
        self._count = itertools.count()

    # ---- requests

    def answer(self, origin: str, method: str, target: str, headers: Mapping[str, str]) -> Answer:
        if "authorization" in headers:
            self.tokens.setdefault(origin, []).append(f"{method} {target[:200]}")
        path = unquote(urlsplit(target).path)
        if origin == "thief":
            return Answer(body=b'{"stolen": true}', headers={"Content-Type": "application/json"})
        if origin == "cdn":
            return self._content(path, headers)
        if origin == "peer":
            found = _PEER.fullmatch(path)
            return self._of_peer(found, headers) if found and self.peer else _error("EntryNotFound")
        found = _API.fullmatch(path)
        if found:
            return self._api(found, target)
        found = _RESOLVE.fullmatch(path)
        return self._resolve(found, method, target, headers) if found else _error("EntryNotFound")

    def _repo(self, found: re.Match[str]) -> HonestRepo | None:
        repo = self.repos.get((found["kind"] or "model", found["id"]))
        return repo if repo in self.numbers else None

    def _number(self, repo: HonestRepo, revision: str) -> int | None:
        """Return which commit a revision means: any, where a lie about it is to be found out."""
        number = repo.number(revision, self.numbers[repo])
        lies = any((repo.folder, kind) in self.tampering for kind in ("info", "head"))
        return self.numbers[repo] if number is None and lies else number

    def _api(self, found: re.Match[str], target: str) -> Answer:
        repo = self._repo(found)
        if not repo:
            return _error("RepoNotFound")
        number = self._number(repo, found["rev"])
        if number is None:
            return _error("RevisionNotFound")
        if found["what"] == "revision":
            return self._send(repo, "info", target, _json(repo.info(number)))
        entries = repo.tree(number)
        if "cursor" in parse_qs(urlsplit(target).query):
            return self._send(repo, "tree2", target, _json(entries[PAGE:]))
        link = f'<{self.urls["hub"]}{urlsplit(target).path}?recursive=true&cursor=2>; rel="next"'
        answer = _json(entries[:PAGE])
        return self._send(repo, "tree", target, answer.but(headers={**answer.headers, "Link": link}))

    def _resolve(self, found: re.Match[str], method: str, target: str, headers: Mapping[str, str]) -> Answer:
        repo = self._repo(found)
        if not repo:
            return _error("RepoNotFound")
        # a revision may be anything, but that a file is what it is
        path = max((one for one in repo.files(0) if f"/{found['rest']}".endswith(f"/{one}")), key=len, default="")
        revision = found["rest"][: -len(path) - 1]
        number = self._number(repo, revision)
        if number is None or not path:
            return _error("EntryNotFound")
        commit = "".join(revision.split()) if repo.number(revision, 0) is None else repo.commit(number)
        content = repo.files(number)[path]
        name = etag(path, content)
        told = {"X-Repo-Commit": commit, "ETag": f'"{name}"', "Accept-Ranges": "bytes"}
        if path.endswith(".bin"):
            told |= {"X-Linked-ETag": f'"{name}"', "X-Linked-Size": str(len(content))}
            told["Location"] = f"{self.urls['cdn']}/{repo.folder}/{name}"
            answer = Answer(302, told, b"Found")
        else:
            answer = _ranged(Answer(200, told, content), headers)
        return self._send(repo, "head" if method == "HEAD" else "file", target, answer)

    def _content(self, path: str, headers: Mapping[str, str]) -> Answer:
        folder, _slash, name = path.lstrip("/").partition("/")
        content = self._contents.get(name)
        if content is None:
            return _error("EntryNotFound")
        answer = _ranged(Answer(200, {"Accept-Ranges": "bytes"}, content), headers)
        edits = self.tampering.get((folder, "bytes"))
        return self._tamper(answer, edits, folder, path) if edits else answer

    def _of_peer(self, found: re.Match[str], headers: Mapping[str, str]) -> Answer:
        assert self.peer
        name, folder = found["name"], found["folder"] or ""
        file = self.peer / name
        if folder:
            file = self.peer / "hub" / folder / ".mirror" / name.split("/", 2)[2]
        if not file.is_file():
            return _error("EntryNotFound")
        answer = _ranged(Answer(200, {"Content-Type": "application/json"}, file.read_bytes()), headers)
        kind = found["what"] or name.partition("/")[0]
        # contents have no repository: they are tampered with by what they are called
        edits = self.tampering.get((folder or name.partition("/")[2], kind))
        return self._tamper(answer, edits, folder, f"/_peer/{name}") if edits else answer

    # ---- tampering

    def _send(self, repo: HonestRepo, kind: str, target: str, answer: Answer) -> Answer:
        edits = self.tampering.get((repo.folder, kind))
        return self._tamper(answer, edits, repo.folder, target, repo) if edits else answer

    def _tamper(
        self, answer: Answer, edits: tuple[Edit, ...], folder: str, target: str, repo: HonestRepo | None = None
    ) -> Answer:
        names = {
            **self._names,
            **self.urls,
            "self": f"{self.urls['hub']}{target}",
            "folder": folder,
            "count": str(next(self._count)),
            **({"repo": f"{PREFIXES[repo.repo_type]}{repo.repo_id}", "commit": repo.commit(1)} if repo else {}),
        }
        return tampered(answer, edits, lambda value: filled(value, names))


def _json(document: Any) -> Answer:
    return Answer(200, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(document).encode())


def _error(code: str) -> Answer:
    return Answer(404, {"X-Error-Code": code}, b"Not Found")


def _ranged(answer: Answer, headers: Mapping[str, str]) -> Answer:
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("range", ""))
    size = len(answer.body)
    if not found or int(found[1]) >= size:
        return answer
    start, end = int(found[1]), min(int(found[2]), size - 1)
    told = {**answer.headers, "Content-Range": f"bytes {start}-{end}/{size}"}
    return answer.but(status=206, headers=told, body=answer.body[start : end + 1])


# ---- the wire


class _Handler(socketserver.StreamRequestHandler):
    """HTTP/1.1 as far as it is needed, and no further: what is hostile is sent as it is."""

    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while self._exchange():
                pass

    def _exchange(self) -> bool:
        words = self.rfile.readline().decode("latin-1").split()
        if len(words) != 3:
            return False
        headers: dict[str, str] = {}
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _colon, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        answer = self.server.upstream.answer(self.server.origin, words[0], words[1], headers)
        told = dict(answer.headers)
        if not any(name.lower() in ("content-length", "transfer-encoding") for name in told):
            told["Content-Length"] = str(max(len(answer.body) + answer.lie, 0))
        lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Odd')}"]
        lines += [f"{name}: {value}" for name, value in told.items()]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace")
        if answer.drip and words[0] != "HEAD":
            self._drip(head, answer)
        else:
            self.wfile.write(head if words[0] == "HEAD" else head + answer.body)
        return not answer.is_hostile

    def _drip(self, head: bytes, answer: Answer) -> None:
        self.wfile.write(head)
        for byte in answer.body:
            self.wfile.write(bytes([byte]))
            time.sleep(answer.drip)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, upstream: Upstream, origin: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.origin = upstream, origin

    def handle_error(self, request: Any, client_address: Any) -> None:
        if isinstance(request, socket.socket):
            request.close()
        super().handle_error(request, client_address)


@contextlib.contextmanager
def serving(upstream: Upstream) -> Iterator[Upstream]:
    """Answer at all origins for a while; ``urls`` has their addresses."""
    with contextlib.ExitStack() as stack:
        for origin in ("hub", "cdn", "peer", "thief"):
            server = stack.enter_context(_Server(upstream, origin))
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            upstream.urls[origin] = f"http://127.0.0.1:{server.server_address[1]}"
        yield upstream
