# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is asked: no error of the server's own, no byte that is not published, no sign of what is hidden."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from unit.roles.nginx_requests import Answer, Request, exchange, parse, requests
from unit.roles.nginx_server import Mirror, Store, commit_of, etag_of, serving
from unit.roles.nginx_store import ODD, ONE, PLAIN, PR, TWO, WEIGHTS, fill
from unit.roles.profile import REQUESTS

#: What is in every file that nobody may have, and in no request.
CANARY = b"sings in the mine"
#: What stands for another name in the second of two requests: the one repository is hidden, the other not there.
HIDDEN, ABSENT = "hidden1", "hidden2"
SECRET = commit_of("secret")
ALICE, BOB = (hashlib.sha256(name.encode()).hexdigest() for name in ("alice", "bob"))
PEERS = ["192.0.2.1"]
#: How errors begin, where no status says that they are.
ERRORS = (
    *(b"<html>\r\n<head><title>3", b"<html>\r\n<head><title>4", b'{"error":'),
    *(b"This mirror answers", b"paths-info answers"),
)


def secrets(store: Store) -> list[Path]:
    """Put what nobody may have wherever a store and what is beside it have places, and return these."""
    folder = store.folder("org/name")
    unlinked = CANARY * 100
    places = [
        *[store.root.parent / "beside.txt", store.root / "beside.txt", store.root / "hub" / "beside.txt"],
        *[store.root / name for name in ("catalogue.json", "ledger/2026-11.jsonl", "ledger/state.json", "locks/run")],
        *[store.root / "pool" / etag_of(content) for content in (WEIGHTS, unlinked)],
        *[store.root / "staging" / f"{etag_of(unlinked)}.part", store.root / "trash" / "models--org--gone" / "x"],
        *[folder / "blobs" / etag_of(unlinked), folder / "refs" / "main", folder / "beside.txt"],
        *[folder / ".mirror" / name for name in ("history.json", "gone.json", f"pending/{ONE}.json")],
        *[folder / ".mirror" / "upstream" / f"{ONE}.json", folder / ".mirror" / "build" / ONE / "config.json"],
        *[folder / ".mirror" / "trash" / "snapshots" / "config.json", folder / "snapshots" / "beside.txt"],
        store.root / "views" / ".hidden" / "file.bin",
    ]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(CANARY * 100)
    return places


@dataclass(frozen=True)
class Published:
    """What of a mirror may be had: whole answers, and what lists are made of."""

    mirror: Mirror
    bodies: frozenset[bytes]
    entries: frozenset[str]

    def __repr__(self) -> str:
        return f"Published({self.mirror.address!r})"

    def ask(self, request: Request) -> Answer:
        note(f"sent: {request.wire!r}")
        raw = exchange(self.mirror.port, request.wire)
        assert raw or request.is_bare, "no answer"
        return parse(raw, request.method)

    def has(self, body: bytes) -> bool:
        """Say whether this is published, or a list of entries that are."""
        if body in self.bodies:
            return True
        try:
            listed = json.loads(body)
        except ValueError:
            return False
        return isinstance(listed, list) and all(one(entry) in self.entries for entry in listed)

    def has_part(self, body: bytes, content_range: str) -> bool:
        first, last, size = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", content_range).groups())  # type: ignore[union-attr]
        return any(len(whole) == size and whole[first : last + 1] == body for whole in self.bodies)


def one(entry: object) -> str:
    return json.dumps(entry, sort_keys=True)


def collect(mirror: Mirror, repos: list[Path], views: list[str]) -> Published:
    """Collect what may be had of some repositories and views."""
    bodies, entries = set(), set()
    for repo in repos:
        files = [file for file in (repo / "snapshots").rglob("*") if file.is_symlink()]
        folders = [repo / ".mirror" / name for name in ("rev", "commits")]
        documents = [file for folder in folders for file in folder.rglob("*.json") if file.is_file()]
        bodies |= {file.read_bytes() for file in [*files, *documents, repo / ".mirror" / "refs.json"]}
        for file in documents:
            document = json.loads(file.read_bytes())
            for entry in document if isinstance(document, list) else [document]:
                entries |= {one(entry), one({key: value for key, value in entry.items() if key != "siblings"})}
    for view in views:
        bodies |= {file.read_bytes() for file in (mirror.store.root / "views" / view).iterdir()}
    bodies.add(b"{}")
    fixed = ["/", "/api/agent-harnesses", "/models/", *[f"/models/{view}/" for view in views]]
    bodies |= {mirror.ask(path).body for path in fixed}
    bodies.add(mirror.ask("/api/whoami-v2", Authorization=f"Bearer {BOB}").body)
    return Published(mirror, frozenset(bodies), frozenset(entries))


def addresses(repo: str, ref: str, path: str) -> list[str]:
    files = [f"/{repo}/{verb}/{ref}/{path}" for verb in ("resolve", "raw")]
    kind, _slash, plain = (
        repo.rpartition("/") if repo.count("/") < 2 else (repo.split("/")[0], "", repo.split("/", 1)[1])
    )
    api = f"/api/{repo}" if kind in ("datasets", "spaces") and plain != repo else f"/api/models/{repo}"
    of_ref = [f"{api}/{verb}/{ref}" for verb in ("revision", "tree", "paths-info", "commits")]
    return [*files, *files, api, *of_ref, f"{api}/refs", f"{api}/auth-check"]


def check(published: Published, request: Request, answer: Answer) -> None:
    """What holds for every answer."""
    assert answer.status in (0, 501, 505) or 200 <= answer.status < 500
    assert CANARY not in answer.raw
    if answer.status == 0:
        assert published.has(answer.body) or answer.body.startswith(ERRORS) or not answer.body
    elif request.method == "HEAD":
        assert answer.body == b""
    elif answer.status == 200:
        assert published.has(answer.body)
        assert answer.header("X-Linked-ETag") in (None, f'"{etag_of(answer.body)}"')
    elif answer.status == 206:
        assert published.has_part(answer.body, answer.header("Content-Range") or "")
    if answer.status in (401, 403, 404):
        assert answer.header("X-Repo-Commit") is None
        assert answer.header("ETag") is None
    assert re.fullmatch(r"/[^/\\].*|", answer.header("Location") or ""), "it leads elsewhere"


# ---- Open to everybody

ADDRESSES = [
    *addresses("org/name", "main", "config.json"),
    *addresses("org/name", ONE, "onnx/deep/weights.bin"),
    *addresses("org/name", "refs/pr/1", "config.json"),
    *addresses("gpt2", "main", "config.json"),
    *addresses("org/odd", "main", "with space.txt"),
    *addresses("datasets/org/name", "main", "data.csv"),
    *["/", "/models", "/models/", "/models/facefusion/", "/models/facefusion/inswapper.onnx", "/api/whoami-v2"],
    *["/api/models", "/api/models", "/api/datasets/", "/api/agent-harnesses", "/_hub/file", "/_peer/catalogue.json"],
    *[f"/_peer/pool/{etag_of(WEIGHTS)}", f"/_peer/hub/models--org--name/upstream/{ONE}.json", "/../beside.txt"],
    f"/_peer/hub/models--org--name/rev/{ONE}/info.blobs.json",
]
NAMES = [
    *["org", "name", "odd", "gpt2", "v1.0", "dangling", "canonical", ONE, TWO, PR, ODD, PLAIN, "config.json", "onnx"],
    *["deep", "weights.bin", "empty", "facefusion", "inswapper.onnx", "models--org--name", "datasets--org--name"],
    *[etag_of(WEIGHTS), etag_of(CANARY * 100), ".hidden", "file.bin", "2026-11.jsonl", "pending", f"{ONE}.json"],
]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    folder = tmp_path_factory.mktemp("open")
    store = Store(folder / "store")
    fill(store)
    store.view("facefusion", {"inswapper.onnx": WEIGHTS, "with space.txt": b"text\n"})
    secrets(store)
    with serving(store, folder / "nginx", mirror_nginx_peers=PEERS) as mirror:
        repos = [repo for repo in (store.root / "hub").iterdir() if repo.is_dir()]
        yield collect(mirror, repos, ["facefusion"])
        check_errors(mirror)


def check_errors(mirror: Mirror) -> None:
    """See that nginx noticed nothing worse than what a client did wrong."""
    assert [line for line in mirror.errors() if re.search(r"\[(crit|alert|emerg)\]|js exception", line)] == []


@given(request=requests(ADDRESSES, NAMES))
@REQUESTS
def test_no_request_finds_what_is_not_published(everything: Published, request: Request) -> None:
    check(everything, request, everything.ask(request))


@pytest.mark.parametrize("spell", [str, lambda path: path.replace("../", "%2e%2e%2F")], ids=["plain", "encoded"])
def test_no_address_leads_to_a_secret(everything: Published, spell: Callable[[str], str]) -> None:
    """Each secret, from each folder that an address may stand for, behind each address."""
    store = everything.mirror.store
    repo = store.folder("org/name")
    folders = [store.root, store.root / "hub", store.root / "views", store.root / "views" / "facefusion", repo]
    folders += [repo / ".mirror", repo / ".mirror" / "rev" / ONE, repo / ".mirror" / "rev" / ONE / "tree"]
    folders += [repo / "snapshots", repo / "snapshots" / ONE]
    behind = [
        "",
        *["/org/name", "/models", "/models/facefusion", "/_hub", "/_peer", "/_peer/hub", "/hub", "/_peer/pool"],
    ]
    behind += [f"/org/name/{verb}/{ref}" for verb in ("resolve", "raw") for ref in (ONE, "main", "refs/pr/1")]
    behind += [f"/api/models/org/name/{verb}/main" for verb in ("tree", "revision", "refs")]
    ways = {os.path.relpath(secret, folder) for secret in secrets(store) for folder in folders}
    for address in behind:
        for way in ways:
            raw = exchange(everything.mirror.port, f"GET {address}/{spell(way)} HTTP/1.0\r\n\r\n".encode())
            assert CANARY not in raw, f"{address}/{spell(way)}"


# ---- With rules

USERS = [{"name": "alice", "groups": ["staff", "gated"], "tokens": [ALICE]}, {"name": "bob", "tokens": [BOB]}]
ACCESS: list[dict[str, Any]] = [
    {"repos": ["open/*"], "views": ["open"]},
    {"repos": ["secret/*", "datasets/secret/*", "hidden*"], "views": ["hidden*"], "tokens": ["staff"]},
    {"repos": ["away/*"], "networks": ["192.0.2.0/24"]},
    {"repos": ["both/*"], "networks": ["127.0.0.1"], "tokens": ["staff"], "satisfy": "all"},
]
PLACES = ["secret/hidden1", "open/hidden1", "away/hidden1", "both/hidden1", "closed/hidden1", "hidden1/name", "hidden1"]
RESTRICTED = [
    *[address for place in PLACES for address in addresses(place, "main", "config.json")],
    *[address for place in PLACES for address in addresses(place, SECRET, "deep/weights.bin")],
    *addresses("datasets/secret/hidden1", "main", "config.json"),
    *["/models/hidden1/", "/models/hidden1", "/models/hidden1/file.bin", "/models/", "/api/models", "/api/datasets"],
    *[
        f"/_peer/hub/models--secret--hidden1/{path}"
        for path in (f"rev/{SECRET}/info.blobs.json", f"upstream/{SECRET}.json")
    ],
    *["/open/a/resolve/main/../../../../secret/hidden1/resolve/main/config.json", "/api/models/secret--hidden1"],
    *addresses("open/a", "main", "config.json"),
]
RESTRICTED_NAMES = [
    *["hidden1", "secret", "open", "away", "both", "closed", "a", "name", SECRET, "config.json", "deep", "weights.bin"],
    *["models--secret--hidden1", "models--hidden1", "models--closed--hidden1", "file.bin"],
]
RESTRICTED_QUERIES = ["search=hidden1", "author=hidden1", "author=secret", "cursor=secret/hidden1", "cursor=hidden1"]
CALLERS = ["", f"Authorization: Bearer {BOB}", "Authorization: Bearer hf_of_somewhere_else"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    folder = tmp_path_factory.mktemp("guarded")
    store = Store(folder / "store")
    hidden = {"config.json": CANARY, "deep/weights.bin": CANARY * 100}
    for place in PLACES:
        store.commit(place, SECRET, hidden)
        store.ref(place, "main", SECRET)
    store.commit("secret/hidden1", SECRET, hidden, "datasets")
    store.ref("secret/hidden1", "main", SECRET, "datasets")
    (store.folder("open/hidden1") / ".mirror" / "gated").touch()
    for repo in ("open/a", "org/name"):
        store.commit(repo, ONE, {"config.json": b"{}", "deep/weights.bin": WEIGHTS})
        store.ref(repo, "main", ONE)
    store.view("open", {"file.bin": b"file"})
    store.view("hidden1", {"file.bin": CANARY})
    secrets(store)
    settings = {"mirror_nginx_access": ACCESS, "mirror_nginx_users": USERS, "mirror_nginx_peers": PEERS}
    with serving(store, folder / "nginx", **settings) as mirror:
        for path in ("/secret/hidden1/resolve/main/config.json", "/models/hidden1/file.bin"):
            assert mirror.ask(path, Authorization=f"Bearer {ALICE}").body == CANARY
        yield collect(mirror, [store.folder("open/a")], ["open"])
        check_errors(mirror)


@given(request=requests(RESTRICTED, RESTRICTED_NAMES, RESTRICTED_QUERIES), caller=st.sampled_from(CALLERS))
@REQUESTS
def test_no_request_tells_whether_something_is_hidden(guarded: Published, request: Request, caller: str) -> None:
    if caller:
        request = Request(**{**vars(request), "headers": (request.headers[0], caller)})
    absent = request.about(HIDDEN, ABSENT)
    answer, other = guarded.ask(request), guarded.ask(absent)

    check(guarded, request, answer)
    assert looks(answer, request, HIDDEN) == looks(other, absent, ABSENT)


def looks(answer: Answer, request: Request, name: str) -> tuple[int, list[tuple[str, bytes]], bytes]:
    """Return what can be told of an answer, but for what repeats the request and for the time."""

    def anonymous(text: bytes) -> bytes:
        for spelling in request.spellings(name):
            text = text.replace(spelling, b"<name>")
        return text

    headers = [(key, anonymous(value.encode("latin-1"))) for key, value in answer.headers if key != "Date"]
    return answer.status, headers, anonymous(answer.body)
