# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ref that moves under downloads mixes nothing, and what was replaced or removed is never served again."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest
from unit.conftest import VENVS
from unit.roles.nginx_server import BLOB_TIME, Mirror, Store, commit_of, etag_of, point, serving
from unit.roles.profile import DOWNLOADS

from hub import venvs

VERSIONS = ["0.36.2", "2.4.0"]
REPO = "org/moves"
ONE, TWO = commit_of("before"), commit_of("after")
#: The same size in both commits; the first is small enough for a hash of Git's, the last too large for one read.
SIZES = {"config.json": 800, "weights.bin": 300_000, "deep/more.bin": 150_000}
LARGE, CUT = 24 << 20, 15 << 20


def files_of(commit: str) -> dict[str, bytes]:
    return {path: Random(commit + path).randbytes(size) for path, size in SIZES.items()}


CONTENTS = {commit: files_of(commit) for commit in (ONE, TWO)}
HASHES = {
    commit: {path: sha256(content).hexdigest() for path, content in files.items()} for commit, files in CONTENTS.items()
}


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    store = Store(tmp_path / "store")
    for commit, files in CONTENTS.items():
        store.commit(REPO, commit, files)
    store.ref(REPO, "main", ONE)
    with serving(store, tmp_path / "nginx") as running:
        yield running


def move(mirror: Mirror, commit: str) -> None:
    """Let main name another commit, as the engine does."""
    point(mirror.store.folder(REPO) / ".mirror" / "rev" / "main", commit)


@contextlib.contextmanager
def moving(mirror: Mirror) -> Iterator[None]:
    """Let main move to and fro every few milliseconds."""
    done = threading.Event()

    def move_on() -> None:
        while not done.wait(0.003):
            move(mirror, TWO)
            done.wait(0.003)
            move(mirror, ONE)

    thread = threading.Thread(target=move_on)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


# ---- Unmodified clients

#: Downloads, each into a cache of its own, one after another: tqdm knows one snapshot at a time in a process.
#: Prints what each brought: commit, path, hash, name of the blob. What breaks off is tried once more.
CLIENT = """
import json, os, pathlib, sys
from hashlib import sha256
from huggingface_hub import hf_hub_download, snapshot_download

repo, paths, first, last = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

def download(number):
    cache = pathlib.Path(os.environ["HOME"], f"cache-{number}")
    if number % 2:
        snapshot_download(repo, cache_dir=cache)
    else:
        file = paths[number // 2 % len(paths)]
        try:
            hf_hub_download(repo, file, cache_dir=cache)
        except Exception:
            hf_hub_download(repo, file, cache_dir=cache)
    (snapshots,) = cache.glob("models--*/snapshots")
    return [
        [*str(file.relative_to(snapshots)).split("/", 1), sha256(file.read_bytes()).hexdigest(), file.resolve().name]
        for file in snapshots.rglob("*") if file.is_file()
    ]

print(json.dumps([download(number) for number in range(first, last)]))
"""
PROCESSES = 4
#: What is done on one connection: nginx closes one after 1000 requests.
ROUNDS = 20
CONNECTIONS = range(DOWNLOADS // ROUNDS)


def run_client(version: str, home: Path, endpoint: str, numbers: range) -> list[list[list[str]]]:
    """Return what each download brought. Those with odd numbers are of whole snapshots."""
    python = venvs.install(VENVS / f"huggingface_hub-{version}", f"huggingface_hub=={version}")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "3",
    }
    done = subprocess.run(
        [python, "-c", CLIENT, REPO, json.dumps(list(SIZES)), str(numbers.start), str(numbers.stop)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[list[list[str]]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_mixed_while_main_moves(mirror: Mirror, tmp_path: Path, version: str) -> None:
    share = DOWNLOADS // PROCESSES
    parts = [range(first, first + share) for first in range(0, DOWNLOADS, share)]
    with moving(mirror), ThreadPoolExecutor(PROCESSES) as pool:
        runs = pool.map(lambda numbers: run_client(version, tmp_path, mirror.address, numbers), parts)
        downloads = [download for run in runs for download in run]

    assert len(downloads) == DOWNLOADS
    for number, files in enumerate(downloads):
        assert len(files) == (len(SIZES) if number % 2 else 1)
        (commit,) = {commit for commit, *_rest in files}
        assert {path: digest for _commit, path, digest, _name in files}.items() <= HASHES[commit].items()
        assert {name for *_rest, name in files} <= {etag_of(content) for content in CONTENTS[commit].values()}
    assert {files[0][0] for files in downloads} == {ONE, TWO}, "main did not move"


@pytest.mark.parametrize(
    ("version", "is_closed", "goes_on"), [("0.36.2", True, False), ("0.36.2", False, True), ("2.4.0", True, True)]
)
def test_a_download_that_is_cut(mirror: Mirror, tmp_path: Path, version: str, is_closed: bool, goes_on: bool) -> None:
    """It goes on with the file that it began with, or, where the client gives up, anew with what main is then."""
    contents = {commit: Random(commit).randbytes(LARGE) for commit in (ONE, TWO)}
    for commit, content in contents.items():
        add(mirror.store, commit, "config.json", content)

    with Cutting(mirror.port, CUT, is_closed, lambda: move(mirror, TWO)) as proxy:
        ((file,),) = run_client(version, tmp_path, f"http://127.0.0.1:{proxy.port}", range(1))

    assert proxy.cuts == 1
    commit = ONE if goes_on else TWO
    assert file == [commit, "config.json", sha256(contents[commit]).hexdigest(), etag_of(contents[commit])]
    parts = [line for line in mirror.log() if line["range"] not in ("", "bytes=0-")]
    assert [(line["status"], line["commit"]) for line in parts] == ([(206, ONE)] if goes_on else [])
    assert mirror.ask(f"/{REPO}/resolve/main/config.json", "HEAD").header("X-Repo-Commit") == TWO


class Cutting:
    """A proxy that, once, passes on only so many bytes of an answer and calls ``at_cut``.

    The connection is closed then, or stays open and silent.
    """

    def __init__(self, port: int, after: int, is_closed: bool, at_cut: Callable[[], None]) -> None:
        self._target, self._after, self._is_closed, self._at_cut = port, after, is_closed, at_cut
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Cutting:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(client, server), daemon=True).start()

    @staticmethod
    def _ask(client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        left = self._after
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                left -= len(data)
                if left < 0 and not self.cuts:
                    self.cuts += 1
                    self._at_cut()
                    if not self._is_closed:
                        return
                    break
                client.sendall(data)
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


# ---- One answer


def test_an_answer_by_ref_is_of_one_commit(mirror: Mirror) -> None:
    """What names the commit, what names the content and the content belong together, on one connection."""
    seen = set()
    for _connection in CONNECTIONS:
        with moving(mirror), connected(mirror) as ask:
            for number in range(10 * ROUNDS):
                path = list(SIZES)[number % len(SIZES)]
                headers, body = ask(f"/{REPO}/resolve/main/{path}")
                commit = headers["X-Repo-Commit"]
                assert body == CONTENTS[commit][path]
                assert headers["ETag"] == headers["X-Linked-ETag"] == f'"{etag_of(body)}"'
                headers, _body = ask(f"/{REPO}/resolve/main/{path}", "HEAD", 307)
                assert headers["Location"] == f"/{REPO}/resolve/{headers['X-Repo-Commit']}/{path}"
                headers, body = ask(f"/api/models/{REPO}/revision/main?blobs=true")
                assert json.loads(body)["sha"] == headers["X-Repo-Commit"]
                headers, body = ask(f"/api/models/{REPO}/tree/main?recursive=true")
                hashes = {entry["oid"] for entry in json.loads(body) if entry["type"] == "file"}
                assert hashes == {etag_of(content) for content in CONTENTS[headers["X-Repo-Commit"]].values()}
                seen.add(commit)
    assert seen == {ONE, TWO}


Ask = Callable[..., tuple[Any, bytes]]


@contextlib.contextmanager
def connected(mirror: Mirror) -> Iterator[Ask]:
    """Ask on one connection, which neither side may close meanwhile."""
    connection = http.client.HTTPConnection("127.0.0.1", mirror.port, timeout=10)
    connection.connect()
    kept = connection.sock

    def ask(path: str, method: str = "GET", status: int = 200, **headers: str) -> tuple[Any, bytes]:
        assert connection.sock is kept, "nginx closed the connection"
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        assert response.status == status, path
        return response.headers, body

    with contextlib.closing(connection):
        yield ask


# ---- What was replaced or removed


def add(store: Store, commit: str, path: str, content: bytes) -> Path:
    """Let a commit have other content at a path, and return the blob."""
    folder = store.folder(REPO)
    blob = folder / "blobs" / etag_of(content)
    put(blob, content)
    point(folder / "snapshots" / commit / path, os.path.relpath(blob, (folder / "snapshots" / commit / path).parent))
    return blob


def put(name: Path, content: bytes) -> None:
    """Give a name to content in a new inode, as a repair does."""
    fresh = name.with_name(f"{name.name}.fresh")
    fresh.write_bytes(content)
    os.utime(fresh, (BLOB_TIME, BLOB_TIME))
    fresh.replace(name)


def names(mirror: Mirror) -> list[tuple[str, Path]]:
    """Return addresses of one content, each with the file behind it."""
    content = CONTENTS[ONE]["weights.bin"]
    blob = mirror.store.folder(REPO) / "blobs" / etag_of(content)
    digest = mirror.store.view("models", {"weights.bin": content})
    view = mirror.store.root / "views" / f".models.{digest}" / "weights.bin"
    by_ref = [(f"/{REPO}/resolve/{ref}/weights.bin", blob) for ref in (ONE, "main")]
    return [*by_ref, (f"/{REPO}/raw/{ONE}/weights.bin", blob), ("/models/models/weights.bin", view)]


def test_what_a_repair_replaced_is_not_served(mirror: Mirror) -> None:
    sound = CONTENTS[ONE]["weights.bin"]
    rotten = bytes([sound[0] ^ 1]) + sound[1:]
    places = names(mirror)
    for _connection in CONNECTIONS:
        with connected(mirror) as ask, connected(mirror) as other:
            for content in [rotten, sound] * ROUNDS:
                for address, file in places:
                    put(file, content)
                    assert ask(address)[1] == content, address
                    assert other(address, status=206, Range="bytes=0-9")[1] == content[:10], address


def test_what_was_removed_is_not_served(mirror: Mirror) -> None:
    places = names(mirror)
    content = CONTENTS[ONE]["weights.bin"]
    for _connection in CONNECTIONS:
        with connected(mirror) as ask, connected(mirror) as other:
            for _round in range(ROUNDS):
                for address, file in places:
                    assert ask(address)[1] == content
                    file.unlink()
                    for one in (ask, other):
                        headers, body = one(address, status=404)
                        assert body != content and "X-Repo-Commit" not in headers
                    put(file, content)
                    assert other(address)[1] == content


def test_a_commit_that_was_collected_is_not_served(mirror: Mirror) -> None:
    folder = mirror.store.folder(REPO)
    paths = [
        f"/{REPO}/resolve/{TWO}/weights.bin",
        f"/api/models/{REPO}/revision/{TWO}",
        f"/api/models/{REPO}/tree/{TWO}",
    ]
    places = [folder / ".mirror" / "rev" / TWO, folder / "snapshots" / TWO]
    trash = folder / ".mirror" / "trash"
    trash.mkdir()
    for _connection in CONNECTIONS:
        with connected(mirror) as ask:
            for _round in range(ROUNDS):
                for path in paths:
                    ask(path)
                for place in places:
                    place.rename(trash / place.parent.name)
                for path in paths:
                    assert ask(path, status=404)[0]["X-Error-Code"] == "RevisionNotFound"
                for place in reversed(places):
                    (trash / place.parent.name).rename(place)


@pytest.mark.parametrize("action", ["replaced", "removed"])
def test_what_is_under_way_ends_with_the_bytes_it_began_with(mirror: Mirror, action: str) -> None:
    content = Random("under way").randbytes(LARGE)
    blob = add(mirror.store, ONE, "weights.bin", content)
    connection = http.client.HTTPConnection("127.0.0.1", mirror.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", f"/{REPO}/resolve/{ONE}/weights.bin")
        response = connection.getresponse()
        body = response.read(1 << 16)
        if action == "replaced":
            put(blob, bytes(LARGE))
        else:
            blob.unlink()
        move(mirror, TWO)
        assert body + response.read() == content
