# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of the soak: ``python -m unit.roles.soak_clients PORT BOARD FIRST LAST`` with a home of its own.

Each is a thread that does the same over and over and looks at every byte. It ends when the board says that all is over,
and prints how often each kind of them was done; or at the first thing that is wrong, with a message and exit code 1.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

from unit.roles.soak_board import Board, File
from unit.roles.soak_upstream import CONFIG, PATHS, REPOS, WEIGHTS, declared, id_of, kind_of

#: Seconds after which an answer will never come.
TIMEOUT = 120
#: What no repository has.
MISSING = "missing.bin"
SNAPSHOT = """
import sys
from huggingface_hub import snapshot_download
print(snapshot_download(sys.argv[1], repo_type=sys.argv[2]))
"""


class Wrong(Exception):
    """What a client got is not what it should have got."""


class Client:
    """One client, on one connection for as long as nginx keeps it."""

    def __init__(self, port: int, board: Board, number: int) -> None:
        self._port, self._board, self._number = port, board, number
        self._begun = 0
        self._random = Random(number)
        # an address of its own: nginx limits what one may take
        source = (f"127.0.1.{number + 1}", 0)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT, source_address=source)

    def begin(self) -> None:
        """Let the board know that all before has come to its end."""
        self._begun = self._board.begin(self._number)

    # ---- what clients do

    def resumed(self, repo: str) -> None:
        """Ask what main is, and fetch it: the weights cut in the middle, going on when main is another commit."""
        found = self._ask(f"{_files(repo)}/resolve/main/{WEIGHTS}", "HEAD", 307)
        found.read()
        commit = found.headers["X-Repo-Commit"]
        pinned = f"{_files(repo)}/resolve/{commit}"
        _equal(f"{pinned}/{WEIGHTS}", found.headers["Location"], f"Location of {WEIGHTS} in {repo} at main")
        files = self._board.files(commit)
        self._in_pieces(f"{pinned}/{WEIGHTS}", files[WEIGHTS], commit, lambda: self._wait_for_another(repo, commit))
        for path in files.keys() - {WEIGHTS}:
            self._file(f"{pinned}/{path}", files[path], commit)

    def by_ref(self, repo: str) -> None:
        """Fetch each file from main, whatever commit that is by then."""
        for path in PATHS:
            address = f"{_files(repo)}/resolve/main/{path}"
            answer = self._ask(address)
            commit = answer.headers["X-Repo-Commit"]
            self._check(address, answer, self._board.files(commit)[path], commit)

    def listed(self, repo: str) -> None:
        """List main, and fetch all that is listed."""
        address = f"/api/{repo}/tree/main?recursive=true"
        answer = self._ask(address)
        commit, files = answer.headers["X-Repo-Commit"], declared(json.load(answer))
        _equal(self._board.files(commit), files, f"{address} of {commit}")
        for path, file in files.items():
            self._file(f"{_files(repo)}/resolve/{commit}/{path}", file, commit)

    def documents(self, repo: str) -> None:
        """Read what the API says of a repository, and of what is not there."""
        kind = repo.partition("/")[0]
        ids = {one["id"]: one["sha"] for one in self._json(f"/api/{kind}")[1]}
        _equal({id_of(one) for one in REPOS if one.startswith(kind)}, set(ids), f"/api/{kind}")
        for commit in ids.values():
            self._board.files(commit)
        for address in (f"/api/{repo}", f"/api/{repo}/revision/main?blobs=true"):
            commit, info = self._json(address)
            _equal(commit, info["sha"], address)
            files = self._board.files(commit)
            _equal(files.keys(), {one["rfilename"] for one in info["siblings"]}, f"{address} of {commit}")
            sizes = {one["rfilename"]: one.get("size") for one in info["siblings"]}
            if "blobs" in address:
                _equal({path: file.size for path, file in files.items()}, sizes, f"{address} of {commit}")
        (main,) = self._json(f"/api/{repo}/refs")[1]["branches"]
        self._board.files(main["targetCommit"])
        address = f"/api/{repo}/paths-info/main"
        commit, entries = self._json(
            address, "POST", json.dumps({"paths": PATHS}), **{"Content-Type": "application/json"}
        )
        files = self._board.files(commit)
        _equal({path: files[path] for path in PATHS}, declared(entries), f"{address} of {commit}")
        answer = self._ask(f"{_files(repo)}/resolve/main/{MISSING}", status=404)
        says = [answer.read(), answer.headers.get("X-Error-Code"), answer.headers.get("X-Repo-Commit")]
        _equal([b"", "EntryNotFound", None], says, f"{MISSING} of {repo}")

    def view(self, _repo: str) -> None:
        """Fetch files by name, the weights cut in the middle; going on there is for who gets the same file again."""
        self._ask("/models/soak/").read()
        for name in (CONFIG, WEIGHTS):
            address = f"/models/soak/{name}"
            answer = self._ask(address)
            body = answer.read(int(answer.headers["Content-Length"]) // 2)
            if name == WEIGHTS:
                self._connection.close()
                part = {"Range": f"bytes={len(body)}-", "If-Range": answer.headers["ETag"]}
                answer = self._ask(address, status=None, **part)
                body = body if answer.status == 206 else b""
            body += answer.read()
            if not self._board.had(name, body):
                raise Wrong(f"GET {address}: {len(body)} bytes that the Hub never had, {dict(answer.headers)}")

    def snapshot(self, repo: str) -> None:
        """Run huggingface_hub as it is, with an empty cache."""
        with tempfile.TemporaryDirectory(dir=os.environ["HOME"]) as home:
            settings = {
                "PATH": os.environ["PATH"],
                "HOME": home,
                "HF_ENDPOINT": f"http://127.0.0.1:{self._port}",
                "HF_HUB_DISABLE_TELEMETRY": "1",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                "HF_HUB_DISABLE_UPDATE_CHECK": "1",
                "HF_HUB_DOWNLOAD_TIMEOUT": str(TIMEOUT),
                "HF_HUB_ETAG_TIMEOUT": str(TIMEOUT),
            }
            command = [sys.executable, "-c", SNAPSHOT, id_of(repo), kind_of(repo)]
            done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False, timeout=600)
            if done.returncode:
                raise Wrong(f"snapshot_download of {repo}: {done.stderr}")
            folder = Path(done.stdout.splitlines()[-1])
            files = self._board.files(folder.name)
            found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
            _equal(files.keys(), found.keys(), f"files in the snapshot of {repo} at {folder.name}")
            for path, file in files.items():
                hasher = file.hasher()
                hasher.update(found[path].read_bytes())
                _equal(file.etag, hasher.hexdigest(), f"{path} in the snapshot of {repo} at {folder.name}")

    # ---- how they ask

    def _ask(
        self, address: str, method: str = "GET", status: int | None = 200, body: str | None = None, **headers: str
    ) -> http.client.HTTPResponse:
        """Return an answer whose body is still to be read. ``status`` None is for 200 or 206."""
        asked = f"{method} {address} {headers or ''}"
        try:
            self._connection.request(method, address, body, headers)
            answer = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as problem:
            raise Wrong(f"{asked}: {problem!r}") from problem
        if answer.status not in ((200, 206) if status is None else (status,)):
            raise Wrong(f"{asked}: {answer.status} instead of {status}, {dict(answer.headers)}, {answer.read(300)!r}")
        return answer

    def _json(self, address: str, method: str = "GET", body: str | None = None, **headers: str) -> tuple[str, Any]:
        """Return of which commit a document is, and what it says."""
        answer = self._ask(address, method, 200, body, **headers)
        return answer.headers.get("X-Repo-Commit", ""), json.load(answer)

    def _file(self, address: str, file: File, commit: str) -> None:
        self._check(address, self._ask(address), file, commit)

    def _check(self, address: str, answer: http.client.HTTPResponse, file: File, commit: str) -> None:
        hasher = file.hasher()
        self._take(address, answer, file, commit, hasher, file.size)
        _equal(file.etag, hasher.hexdigest(), f"hash of GET {address} of {commit}")

    def _in_pieces(self, address: str, file: File, commit: str, wait: Callable[[], None]) -> None:
        """Fetch a file: the connection is closed in the middle of an answer, the rest comes in ranges after a wait."""
        hasher, done = file.hasher(), self._random.randrange(1, file.size)
        self._take(address, self._ask(address), file, commit, hasher, done)
        self._connection.close()
        wait()
        while done < file.size:
            last = min(done + self._random.randrange(1, file.size), file.size) - 1
            answer = self._ask(address, status=206, Range=f"bytes={done}-{last}")
            _equal(f"bytes {done}-{last}/{file.size}", answer.headers["Content-Range"], f"Content-Range of {address}")
            self._take(address, answer, file, commit, hasher, last + 1 - done)
            done = last + 1
        _equal(file.etag, hasher.hexdigest(), f"hash of GET {address} in pieces")

    def _take(
        self, address: str, answer: http.client.HTTPResponse, file: File, commit: str, hasher: Any, size: int
    ) -> None:
        """Read and hash so many bytes of an answer."""
        says = [answer.headers.get(name) for name in ("X-Repo-Commit", "ETag", "X-Linked-ETag")]
        _equal([commit, f'"{file.etag}"', f'"{file.etag}"'], says, f"headers of GET {address}")
        left = size
        while left:
            try:
                block = answer.read(min(left, 1 << 18))
            except (OSError, http.client.HTTPException) as problem:
                raise Wrong(f"GET {address}: {problem!r} with {left} bytes of {size} to come") from problem
            if not block:
                raise Wrong(f"GET {address}: ended with {left} bytes of {size} to come")
            hasher.update(block)
            left -= len(block)

    def _wait_for_another(self, repo: str, commit: str) -> None:
        """Wait until main is another commit, and an hour of the grace has passed."""
        found = commit
        while not self._board.is_over() and (found == commit or self._board.hour() == self._begun):
            time.sleep(0.1)  # between two looks
            answer = self._ask(f"{_files(repo)}/resolve/main/{CONFIG}", "HEAD", 307)
            answer.read()
            found = answer.headers["X-Repo-Commit"]


KINDS = (Client.resumed, Client.resumed, Client.by_ref, Client.listed, Client.documents, Client.view)


def _files(repo: str) -> str:
    return f"/{repo.removeprefix('models/')}"


def _equal(expected: object, found: object, what: str) -> None:
    if expected != found:
        raise Wrong(f"{what}: {found!r} instead of {expected!r}")


def run(port: int, board: Board, number: int, done: Counter[str]) -> None:
    client, repos = Client(port, board, number), list(REPOS)
    # one in sixteen is a process of its own
    act = Client.snapshot if number % 16 == 15 else KINDS[number % 16 % len(KINDS)]
    turn = number
    while not board.is_over():
        client.begin()
        repo = repos[turn % len(repos)]
        turn += 1
        try:
            act(client, repo)
        except Exception:
            print(f"client {number}, {act.__name__}: {traceback.format_exc()}", file=sys.stderr, flush=True)
            os._exit(1)
        done[act.__name__] += 1


def main() -> None:
    port, folder, first, last = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    numbers, done = range(first, last), Counter[str]()
    with ThreadPoolExecutor(len(numbers)) as pool:
        list(pool.map(lambda number: run(port, Board(folder), number, done), numbers))
    print(json.dumps(done))


if __name__ == "__main__":
    main()
