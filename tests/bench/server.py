# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror's server: beside plain nginx, which is the limit, beside olah, and with ever more repositories."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from mirror_server import Server
from unit.roles.authority import COMMON_NAME, Authority
from unit.roles.nginx_server import Store

from bench import server_store
from bench.contenders import BIN, Downloads
from bench.load import Load, cpu_of, load
from bench.measure import Measured
from bench.server_store import FILES, LARGE, REPOS, SNAPSHOT, by_ref, pinned, repo_id, small, static
from hub import git_lfs_repo, olah, venvs
from hub.repos import Library

SECONDS = 3
CLIENTS = (1, 8, 64)
SIZES = (1000, 10_000)
FULL_SIZE = 100_000
#: How many different files are asked for.
PATHS = 20_000
PLAIN, OPEN, GUARDED, OLAH = "plain nginx", "mirror, open", "mirror, tokens and groups", "olah"
PLAIN_TLS, TLS = "plain nginx, TLS", "mirror, TLS"
VENVS = Path(__file__).parents[2] / ".cache" / "venvs"
METADATA = "stand-in/many-small-files"

_TOKENS = [hashlib.sha256(f"user {number}".encode()).hexdigest() for number in range(20)]
_USERS = [
    {"name": f"user-{number}", "groups": [f"team-{number % 10}"], "tokens": [token]}
    for number, token in enumerate(_TOKENS)
]
#: The last of ten rules is the one that decides.
_ACCESS: list[dict[str, Any]] = [
    *({"repos": [f"team-{number}/*"], "tokens": [f"team-{number}"]} for number in range(9)),
    {"repos": ["bench/*", "stand-in/*"], "networks": ["192.0.2.0/24"], "tokens": ["team-1", "team-2"]},
]
_TOKEN = _TOKENS[1]
_STATIC = """\
server {{
    listen {port};
    listen {tls_port} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
    root {store}/hub;
    access_log {folder}/access.log combined;
    types {{ }}
    default_type application/octet-stream;
    gzip off;
    etag off;
    server_tokens off;
}}
"""


@dataclass(frozen=True)
class Growth:
    """A store of so many repositories. ``build`` is in seconds and for those that came to the size before."""

    repos: int
    build: float
    head: Load
    listing: Load


@dataclass(frozen=True)
class Serving:
    """What was found. ``small`` and ``metadata`` by request and contender, ``large`` by clients and contender.

    ``snapshots`` have the client's figures, and the seconds of nginx' CPU.
    """

    small: dict[str, dict[str, list[Load]]]
    large: dict[int, dict[str, list[Load]]]
    metadata: dict[str, dict[str, list[Load]]]
    snapshots: dict[str, list[tuple[Measured, float]]]
    growth: list[Growth]


class Plain(Server):
    """nginx over the same files in the same surroundings, without the Hub's protocol."""

    def start(self) -> None:
        """Start it with a configuration of its own."""
        text = _STATIC.format(
            port=self.port,
            tls_port=self.tls_port,
            certificate=_certificate(self.folder),
            store=self.store,
            folder=self.folder,
        )
        self.config.write_text(text, encoding="utf-8")
        super().start()


def _certificate(folder: Path) -> Path:
    return Authority(folder.with_name(f"{folder.name}.ca")).sign("server", (COMMON_NAME, "127.0.0.1"))


@dataclass(frozen=True)
class Contender:
    """A server, its process, the access log that it fills, and what a client says to it."""

    port: int
    process: int
    log: Path | None = None
    authorization: str = ""
    tls: bool = False

    def load(self, scratch: Path, paths: Sequence[str], **options: Any) -> Load:
        """Put load on it."""
        found = load(scratch, self.port, paths, self.process, authorization=self.authorization, tls=self.tls, **options)
        # gigabytes of lines would push what is served out of the page cache
        if self.log:
            os.truncate(self.log, 0)
        return found


def measure(scratch: Path, contents: Path, rounds: int, full: bool) -> Serving:
    """Measure all. ``contents`` are the stand-in Hub's. Raises RuntimeError where a server answers with an error."""
    small = _small(scratch, rounds)
    large, snapshots = _large(scratch, rounds)
    metadata = _metadata(scratch, contents, rounds)
    return Serving(small, large, metadata, snapshots, _growth(scratch, [*SIZES, FULL_SIZE] if full else SIZES))


@contextlib.contextmanager
def _serving(store: Path, scratch: Path) -> Iterator[dict[str, Contender]]:
    """Run all servers of ours on a store."""
    rules = {"mirror_nginx_access": _ACCESS, "mirror_nginx_users": _USERS}
    started: list[Server] = []

    def start(kind: type[Server], settings: dict[str, Any], use_tls: bool = False) -> Contender:
        folder = scratch / f"nginx-{len(started)}"
        for old in (folder, folder.with_name(f"{folder.name}.ca")):
            shutil.rmtree(old, ignore_errors=True)
        if use_tls:
            pem = str(_certificate(folder))
            settings |= {"mirror_nginx_tls": "files", "mirror_nginx_tls_certificate": pem, "mirror_nginx_tls_key": pem}
        server = kind(store, folder, **settings)
        started.append(server)
        port = server.tls_port if use_tls else server.port
        return Contender(port, server._process.pid, folder / "access.log", tls=use_tls)

    try:
        plain = start(Plain, {})
        found = {
            PLAIN: plain,
            OPEN: start(Server, {}),
            GUARDED: replace(start(Server, rules), authorization=f"Bearer {_TOKEN}"),
            PLAIN_TLS: replace(plain, port=started[0].tls_port, tls=True),
            TLS: start(Server, {}, use_tls=True),
        }
        yield found
    finally:
        for server in started:
            server.stop()


Paths = Callable[[str], Sequence[str]]


def _in_turn(
    rounds: int, servers: Mapping[str, Contender], scratch: Path, paths: Paths, **options: Any
) -> dict[str, list[Load]]:
    """Put load on all servers in turn, so many times: what disturbs the machine disturbs all of them."""
    results: dict[str, list[Load]] = {name: [] for name in servers}
    for _round in range(rounds):
        for name, server in servers.items():
            results[name].append(server.load(scratch, paths(name), seconds=SECONDS, **options))
    return results


def _always(path: str) -> Paths:
    return lambda _name: [path]


def _addresses(files: Sequence[tuple[str, str]], address: Callable[[str, str], str]) -> Paths:
    """Return the paths of files, which are not the same for a server that knows no Hub."""
    return lambda name: [(static if name in (PLAIN, PLAIN_TLS) else address)(*file) for file in files]


def _small(scratch: Path, rounds: int) -> dict[str, dict[str, list[Load]]]:
    """32 clients keep their connections and ask for small files at random."""
    print(f"serving {REPOS * FILES:,} small files")
    results, random = {}, Random(3)
    # as deep in the file system as the default store: each folder above a file costs whoever asks where a link leads
    with tempfile.TemporaryDirectory(prefix="hf-mirror-") as root, _serving(Path(root), scratch) as servers:
        server_store.small_store(Path(root))
        files = [(repo_id(random.randrange(REPOS)), small(random.randrange(FILES))) for _path in range(PATHS)]
        for method in ("HEAD", "GET"):
            for what, address in (("a commit", pinned), ("main", by_ref)):
                paths = _addresses(files, address)
                results[f"{method}, {what}"] = _in_turn(rounds, servers, scratch, paths, method=method)
    return results


def _large(
    scratch: Path, rounds: int
) -> tuple[dict[int, dict[str, list[Load]]], dict[str, list[tuple[Measured, float]]]]:
    """Fetch one file of 1 GB again and again, and a snapshot into an empty cache."""
    print("serving a file of 1 GB, and a snapshot")
    store = server_store.large_store(scratch / "large")
    paths = _addresses([(LARGE, server_store.LARGE_FILE)], pinned)
    snapshots: dict[str, list[tuple[Measured, float]]] = {OPEN: [], GUARDED: []}
    with _serving(store.root, scratch) as servers:
        large = {clients: _in_turn(rounds, servers, scratch, paths, connections=clients) for clients in CLIENTS}
        for _round in range(rounds):
            for name, runs in snapshots.items():
                server = servers[name]
                user = f"user:{_TOKEN}@" if server.authorization else ""
                downloads = Downloads(f"http://{user}127.0.0.1:{server.port}", [SNAPSHOT], scratch / "snapshots")
                before = cpu_of(server.process)
                runs.append((downloads.huggingface_hub(), cpu_of(server.process) - before))
    shutil.rmtree(store.root)
    shutil.rmtree(scratch / "snapshots")
    return large, snapshots


def _metadata(scratch: Path, contents: Path, rounds: int) -> dict[str, dict[str, list[Load]]]:
    """Ask for what precedes a download: the same repository from olah and from a mirror that was filled from it."""
    print("serving metadata, beside olah")
    library, folder = Library(contents), scratch / "olah"
    folder.mkdir()
    git_lfs_repo.create(library, library.repo("model", METADATA), folder / "mirrors")
    python = venvs.install(VENVS / "olah", olah.REQUIREMENT)
    whitelist = folder / "whitelist.yml"
    whitelist.write_text(json.dumps({"models_to_sync": [{"repo_id": METADATA}]}), encoding="utf-8")
    with olah.OlahProcess(python, folder / "mirrors", folder) as running:
        options: list[str | Path] = ["--store", folder / "store", "--endpoint", running.url, "--config", whitelist]
        subprocess.run([BIN / "hf-mirror", *options, "sync"], check=True, stdout=subprocess.DEVNULL)
        with _serving(folder / "store", scratch) as servers:
            port = int(running.url.rpartition(":")[2])
            contenders = {OLAH: Contender(port, running._process.pid), **servers}
            for name in (PLAIN, PLAIN_TLS, TLS):
                del contenders[name]
            asked = [("HEAD", by_ref(METADATA, "README.md")), ("GET", f"/api/models/{METADATA}/revision/main")]
            return {
                f"{method} {path}": _in_turn(rounds, contenders, scratch, _always(path), method=method)
                for method, path in asked
            }


def _growth(scratch: Path, sizes: Sequence[int]) -> list[Growth]:
    """Let a store grow, and ask at each size for files of all its repositories and for the first page of a listing."""
    store, random, found, there = Store(scratch / "growth"), Random(4), [], 0
    for size in sizes:
        print(f"serving {size:,} repositories")
        start = time.perf_counter()
        server_store.grow(store, range(there, size))
        build, there = time.perf_counter() - start, size
        files = [(repo_id(random.randrange(size)), server_store.CONFIG) for _path in range(PATHS)]
        with _serving(store.root, scratch) as servers:
            server = servers[OPEN]
            head = server.load(scratch, [pinned(*file) for file in files], seconds=SECONDS, method="HEAD")
            listing = server.load(scratch, ["/api/models?limit=100"], seconds=SECONDS, connections=1)
        found.append(Growth(size, build, head, listing))
    shutil.rmtree(store.root)
    return found
