# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the API is answered."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.names import PATH_BYTES
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.path_index import path_index
from unit.roles.nginx_server import Answer, Mirror, point
from unit.roles.nginx_store import (
    CONFIG,
    MISSING,
    NOWHERE,
    ODD_NAMES,
    ONE,
    PLAIN,
    PR,
    TWO,
)


@pytest.mark.parametrize(
    ("path", "commit"),
    [
        ("/api/models/org/name", ONE),
        ("/api/models/org/name/revision/main", ONE),
        ("/api/models/org/name/revision/v1.0", ONE),
        (f"/api/models/org/name/revision/{TWO}", TWO),
        ("/api/models/org/name/revision/refs%2Fpr%2F1", PR),
        ("/api/models/org/name/revision/refs/convert/parquet", PR),
        ("/api/models/gpt2", PLAIN),
        ("/api/models/gpt2/revision/main", PLAIN),
        ("/api/models/models/name", PLAIN),
        ("/api/datasets/org/name", TWO),
        ("/api/datasets/canonical/revision/main", TWO),
        ("/api/spaces/org/name/revision/main", TWO),
    ],
)
def test_info(mirror: Mirror, path: str, commit: str) -> None:
    answer = mirror.ask(path)
    assert (answer.status, answer.header("X-Repo-Commit"), answer.json["sha"]) == (200, commit, commit)
    assert "size" not in answer.json["siblings"][0]
    for question in ("blobs=true", "blobs=True", "expand=sha&blobs=1"):
        assert "size" in mirror.ask(f"{path}?{question}").json["siblings"][0]
    assert "size" not in mirror.ask(f"{path}?blobs=false").json["siblings"][0]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/models/org/name/tree/main", {"config.json", "onnx", "empty"}),
        ("/api/models/org/name/tree/main/", {"config.json", "onnx", "empty"}),
        ("/api/models/org/name/tree/main?recursive=false&expand=false", {"config.json", "onnx", "empty"}),
        (
            f"/api/models/org/name/tree/{ONE}?recursive=true&expand=false",
            {"config.json", "empty", "onnx", "onnx/deep", "onnx/deep/weights.bin"},
        ),
        (
            "/api/models/org/name/tree/main?recursive=True",
            {"config.json", "empty", "onnx", "onnx/deep", "onnx/deep/weights.bin"},
        ),
        ("/api/models/org/name/tree/main/onnx", {"onnx/deep"}),
        ("/api/models/org/name/tree/main/onnx/deep", {"onnx/deep/weights.bin"}),
        ("/api/models/org/name/tree/main/onnx%2Fdeep?recursive=true", {"onnx/deep/weights.bin"}),
        ("/api/models/org/name/tree/refs%2Fpr%2F1", {"config.json"}),
        ("/api/models/org/odd/tree/main/resolve%2Fmain", {"resolve/main/inner.txt"}),
        ("/api/models/gpt2/tree/main", {"config.json"}),
        ("/api/datasets/canonical/tree/main", {"data.csv"}),
    ],
)
def test_tree(mirror: Mirror, path: str, expected: set[str]) -> None:
    answer = mirror.ask(path)
    assert answer.status == 200
    assert {entry["path"] for entry in answer.json} == expected
    assert answer.header("X-Repo-Commit")
    assert answer.header("Last-Modified") is None


@pytest.mark.parametrize("query", ["cursor=x", "recursive=true&cursor=ZXlK", "cursor=", "cursor=x&cursor=y"])
@pytest.mark.parametrize("path", ["tree/main", "tree/main/onnx", f"tree/{ONE}"])
def test_a_tree_has_one_page(mirror: Mirror, path: str, query: str) -> None:
    """A client that asks until a page is empty comes to an end."""
    answer = mirror.ask(f"/api/models/org/name/{path}?{query}")
    assert (answer.status, answer.json, answer.header("X-Repo-Commit")) == (200, [], ONE)
    assert mirror.ask(f"/api/models/org/name/{path}?nocursor=x").json != []
    assert mirror.ask(f"/api/models/org/name/tree/nothing?{query}").header("X-Error-Code") == "RevisionNotFound"


@pytest.mark.parametrize(
    ("path", "commit", "date"),
    [
        ("/api/models/org/name/commits/main", ONE, "2026-11-30T12:00:00.000Z"),
        ("/api/models/org/name/commits/HEAD", ONE, "2026-11-30T12:00:00.000Z"),
        ("/api/models/org/name/commits/refs%2Fpr%2F1", PR, "2026-11-30T12:00:00.000Z"),
        ("/api/models/gpt2/commits/main", PLAIN, "2026-11-30T12:00:00.000Z"),
        ("/api/datasets/org/name/commits/main?p=0", TWO, "2026-11-30T12:00:00.000Z"),
        (f"/api/models/org/name/commits/{TWO}", TWO, "2020-01-01T00:00:00.000Z"),
    ],
)
def test_commits(mirror: Mirror, path: str, commit: str, date: str) -> None:
    answer = mirror.ask(path)
    assert (answer.status, answer.header("X-Repo-Commit")) == (200, commit)
    title = f"Commit {commit[:12]}"
    formatted = {"title": title, "message": ""}
    authors = [{"user": "unknown"}]
    expected = {"id": commit, "title": title, "message": "", "date": date, "authors": authors, "formatted": formatted}
    assert answer.json == [expected]
    assert mirror.ask(f"{path.partition('?')[0]}?p=1").json == []


@pytest.mark.parametrize("path", ["/api/models/org/name", "/api/models/gpt2", "/api/datasets/canonical"])
def test_auth_check(mirror: Mirror, path: str) -> None:
    assert mirror.ask(f"{path}/auth-check").json == {}
    write = mirror.ask(f"{path}/auth-check/write")
    assert (write.status, write.json) == (403, {"error": "This mirror is read-only"})


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (f"/ORG/name/resolve/{ONE}/config.json?a=b", f"/org/name/resolve/{ONE}/config.json?a=b"),
        ("/Org/Name/resolve/main/a%2Fb%20c+d", "/org/name/resolve/main/a%2Fb%20c+d"),
        ("//Org%2fNa%6De/raw//main/x", "/org/name/raw//main/x"),
        ("/GPT2/resolve/main/config.json", "/gpt2/resolve/main/config.json"),
        ("/datasets/Canonical/resolve/main/data.csv", "/datasets/canonical/resolve/main/data.csv"),
        ("/api/models/ORG/name", "/api/models/org/name"),
        ("/api/models/ORG/name?blobs=true", "/api/models/org/name?blobs=true"),
        ("/api/models/Models/name", "/api/models/models/name"),
        ("/api/models/gPT2/revision/main", "/api/models/gpt2/revision/main"),
        ("/api/models/ORG/name/tree/main/onnx", "/api/models/org/name/tree/main/onnx"),
        ("/api/models/ORG/name/refs", "/api/models/org/name/refs"),
        ("/api/models/ORG/name/auth-check", "/api/models/org/name/auth-check"),
        ("/api/models/ORG/name/commits/main", "/api/models/org/name/commits/main"),
        ("/api/datasets/Org/name/revision/main", "/api/datasets/org/name/revision/main"),
    ],
)
def test_a_repository_in_another_case(mirror: Mirror, path: str, target: str) -> None:
    for method in ("GET", "HEAD"):
        answer = mirror.ask(path, method)
        assert (answer.status, answer.header("Location")) == (307, target)
        for name in ("X-Error-Code", "X-Repo-Commit", "ETag"):
            assert answer.header(name) is None
    assert mirror.logged(path)["error"] == ""


@pytest.mark.parametrize(
    "path",
    ["/datasets/GPT2/resolve/main/x", "/api/models/ORG", "/ORG/other/resolve/main/x", "/x/../ORG/name/raw/main/x"],
)
def test_no_repository_in_another_case(mirror: Mirror, path: str) -> None:
    answer = mirror.ask(path)
    assert (answer.status, answer.header("X-Error-Code")) == (404, "RepoNotFound")
    assert answer.header("Location") is None


@pytest.mark.parametrize("size", [100, 200_000])
def test_paths_info_in_another_case(mirror: Mirror, size: int) -> None:
    body = "paths=config.json".ljust(size, "&")
    answer = ask_paths(mirror, "models/Org/Name/paths-info/main", body)
    assert (answer.status, answer.header("Location")) == (307, "/api/models/org/name/paths-info/main")
    for address, error in (("org/none", "RepoNotFound"), ("org/name", "RevisionNotFound")):
        answer = ask_paths(mirror, f"models/{address}/paths-info/none", body)
        assert (answer.status, answer.header("X-Error-Code")) == (404, error)


@pytest.mark.parametrize(
    ("path", "commit"),
    [("/api/models/org/name/refs", ONE), ("/api/models/gpt2/refs", PLAIN), ("/api/datasets/canonical/refs", TWO)],
)
def test_refs(mirror: Mirror, path: str, commit: str) -> None:
    assert mirror.ask(path).json["branches"] == [{"name": "main", "ref": "refs/heads/main", "targetCommit": commit}]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/api/models/org/nothing", "RepoNotFound"),
        ("/api/datasets/gpt2", "RepoNotFound"),
        ("/api/models/org/nothing/revision/main", "RepoNotFound"),
        ("/api/models/org/nothing/tree/main", "RepoNotFound"),
        ("/api/models/org/nothing/refs", "RepoNotFound"),
        ("/api/models/org/nothing/auth-check", "RepoNotFound"),
        ("/api/models/org/nothing/commits/main", "RepoNotFound"),
        ("/api/models/org/name/commits/nothing", "RevisionNotFound"),
        ("/api/models/org/name/revision/nothing", "RevisionNotFound"),
        (f"/api/models/org/name/revision/{NOWHERE}", "RevisionNotFound"),
        ("/api/models/org/name/revision/dangling", "RevisionNotFound"),
        ("/api/models/org/name/tree/nothing", "RevisionNotFound"),
        ("/api/models/org/name/tree/main/absent", "EntryNotFound"),
        ("/api/models/org/name/tree/main/config.json", "EntryNotFound"),
        ("/api/models/org/name/tree/main/additional_chat_templates?recursive=false", "EntryNotFound"),
    ],
)
def test_an_api_error(mirror: Mirror, path: str, error: str) -> None:
    for method in ("GET", "HEAD"):
        answer = mirror.ask(path, method)
        assert (answer.status, answer.header("X-Error-Code")) == (404, error)
        assert answer.header("X-Repo-Commit") is None
        assert answer.header("Content-Type") == "application/json"
        if method == "GET":
            assert answer.json == {"error": MISSING[error]}


@pytest.mark.parametrize("path", ["/", "/api/agent-harnesses"])
def test_small_answers(mirror: Mirror, path: str) -> None:
    answer = mirror.ask(path)
    assert (answer.status, mirror.ask(path, "HEAD").status) == (200, 200)
    if path == "/":
        assert answer.header("Content-Type") == "text/plain"
        assert b"HF_ENDPOINT" in answer.body
    else:
        assert answer.json == {"standardEnvVars": [], "harnesses": {}}


@pytest.mark.parametrize(
    "path",
    [
        "/favicon.ico",
        "/nothing/",
        "/api/telemetry/x",
        "/hub/models--org--name/blobs/",
        "/store.json",
        "/org--name/resolve/main/config.json",  # would be the folder of org/name
        "/org/na--me/resolve/main/config.json",
        "/api/models/org--name",
        "/org/-name/resolve/main/config.json",
        "/models/.facefusion/x",
        "/org/name/%72esolve/main",
        "/_hub/pin",
        "/_hub/file",
        "/_hub/document",
    ],
)
def test_what_is_not_there(mirror: Mirror, path: str) -> None:
    answer = mirror.ask(path)
    assert answer.status == 404
    assert answer.header("Location") is None
    assert answer.header("X-Repo-Commit") is None


@pytest.mark.parametrize("attempt", ["/../store.json", "/%2e%2e/store.json", "/..%2f..%2fstore.json"])
@pytest.mark.parametrize(
    "start",
    [
        f"/org/name/resolve/{ONE}/x",
        "/org/name/resolve/main",
        "/models/facefusion",
        "/models",
        "/api/models/org/name/tree/main",
        "/api/models/org/name/revision",
    ],
)
def test_no_way_out_of_a_folder(mirror: Mirror, start: str, attempt: str) -> None:
    for climb in range(6):
        answer = mirror.ask(start + "/.." * climb + attempt)
        assert answer.status in (400, 404)
        assert b"format" not in answer.body


# ---- What njs answers


def ask_paths(
    mirror: Mirror, address: str, body: str | bytes, kind: str = "application/x-www-form-urlencoded"
) -> Answer:
    return mirror.ask(f"/api/{address}", "POST", body, Content_Type=kind)


@pytest.mark.parametrize("ref", ["main", ONE, "v1.0"])
def test_paths_info(mirror: Mirror, ref: str) -> None:
    answer = ask_paths(
        mirror, f"models/org/name/paths-info/{ref}", "paths=onnx%2Fdeep%2Fweights.bin&paths=onnx&paths=no"
    )
    assert (answer.status, answer.header("X-Repo-Commit")) == (200, ONE)
    assert [(entry["path"], entry["type"]) for entry in answer.json] == [
        ("onnx/deep/weights.bin", "file"),
        ("onnx", "directory"),
    ]
    body = '{"paths": ["config.json", "/empty"], "expand": false}'
    as_json = ask_paths(mirror, f"models/org/name/paths-info/{ref}", body, "application/json")
    assert [(entry["path"], entry["size"]) for entry in as_json.json] == [("config.json", len(CONFIG)), ("empty", 0)]


def test_paths_info_knows_odd_names(mirror: Mirror) -> None:
    body = urlencode([("paths", name) for name in ODD_NAMES])
    answer = ask_paths(mirror, "models/org/odd/paths-info/main", body)
    assert [entry["path"] for entry in answer.json] == ODD_NAMES


@pytest.mark.parametrize(
    ("address", "body", "kind", "status"),
    [
        ("models/org/name/paths-info/main", "", "application/json", 200),
        (
            "models/org/name/paths-info/main",
            "paths=..%2F..%2Finfo.json&paths=.mirror.flat.json&paths=&paths=%00",
            "",
            200,
        ),
        ("models/org/name/paths-info/main", "[1", "application/json", 400),
        ("models/org/name/paths-info/none", "paths=config.json", "", 404),
        ("models/no/name/paths-info/main", "paths=config.json", "", 404),
    ],
)
def test_paths_info_of_nonsense(mirror: Mirror, address: str, body: str, kind: str, status: int) -> None:
    answer = ask_paths(mirror, address, body, kind)
    assert answer.status == status
    assert status != 200 or answer.json == []


@pytest.mark.parametrize(
    ("path", "is_found"),
    [
        ("onnx", True),
        ("/onnx", True),
        ("//onnx///", True),
        ("/" * (PATH_BYTES - 4) + "onnx", True),
        ("onnx" + "/" * (PATH_BYTES - 4), True),
        # longer than a path can be: not looked at
        ("/" * (PATH_BYTES - 3) + "onnx", False),
        ("\u00e9" + "/" * 250_000, False),
        ("a" + "/" * 250_000 + "a", False),
        ("/" * 250_000, False),
        ("/" * PATH_BYTES, False),
    ],
)
def test_paths_info_trims_in_one_go(mirror: Mirror, path: str, is_found: bool) -> None:
    expected = ["onnx"] if is_found else []
    for body, kind in ((f"paths={path}".encode(), ""), (json.dumps({"paths": path}), "application/json")):
        answer = ask_paths(mirror, "models/org/name/paths-info/main", body, kind)
        assert [entry["path"] for entry in answer.json] == expected


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json"])
def test_paths_info_of_at_most_a_thousand(mirror: Mirror, kind: str) -> None:
    def ask(count: int) -> Answer:
        paths = ["absent"] * (count - 1) + ["config.json"]
        as_json = json.dumps({"paths": paths, "expand": False})
        form = urlencode([("expand", "False"), *[("paths", path) for path in paths]])
        body = as_json if kind == "application/json" else form
        return ask_paths(mirror, "models/org/name/paths-info/main", body, kind)

    assert [entry["path"] for entry in ask(1000).json] == ["config.json"]
    for count in (1001, 2000, 15_000):
        answer = ask(count)
        assert (answer.status, answer.json) == (413, {"error": "Ask for 1000 paths at most."})


def memory(mirror: Mirror) -> int:
    """Return the most that nginx ever had, in MB."""
    status = Path(f"/proc/{(mirror.folder / 'nginx.pid').read_text().strip()}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) >> 10


def test_a_large_repository_is_not_read_as_a_whole(own_mirror: Mirror) -> None:
    paths = [f"data/part-{number:06d}.safetensors" for number in range(100_000)]
    rev = own_mirror.store.folder("org/large") / ".mirror" / "rev"
    point(rev / "main", ONE)
    (rev / ONE).mkdir()
    (rev / ONE / "paths.txt").write_bytes(path_index({path: json.dumps({"path": path}).encode() for path in paths}))
    whole = {"id": "org/large", "siblings": [{"rfilename": path} for path in paths]}
    (rev / ONE / "info.json").write_text(json.dumps(whole))

    asked = [*paths[::150], "data/absent"]
    answer = ask_paths(own_mirror, "models/org/large/paths-info/main", urlencode([("paths", path) for path in asked]))
    assert [entry["path"] for entry in answer.json] == asked[:-1]
    assert own_mirror.ask("/api/models?full=true&search=large").json == [whole]
    for many in ([""] * 60_000, [json.loads("[" * 28 + "]" * 28)] * 900, [{"a": {"b": {"c": {}}}}] * 4_000):
        body = json.dumps({"paths": many})
        assert ask_paths(own_mirror, "models/org/large/paths-info/main", body, "application/json").status == 413
    assert memory(own_mirror) < 50


def test_paths_info_before_its_index_is_made(own_mirror: Mirror) -> None:
    """A store that an older version wrote has none until recovery, the first step of a sync, has made it."""
    (own_mirror.store.folder("org/name") / ".mirror/rev" / ONE / "paths.txt").unlink()
    answer = ask_paths(own_mirror, "models/org/name/paths-info/main", "paths=config.json")
    assert answer.status == 503 and "The next sync" in answer.json["error"]


def test_a_large_body_is_refused(own_mirror: Mirror) -> None:
    assert ask_paths(own_mirror, "models/org/name/paths-info/main", "paths=" + "x" * (256 << 10)).status == 413


def test_a_body_of_many_small_pieces(own_mirror: Mirror) -> None:
    """Its framing fills what nginx keeps in memory, and so it is put into a file."""
    body = b'{"paths":["config.json"]}'.ljust(50_000)
    pieces = [b"1\r\n%c\r\n" % one for one in body]
    head = "POST /api/models/org/name/paths-info/main HTTP/1.1\r\nHost: mirror\r\nContent-Type: application/json\r\n"
    with own_mirror.connect() as client:
        client.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + b"".join(pieces) + b"0\r\n\r\n")
        response = http.client.HTTPResponse(client)
        response.begin()
        answer = Answer(response.status, response.headers, response.read())
    assert (answer.status, answer.header("Cache-Control")) == (413, "no-cache")
    assert answer.json == {"error": "The body is too large. Send it with a Content-Length."}
    assert [line for line in own_mirror.errors() if "exception" in line] == []


def test_paths_info_is_no_page(mirror: Mirror) -> None:
    answer = mirror.ask("/api/models/org/name/paths-info/main")
    assert (answer.status, answer.header("Allow")) == (405, "POST")


def test_a_listing_of_repositories(mirror: Mirror) -> None:
    def ids(query: str = "", kind: str = "models") -> list[str]:
        return [entry["id"] for entry in mirror.ask(f"/api/{kind}{query}").json]

    assert ids() == ["gpt2", "models/name", "org/name", "org/odd"]
    assert ids(kind="datasets") == ["canonical", "org/name"]
    assert ids("?author=org") == ["org/name", "org/odd"]
    assert ids("?search=NAME") == ["models/name", "org/name"]
    assert ids("?search=nothing") == []
    assert ids("?search=gpt&search=org&author=") == ["gpt2"]
    (entry,) = mirror.ask("/api/models?search=gpt2").json
    assert entry["sha"] == PLAIN and "siblings" not in entry
    (entry,) = mirror.ask("/api/models?search=gpt2&full=true").json
    assert entry["siblings"] == [{"rfilename": "config.json"}]


def listed(mirror: Mirror, path: str) -> list[list[str]]:
    """Return the ids of each page of a listing."""
    pages = []
    while path:
        answer = mirror.ask(path)
        pages.append([entry["id"] for entry in answer.json])
        link = answer.header("Link") or ""
        path = link.partition(">")[0].removeprefix(f"<{mirror.address}")
    return pages


def test_a_listing_is_filtered(own_mirror: Mirror) -> None:
    models: dict[str, dict[str, Any]] = {
        "a/bert": {
            "tags": ["PyTorch", "en", "license:mit"],
            "pipeline_tag": "fill-mask",
            "library_name": "transformers",
        },
        "a/gpt": {"tags": ["pytorch", "de"], "pipeline_tag": "text-generation", "library_name": "transformers"},
        "a/odd": {"tags": ["two words", "with\ttab", 5, None], "pipeline_tag": None},
        "a/none": {"tags": None},
    }
    for name, info in models.items():
        own_mirror.store.commit(name, ONE, {"config.json": CONFIG}, **info)
        own_mirror.store.ref(name, "main", ONE)

    def ids(query: str) -> list[str]:
        (page,) = listed(own_mirror, f"/api/models?author=a&{query}")
        assert page == [entry["id"] for entry in own_mirror.ask(f"/api/models?author=a&full=true&{query}").json]
        return page

    assert ids("filter=") == ["a/bert", "a/gpt", "a/none", "a/odd"]
    assert ids("filter=pytorch") == ids("library=Transformers") == ["a/bert", "a/gpt"]
    assert ids("filter=pytorch&filter=en") == ids("filter=pytorch,license:mit") == ["a/bert"]
    assert ids("pipeline_tag=text-generation") == ids("filter=text-generation") == ["a/gpt"]
    assert ids("pipeline_tag=de") == ids("filter=torch") == ids("filter=config.json") == ids("library=fill") == []
    assert ids("filter=two+words") == ids("filter=with%20tab") == ["a/odd"]
    assert ids("search=ber&filter=en&sort=downloads&direction=-1&cardData=True") == ["a/bert"]


def test_a_page_of_a_listing_looks_at_few_repositories(own_mirror: Mirror) -> None:
    names = [f"many/{number:04d}" for number in range(1001)]
    for name in names:
        rev = own_mirror.store.folder(name) / ".mirror" / "rev"
        point(rev / "main", ONE)
        (rev / ONE).mkdir()
        (rev / ONE / "listed.txt").write_text(f'\tany\t\n{{"id":"{name}"}}')
    assert listed(own_mirror, "/api/models?author=many") == [names[:500], names[500:1000], names[1000:]]
    assert listed(own_mirror, "/api/models?author=many&filter=other") == [[], [], []]
    assert listed(own_mirror, "/api/models?author=many&filter=any&filter=any&limit=1000")[2] == names[1000:]


def test_a_page_of_a_listing_has_few_bytes(own_mirror: Mirror) -> None:
    for name, size in (("b/1", 3), ("b/2", 3), ("b/3", 5), ("b/4", 1), ("b/5", 2)):
        own_mirror.store.commit(name, ONE, {"config.json": CONFIG}, padding="x" * (size << 18))
        own_mirror.store.ref(name, "main", ONE)
    for query in ("", "&full=true"):
        pages = listed(own_mirror, f"/api/models?author=b{query}")
        assert pages == [["b/1"], ["b/2"], ["b/3"], ["b/4", "b/5"]]


def test_what_does_not_match_is_counted_for_a_page(own_mirror: Mirror) -> None:
    """An upstream may give a card many long tags."""
    for number in range(7):
        name = f"b/{number}"
        own_mirror.store.commit(name, ONE, {"config.json": CONFIG})
        own_mirror.store.ref(name, "main", ONE)
        document = own_mirror.store.folder(name) / ".mirror" / "rev" / ONE / "listed.txt"
        document.write_text("\t" + "x" * 300_000 + f'\t\n{{"id":"{name}"}}')
    for query in ("filter=none", "filter=none&full=true", "pipeline_tag=none"):
        assert listed(own_mirror, f"/api/models?author=b&{query}") == [[]] * 7
    assert [len(page) for page in listed(own_mirror, "/api/models?author=b")] == [3, 3, 1]


def test_a_listing_of_few_tags(mirror: Mirror) -> None:
    assert mirror.ask("/api/models?filter=" + ",".join("abcdefghij")).json == []
    many = mirror.ask("/api/models?filter=" + ",".join("abcdefghijk"))
    assert (many.status, many.json) == (400, {"error": "Ask for 10 tags at most."})


def test_a_listing_comes_in_pages(mirror: Mirror) -> None:
    assert listed(mirror, "/api/models?limit=1&search=o") == [["models/name"], ["org/name"], ["org/odd"]]
    assert (mirror.ask("/api/models?limit=1").header("Link") or "").endswith('>; rel="next"')


def test_each_repository_is_on_one_page(own_mirror: Mirror) -> None:
    """Also where a hyphen or a dot comes before what ends a name."""
    repos = {"a/b", "a-b/c", "a.b/c", "a", "a-b", "a/b-c", "a/b.c", "ab/c", "A/b"}
    for repo in repos:
        own_mirror.store.commit(repo, ONE, {"config.json": CONFIG})
        own_mirror.store.ref(repo, "main", ONE)
    everything = [entry["id"] for entry in own_mirror.ask("/api/models").json]
    assert repos < set(everything)

    found: list[str] = []
    for _page in range(0, len(everything), 2):
        query = urlencode({"limit": 2, "cursor": found[-1] if found else ""})
        found += [entry["id"] for entry in own_mirror.ask(f"/api/models?{query}").json]
    assert found == everything and len(found) == len(set(found))
    assert {entry["id"] for entry in own_mirror.ask("/api/models?author=a").json} == {"a/b", "a/b-c", "a/b.c"}
    searched = {entry["id"] for entry in own_mirror.ask("/api/models?search=a%2FB").json}
    assert searched == {"A/b", "a/b", "a/b-c", "a/b.c"}


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [("/api/models", "GET", None), ("/api/models/org/name/paths-info/main", "POST", "paths=config.json")],
)
def test_what_has_no_etag_and_no_date(own_mirror: Mirror, path: str, method: str, body: str | None) -> None:
    since = ("If_Unmodified_Since", "Sun, 09 Sep 1990 01:46:40 GMT")
    for name, value in (("If_Match", '"x"'), ("If_Match", ""), since, (since[0], "")):
        answer = own_mirror.ask(path, method, body, **{name: value})
        assert (answer.status, answer.json) == (412, {"error": "There is no ETag and no date to compare."})
    assert own_mirror.ask(path, method, body, If_Match="*").status == 200
    assert own_mirror.ask(path, method, body, If_None_Match='"x"').status == 200
    assert own_mirror.ask(path, method, body, If_None_Match="*").status == 304
    assert [line for line in own_mirror.errors() if "exception" in line or "[alert]" in line] == []


def test_no_address_gets_into_a_header(mirror: Mirror) -> None:
    answer = mirror.ask("/api/models%0a?limit=1")
    assert answer.status == 404 and answer.header("Link") is None


def test_head_is_main(mirror: Mirror) -> None:
    assert mirror.ask("/api/models/org/name/revision/HEAD").json["sha"] == ONE
    assert mirror.ask("/org/name/resolve/HEAD/config.json").body == CONFIG
