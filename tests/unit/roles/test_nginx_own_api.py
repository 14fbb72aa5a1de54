# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror's own API: what the engine writes for a store, as a real nginx serves it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.names import Ref
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.describe import describe
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.status_document import write_status
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import Repo
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.refs import rollback
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.ref_change import make_change
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store
from unit.conftest import VENVS
from unit.roles.nginx_server import Mirror, serving
from unit.roles.nginx_server import Store as Layout
from unit.roles.profile import FULL

from hub import venvs
from hub.process import HubProcess

TINY, SPACE = "stand-in/tiny-model", "stand-in/tiny-space"
API = "/api/mirror/v1"
TOKEN = "0123456789abcdef0123456789abcdef"
USERS = [{"name": "root", "groups": ["operators"], "tokens": [TOKEN]}]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, running_hub: HubProcess) -> Store:
    """A store with two versions of a model, of which one was rolled back, and a space."""
    running_hub.control("reset", {})
    root = tmp_path_factory.mktemp("store")
    root.chmod(0o755)
    engine = Engine(Settings(root, endpoint=running_hub.url, actor="alice"))
    wanted = parse([{"repo_id": TINY, "keep": 3}, {"repo_id": SPACE, "repo_type": "space"}])
    for main in (0, 1):
        running_hub.control("move", {"repo_id": TINY, "commit": main})
        assert not engine.run(wanted).problems
    store, repo = Store(root), Repo("model", TINY)
    make_change(store, repo, lambda facts: rollback(repo, facts, Ref("main")), "bob", "it was slow")
    write_status(store, describe(store), b"")
    return store


@pytest.fixture(scope="module")
def mirror(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    with serving(Layout(store.root), tmp_path_factory.mktemp("nginx"), mirror_nginx_users=USERS) as running:
        yield running


def test_a_repository(mirror: Mirror, store: Store) -> None:
    answer = mirror.ask(f"{API}/models/{TINY}")
    assert (answer.status, answer.header("Content-Type")) == (200, "application/json")
    assert answer.header("ETag") == f'"{hashlib.sha256(answer.body).hexdigest()}"'
    (ref,) = answer.json["refs"]
    assert [(one["serial"], one["actor"], one["note"], one["rollback"]) for one in ref["versions"]] == [
        (3, "bob", "it was slow", True),
        (2, "alice", "", False),
        (1, "alice", "", False),
    ]
    assert {one["commit"] for one in answer.json["commits"]} == set(store.repository(Repo("model", TINY)).sealed())


def test_a_version_tells_where_each_file_is_and_what_it_hashes_to(mirror: Mirror) -> None:
    ref = mirror.ask(f"{API}/models/{TINY}").json["refs"][0]
    by_ref = mirror.ask(f"{API}/models/{TINY}/resolve/main")
    by_commit = mirror.ask(f"{API}/models/{TINY}/versions/{ref['commit']}")
    assert by_ref.body == by_commit.body and by_ref.header("X-Repo-Commit") == ref["commit"]
    version = by_ref.json
    assert len(version["files"]) == 5 and {len(one["etag"]) for one in version["files"]} == {40, 64}
    for one in version["files"]:
        file = mirror.ask(one["url"])
        assert file.header("ETag") == f'"{one["etag"]}"' and len(file.body) == one["size"]
        assert hashlib.sha256(file.body).hexdigest() == one["sha256"]


@pytest.mark.parametrize(
    ("query", "place"),
    [
        (f"repo={TINY}", f"models/{TINY}/resolve/main"),
        ("repo=stand-in%2Ftiny-model&ref=v1&type=model", f"models/{TINY}/resolve/v1"),
        (f"repo={SPACE}&type=space&ref=refs%2Fpr%2F1", f"spaces/{SPACE}/resolve/refs%2Fpr%2F1"),
        ("repo=gpt2&type=dataset", "datasets/gpt2/resolve/main"),
    ],
)
def test_a_query_leads_to_the_version(mirror: Mirror, query: str, place: str) -> None:
    answer = mirror.ask(f"{API}/resolve?{query}")
    assert (answer.status, answer.header("Location")) == (307, f"{API}/{place}")
    if TINY in query:
        assert mirror.ask(f"{API}/{place}").json["id"] == TINY


@pytest.mark.parametrize("query", ["", "repo=", "repo=a/b/c", f"repo={TINY}&type=models", "type=x&repo=a"])
def test_a_query_that_makes_no_sense(mirror: Mirror, query: str) -> None:
    answer = mirror.ask(f"{API}/resolve?{query}")
    assert answer.status == 400 and answer.json["error"]


@pytest.mark.parametrize("etags", ["{}", "W/{}", '"x", {}', '{} , "x"', '"a","b",{}', "*"])
@pytest.mark.parametrize("place", [f"models/{TINY}", f"models/{TINY}/resolve/main"])
def test_what_a_client_has_is_not_sent_again(mirror: Mirror, place: str, etags: str) -> None:
    etag = mirror.ask(f"{API}/{place}").header("ETag")
    answer = mirror.ask(f"{API}/{place}", If_None_Match=etags.format(etag))
    assert (answer.status, answer.body, answer.header("ETag")) == (304, b"", etag)


@pytest.mark.parametrize("etags", ['""', "x", '"' + "0" * 64 + '"', "{}x", '"{}'])
def test_what_it_has_not_is(mirror: Mirror, etags: str) -> None:
    etag = str(mirror.ask(f"{API}/models/{TINY}").header("ETag")).strip('"')
    answer = mirror.ask(f"{API}/models/{TINY}", If_None_Match=etags.format(etag))
    assert answer.status == 200 and answer.body


def test_the_list(mirror: Mirror) -> None:
    (model,), (space,) = (mirror.ask(f"{API}/{kind}").json for kind in ("models", "spaces"))
    assert (model["id"], space["id"], model["type"]) == (TINY, SPACE, "model")
    assert mirror.ask(model["url"]).json["refs"][0]["commit"] == model["refs"]["main"]
    assert model["bytes"] > 0 and model["published"]
    assert mirror.ask(f"{API}/datasets").json == []
    assert mirror.ask(f"{API}/models?search=nothing").json == []
    assert [one["id"] for one in mirror.ask(f"{API}/models/?search=TINY").json] == [TINY]


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("models/no/such", "RepoNotFound"),
        ("models/no/such/resolve/main", "RepoNotFound"),
        (f"models/no/such/versions/{'0' * 40}", "RepoNotFound"),
        (f"models/{TINY}/resolve/nothing", "RevisionNotFound"),
        (f"models/{TINY}/versions/{'0' * 40}", "RevisionNotFound"),
    ],
)
def test_what_is_not_here(mirror: Mirror, place: str, error: str) -> None:
    answer = mirror.ask(f"{API}/{place}", Authorization=f"Bearer {TOKEN}")
    assert (answer.status, answer.header("X-Error-Code")) == (404, error) and answer.json["error"]


@pytest.mark.parametrize("place", ["", "/", "/x", f"/models/{TINY}/versions/main", "/nodes", f"/models/{TINY}/x"])
def test_there_is_nothing_else(mirror: Mirror, place: str) -> None:
    assert mirror.ask(f"{API}{place}").status == 404


def test_the_status_is_for_operators(mirror: Mirror, store: Store) -> None:
    assert mirror.ask(f"{API}/status").status in (401, 404)
    answer = mirror.ask(f"{API}/status", Authorization=f"Bearer {TOKEN}")
    assert answer.status == 200 and answer.json["store"] == str(store.root) and "repos" not in answer.json
    assert {one["name"] for one in answer.json["entries"]} == {f"{TINY}@main", f"space {SPACE}@main"}


def test_what_is_published_is_told_at_once(mirror: Mirror, store: Store) -> None:
    before = mirror.ask(f"{API}/models/{TINY}")
    repo = Repo("model", TINY)
    make_change(
        store,
        repo,
        lambda facts: rollback(repo, facts, "main", before.json["refs"][0]["versions"][1]["commit"]),
        "carol",
    )
    after = mirror.ask(f"{API}/models/{TINY}", If_None_Match=str(before.header("ETag")))
    assert after.status == 200 and after.json["refs"][0]["versions"][0]["actor"] == "carol"
    folder = store.root / "hub/models--stand-in--tiny-model/.mirror/v1"
    assert len(list(folder.iterdir())) == 2 * 3 + 1, (
        "two versions and the repository, each with its document, and listed.txt"
    )


@pytest.mark.parametrize("repo", ["../x", "..", "a%0d%0aX-Odd:%201", "a%20b", "%2e%2e/b", "a%00b"])
def test_a_query_leads_nowhere_else(mirror: Mirror, repo: str) -> None:
    answer = mirror.ask(f"{API}/resolve?repo={repo}&ref=..%2f..%0d%0ax")
    assert answer.status == 307 and answer.header("X-Odd") is None
    place = str(answer.header("Location"))
    assert place.startswith(f"{API}/models/") and place.isprintable() and " " not in place
    assert mirror.ask(place).status in (400, 401, 404)


@pytest.mark.parametrize("token", ["", TOKEN], ids=["a stranger", "an operator"])
def test_it_is_what_its_description_says(mirror: Mirror, store: Store, tmp_path: Path, token: str) -> None:
    """Schemathesis asks each operation what the description allows, and compares the answers with it."""
    described = mirror.ask(f"{API}/openapi.json").json
    known = {
        "kind": ["models"],
        "repo": [TINY],
        "ref": ["main"],
        "commit": store.repository(Repo("model", TINY)).sealed(),
    }
    for path in described["paths"].values():
        for parameter in path["get"].get("parameters", []):
            if parameter["name"] in known:
                values = known[parameter["name"]]
                parameter["examples"] = {str(number): {"value": value} for number, value in enumerate(values)}
    (tmp_path / "openapi.json").write_text(json.dumps(described))
    program = venvs.install(VENVS / "schemathesis", "schemathesis==4.32.5").parent / "schemathesis"
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command = [
        program,
        "run",
        "openapi.json",
        "--url",
        mirror.address,
        "--checks",
        checks,
        "--phases",
        "examples,coverage,fuzzing",
    ]
    command += ["--seed", "1", "--max-examples", "1000" if FULL else "50", "--no-color", "--warnings", "off"]
    command += ["--header", f"Authorization: Bearer {token}"] if token else []
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("users", [[], USERS], ids=["open", "with users"])
def test_with_the_public_hub_as_spare_what_is_gated_looks_as_what_is_missing(
    tmp_path: Path, users: list[dict[str, Any]]
) -> None:
    layout = Layout(tmp_path / "store")
    for repo in ("org/gated", "org/open"):
        layout.commit(repo, "0" * 40, {"config.json": b"{}"})
        layout.ref(repo, "main", "0" * 40)
        layout.api(repo)
    (layout.folder("org/gated") / ".mirror/gated").touch()
    more: dict[str, Any] = {"mirror_nginx_fallback_repos": ["*"], "mirror_nginx_users": users}
    with serving(layout, tmp_path / "nginx", **more) as mirror:
        for place in ("", "/resolve/main", "/resolve/nope", f"/versions/{'0' * 40}"):
            gated, missing = (mirror.ask(f"{API}/models/{repo}{place}") for repo in ("org/gated", "org/none"))
            assert (gated.status, gated.body) == (missing.status, missing.body) and gated.status in (401, 404)
            assert gated.header("Location") is missing.header("Location") is None, "the Hub has no such address"
        assert mirror.ask(f"{API}/models/org/open/resolve/nope").status == 404
        assert mirror.ask("/org/none/resolve/main/x").status == 302, "of what it has it is asked"
        assert [line for line in mirror.errors() if "[notice]" not in line] == []
