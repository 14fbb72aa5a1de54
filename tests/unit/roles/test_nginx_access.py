# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may see what: rules, tokens, networks, gated repositories; and that nothing else tells what there is."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.roles.nginx_server import Answer, Mirror, Store, commit_of, serving

ALICE, ALICE_NEW, BOB, CAROL = (hashlib.sha256(name.encode()).hexdigest() for name in ("alice", "new", "bob", "carol"))
USERS = [
    {"name": "alice", "groups": ["staff"], "tokens": [ALICE, ALICE_NEW]},
    {"name": "bob", "tokens": [BOB]},
    {"name": "carol", "groups": ["gated"], "tokens": [CAROL]},
]
ACCESS = [
    {"repos": ["open/*", "pub.lic"], "views": ["open"]},
    {"repos": ["staff/*", "datasets/staff/*"], "views": ["staff"], "tokens": ["staff"]},
    {"repos": ["lan/*"], "networks": ["127.0.0.1"]},
    {"repos": ["elsewhere/*"], "networks": ["192.0.2.0/24"]},
    {"repos": ["either/*"], "networks": ["192.0.2.0/24"], "tokens": ["staff"]},
    {"repos": ["both/*"], "networks": ["127.0.0.0/8"], "tokens": ["all"], "satisfy": "all"},
    {"repos": ["far/*"], "networks": ["192.0.2.0/24"], "tokens": ["all"], "satisfy": "all"},
]
REPOS = ["open/a", "pub.lic", "staff/a", "lan/a", "elsewhere/a", "either/a", "both/a", "far/a", "gated/a", "open/gated"]
COMMIT = commit_of("the only one")
TOKENS = {"": "", "alice": ALICE, "new": ALICE_NEW, "bob": BOB, "carol": CAROL, "stranger": "hf_of_somewhere_else"}


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    folder = tmp_path_factory.mktemp("access")
    store = Store(folder / "store")
    for repo in REPOS:
        store.commit(repo, COMMIT, {"config.json": b"{}", "deep/weights.bin": b"weights"})
        store.ref(repo, "main", COMMIT)
        store.api(repo)
    store.commit("staff/a", COMMIT, {"data.csv": b"1\n"}, "datasets")
    store.ref("staff/a", "main", COMMIT, "datasets")
    (store.folder("open/gated") / ".mirror" / "gated").touch()
    for view in ("open", "staff", "other"):
        store.view(view, {"file.bin": b"file"})
    with serving(store, folder / "nginx", mirror_nginx_access=ACCESS, mirror_nginx_users=USERS) as running:
        yield running


def ask(mirror: Mirror, path: str, token: str = "", method: str = "GET", **headers: str) -> Answer:
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return mirror.ask(path, method, **headers)


SEES = {
    "open/a": set(TOKENS),
    "pub.lic": set(TOKENS),
    "pubxlic": set(),
    "staff/a": {"alice", "new"},
    "lan/a": set(TOKENS),
    "elsewhere/a": set(),
    "either/a": {"alice", "new"},
    "both/a": {"alice", "new", "bob", "carol"},
    "far/a": set(),
    "gated/a": set(),
    "open/gated": {"carol"},
    "open/absent": set(),
}


@pytest.mark.parametrize("user", TOKENS)
@pytest.mark.parametrize("repo", SEES)
def test_another_case_leads_to_what_may_be_seen(mirror: Mirror, repo: str, user: str) -> None:
    for path, target in zip(addresses(repo.upper()), addresses(repo), strict=True):
        for method in ("GET", "HEAD"):
            answer = ask(mirror, path, TOKENS[user], method)
            if user in SEES[repo]:
                assert (answer.status, answer.header("Location")) == (307, target)
            else:
                check_refusal(answer, user not in ("", "stranger"), method == "GET" and "/api/" in path)


def addresses(repo: str) -> list[str]:
    paths = ("config.json", "deep/weights.bin")
    files = [f"/{repo}/resolve/{ref}/{path}" for ref in ("main", COMMIT) for path in paths]
    api = f"/api/models/{repo}"
    documents = [api, f"{api}/revision/main", f"{api}/tree/main", f"{api}/tree/main/deep?recursive=true", f"{api}/refs"]
    documents += [f"{api}/auth-check", f"{api}/commits/main", f"{api}/tree/main?cursor=x"]
    own = f"/api/mirror/v1/models/{repo}"
    documents += [own, f"{own}/resolve/main", f"{own}/resolve/{COMMIT}", f"{own}/versions/{COMMIT}"]
    return [*files, f"/{repo}/raw/main/config.json", *documents, f"{api}?blobs=true", f"{api}/revision/{COMMIT}"]


@pytest.mark.parametrize("user", TOKENS)
@pytest.mark.parametrize("repo", SEES)
def test_every_address_of_a_repository(mirror: Mirror, repo: str, user: str) -> None:
    for method in ("GET", "HEAD"):
        for path in addresses(repo):
            answer = ask(mirror, path, TOKENS[user], method)
            if user in SEES[repo]:
                assert answer.status in (200, 307), path
            else:
                has_body = method == "GET" and "/api/" in path
                check_refusal(answer, user not in ("", "stranger"), has_body)
    answer = ask(mirror, f"/api/models/{repo}/paths-info/main", TOKENS[user], "POST")
    assert (answer.status == 200) == (user in SEES[repo])


@pytest.mark.parametrize(
    "path",
    [
        "//staff/a/resolve/main/config.json",
        "/staff/a/./resolve/main/config.json",
        "/open/a/../../staff/a/resolve/main/config.json",
        "/staff/a/%72esolve/main/config.json",
        "/st%61ff%2Fa/resolve/main/config.json",
        "/staff/a/raw/main/deep/../config.json",
        "/api/models/staff%2Fa/tree/main",
        "/api/models/staff/a/tree/main/",
        "/api//models/staff/a",
        "/models/staff/../staff/file.bin",
        "/models/%73taff/file.bin",
    ],
)
def test_no_spelling_gets_round_the_rules(mirror: Mirror, path: str) -> None:
    for method in ("GET", "HEAD"):
        assert ask(mirror, path, "", method).status == 401
        assert ask(mirror, path, BOB, method).status == 404
    assert ask(mirror, path, ALICE).status == 200


@pytest.mark.parametrize("path", ["/STAFF/b/resolve/main/config.json", "/_hub/file", "/_hub/document", "/hub/staff--a"])
def test_what_is_nowhere(mirror: Mirror, path: str) -> None:
    assert ask(mirror, path, ALICE).status == 404


def check_refusal(answer: Answer, is_known: bool, has_body: bool) -> None:
    """The same whether a repository is missing or not to be seen."""
    assert answer.status == (404 if is_known else 401)
    assert answer.header("X-Error-Code") == "RepoNotFound"
    assert answer.header("WWW-Authenticate") == (None if is_known else 'Basic realm="hf-mirror"')
    assert answer.header("Location") is answer.header("X-Repo-Commit") is answer.header("ETag") is None
    assert answer.body == (b'{"error":"This mirror does not have this repository"}' if has_body else b"")


#: Every address of the configuration that is about no repository, or about all.
OTHERS = [
    "/",
    "/models",
    "/models/",
    "/models/staff/",
    "/models/staff/file.bin",
    "/api/models",
    "/api/datasets/",
    "/api/whoami-v2",
    "/api/agent-harnesses",
    "/api/mirror/v1/models",
    "/api/mirror/v1/datasets/",
    "/api/mirror/v1/resolve?repo=staff/a",
    "/api/mirror/v1/status",
    "/api/mirror/v1/openapi.json",
    "/_health/store.json",
    "/_peer/catalogue.json",
    "/_peer/node.json",
    "/_peer/pool/" + "0" * 64,
    f"/_peer/hub/models--staff--a/upstream/{COMMIT}.json",
    "/.well-known/anything",
]


def test_every_location_as_a_stranger(tmp_path: Path) -> None:
    """A location without an address here is a hole in this test; one that leads anywhere is a hole in the mirror."""
    store = Store(tmp_path / "store")
    for repo in ("staff/a", "staff/secret-name"):
        store.commit(repo, COMMIT, {"config.json": b"{}", "deep/weights.bin": b"weights"})
        store.ref(repo, "main", COMMIT)
        store.api(repo)
    (store.folder("staff/a") / ".mirror/gated").touch()
    store.view("staff", {"secret.bin": b"file"})
    for name in ("catalogue.json", "node.json", "v1/status"):
        (store.root / name).parent.mkdir(exist_ok=True)
        (store.root / name).write_text('"staff/secret-name"')
    rules = [{"repos": ["*"], "views": ["*"], "tokens": ["staff"]}, {"repos": ["staff/a"]}]
    asked = [*addresses("staff/a"), "/api/models/staff/a/paths-info/main", *OTHERS]
    settings: dict[str, Any] = {"mirror_nginx_users": USERS, "mirror_nginx_peers": ["192.0.2.1"]}
    with serving(store, tmp_path / "nginx", mirror_nginx_access=rules, **settings) as mirror:
        config = (mirror.folder / "conf.d/hf-mirror.conf").read_text(encoding="utf-8")
        locations = re.findall(r'^ *location (?:(=|~) )?"?([^@"\n]+?)"? \{', config, re.MULTILINE)
        assert len(locations) > 30
        for kind, place in locations:
            if place.startswith("/_hub/"):  # internal
                assert mirror.ask(place).status == 404
                continue
            expression = (
                re.compile(re.sub(r"\(\?<(?=\w)", "(?P<", place).replace(r"\z", r"\Z")) if kind == "~" else None
            )
            found = [one for one in asked if (expression.match(one.partition("?")[0]) if expression else one == place)]
            found += [one for one in asked if kind == "=" and one.partition("?")[0] == place]
            assert found, f"no address here is one of {place}"
        for place in asked:
            for method in ("GET", "HEAD", "POST"):
                answer = mirror.ask(place, method, Authorization=f"Bearer {CAROL}")
                told = answer.body + str(answer.headers).encode()
                assert b"secret" not in told and COMMIT.encode() not in told, place
                assert answer.status >= 300 or place in OTHERS, place


@pytest.mark.parametrize("user", TOKENS)
def test_what_is_missing_and_what_is_not_to_be_seen_look_alike(mirror: Mirror, user: str) -> None:
    for hidden, missing in (("gated/a", "gated/none"), ("open/gated", "open/none"), ("staff/a", "staff/none")):
        for path, other in zip(addresses(hidden), addresses(missing), strict=True):
            one, two = (ask(mirror, address, TOKENS[user]) for address in (path, other))
            if one.status in (401, 404):
                assert looks(one) == looks(two)


def test_a_body_that_is_too_large_does_not_tell_either(mirror: Mirror) -> None:
    for path, other in zip(addresses("open/gated"), addresses("open/none"), strict=True):
        one, two = (mirror.ask(address, body="x" * 300_000) for address in (path, other))
        assert looks(one) == looks(two)
        assert (one.status, one.body) == (413, b"")


def looks(answer: Answer) -> tuple[int, bytes, dict[str, str]]:
    return answer.status, answer.body, {k: v for k, v in answer.headers.items() if k != "Date"}


@pytest.mark.parametrize(
    ("view", "sees"), [("open", {"", "alice", "bob"}), ("staff", {"alice", "new"}), ("other", set()), ("none", set())]
)
def test_views(mirror: Mirror, view: str, sees: set[str]) -> None:
    for user, token in TOKENS.items():
        for path in (f"/models/{view}/", f"/models/{view}/file.bin", f"/models/{view}"):
            refused = ask(mirror, path, token).status in (401, 404)
            assert refused == (user not in sees and view != "open"), (path, user)
        assert ask(mirror, "/models/", token).status in (401, 404), "the names of views are for those who may see all"


def test_a_token_is_a_password_too(mirror: Mirror) -> None:
    path = f"/staff/a/resolve/{COMMIT}/config.json"
    for user, secret, status in (
        ("alice", ALICE, 200),
        ("whoever", ALICE_NEW, 200),
        ("with:colon", ALICE, 401),
        ("bob", BOB, 404),
        ("alice", "wrong", 401),
        ("alice", "", 401),
        ("alice", hashlib.sha256(ALICE.encode()).hexdigest(), 401),
    ):
        basic = base64.b64encode(f"{user}:{secret}".encode()).decode()
        assert mirror.ask(path, Authorization=f"Basic {basic}").status == status
    headers = ["Basic", "Basic !!!", "Basic YQ==", "Bearer", "Bearer ", f"Digest {ALICE}", ALICE, f"bearer {ALICE}x"]
    for header in headers:
        assert mirror.ask(path, Authorization=header).status == 401
    assert mirror.ask(path, Authorization=f"bearer {ALICE}").status == 200


def test_who_am_i(mirror: Mirror) -> None:
    assert ask(mirror, "/api/whoami-v2").status == 401
    assert ask(mirror, "/api/whoami-v2", ALICE_NEW).json["name"] == "alice"


def ids(answer: Answer) -> list[str]:
    return [entry["id"] for entry in answer.json]


@pytest.mark.parametrize("user", TOKENS)
def test_a_listing_has_what_the_caller_may_see(mirror: Mirror, user: str) -> None:
    answer = ask(mirror, "/api/models", TOKENS[user])
    assert ids(answer) == sorted(repo for repo in REPOS if user in SEES[repo])
    seen = ["staff/a"] if user in ("alice", "new") else []
    assert ids(ask(mirror, "/api/datasets", TOKENS[user])) == seen
    assert ids(ask(mirror, "/api/spaces", TOKENS[user])) == []


@pytest.mark.parametrize(
    ("rules", "seen"),
    [
        ([{"views": ["*"]}], []),
        ([{"repos": ["a/*"]}, {"views": ["*"]}], ["a/one"]),
        ([{"views": ["*"]}, {"repos": ["a/*"]}, {"views": ["x"]}, {"repos": ["*"], "tokens": ["staff"]}], ["a/one"]),
        ([], ["a/one", "b/two"]),
        ([{"repos": ["a/one"]}], ["a/one"]),
        ([{"repos": ["a/on*ne", "a/on", "/one", "b/twox*"]}], []),
        ([{"repos": ["*/o*n*"]}, {"repos": ["*wo"]}], ["a/one", "b/two"]),
        ([{"repos": ["*e*e", "*o*b*"]}, {"repos": ["b*/**t*o"]}], ["b/two"]),
        ([{"repos": ["a/*"], "tokens": ["staff"]}, {"repos": ["*"]}], ["b/two"]),
        ([{"repos": ["*"], "tokens": ["staff"]}], []),
    ],
)
def test_a_listing_goes_by_the_rules(tmp_path: Path, rules: list[dict[str, Any]], seen: list[str]) -> None:
    """Also where some are about views only."""
    store = Store(tmp_path / "store")
    for repo in ("a/one", "b/two"):
        store.commit(repo, COMMIT, {"config.json": b"{}"})
        store.ref(repo, "main", COMMIT)
    with serving(store, tmp_path / "nginx", mirror_nginx_access=rules, mirror_nginx_users=USERS) as mirror:
        assert ids(ask(mirror, "/api/models")) == seen
        found = [repo for repo in ("a/one", "b/two") if ask(mirror, f"/api/models/{repo}").status == 200]
        assert found == seen


def test_the_log_tells_who(mirror: Mirror) -> None:
    def told(path: str, token: str) -> tuple[str, str, int]:
        line = mirror.logged(path, Authorization=f"Bearer {token}") if token else mirror.logged(path)
        return line["user"], line["auth"], line["status"]

    assert told(f"/staff/a/resolve/{COMMIT}/config.json", ALICE) == ("alice", "token", 200)
    assert told(f"/lan/a/resolve/{COMMIT}/config.json", "") == ("", "network", 200)
    assert told(f"/open/a/resolve/{COMMIT}/config.json", "hf_of_somewhere_else") == ("", "", 200)
    assert told(f"/staff/a/resolve/{COMMIT}/config.json", "hf_of_somewhere_else") == ("", "", 401)
    for file in mirror.folder.glob("*"):
        text = file.read_text() if file.is_file() else ""
        assert not [token for token in (ALICE, ALICE_NEW, BOB, CAROL) if token in text], f"{file} has a token"


def test_without_users_nobody_is_asked_who_they_are(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for repo in ("lan/a", "other/a"):
        store.commit(repo, COMMIT, {"config.json": b"{}"})
        store.ref(repo, "main", COMMIT)
    rules: list[dict[str, Any]] = [{"repos": ["lan/*"], "networks": ["127.0.0.0/8"]}]
    with serving(store, tmp_path / "nginx", mirror_nginx_access=rules) as mirror:
        assert ask(mirror, "/lan/a/resolve/main/config.json", ALICE).status == 200
        for repo in ("lan/none", "other/a"):
            check_refusal(ask(mirror, f"/{repo}/resolve/main/config.json", ALICE), is_known=True, has_body=False)


# ---- What is not mirrored


def test_the_public_hub_as_spare(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for repo in ("open/a", "open/hidden"):
        store.commit(repo, COMMIT, {"config.json": b"{}"})
        store.ref(repo, "main", COMMIT)
    settings: dict[str, Any] = {
        "mirror_nginx_fallback_repos": ["open/*"],
        "mirror_nginx_fallback_endpoint": "https://hub.example",
        "mirror_nginx_access": [{"repos": ["open/hidden"], "tokens": ["staff"]}, {"repos": ["*"]}],
        "mirror_nginx_users": USERS,
    }
    with serving(store, tmp_path / "nginx", **settings) as mirror:
        for path in (
            "/open/b/resolve/main/x%20y?download=true",
            f"/open/a/resolve/{COMMIT}/no",
            "/api/models/open/b/tree/main",
        ):
            for method in ("GET", "HEAD"):
                answer = ask(mirror, path, ALICE, method)
                assert (answer.status, answer.header("Location")) == (302, f"https://hub.example{path}")
                assert answer.header("X-Repo-Commit") is None
        assert ask(mirror, "/open/a/resolve/main/config.json").status == 200
        (store.folder("open/a") / ".mirror" / "gated").touch()
        for name in ("a", "b"):  # gated, and missing
            path = f"/open/{name}/resolve/main/config.json"
            assert ask(mirror, path).header("Location") == f"https://hub.example{path}"
        assert ask(mirror, "/other/b/resolve/main/config.json").status == 401
        assert ask(mirror, "/open/hidden/resolve/main/config.json").status == 401
        line = mirror.logged("/open/hidden/resolve/main/absent")
        assert (line["status"], line["error"]) == (401, "RepoNotFound")
