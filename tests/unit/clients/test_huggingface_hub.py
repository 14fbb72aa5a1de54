# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""huggingface_hub, unmodified, against the mirror: three versions, or with TEST_PROFILE=full one of each age."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from unit.clients.mirror import PROGRAMS, Mirror, Published
from unit.clients.profile import FULL
from unit.clients.repositories import BERT, DATASET, FACEFUSION, MODEL, SPACE
from unit.conftest import VENVS

from hub import venvs

VERSIONS = ["0.36.2", "1.33.0", "2.4.0"]
if FULL:
    VERSIONS = ["0.20.3", "0.26.5", "0.30.2", "0.36.2", "1.0.1", "1.17.0", "1.33.0", "2.4.0"]
#: What a version needs and does not ask for: 1.0's command imports click, which today's typer no longer brings.
BESIDES = {"1.0.1": ["click==8.3.1"]}
REFS = ["main", "v1", "next", "refs/pr/1"]


@dataclass
class Client:
    """A version, what it answered to each question, and where its cache and its command are."""

    version: tuple[int, ...]
    answers: dict[str, Any]
    home: Path
    bin: Path

    def __getitem__(self, question: str) -> Any:
        answer = self.answers[question]
        assert not isinstance(answer, dict) or "raised" not in answer, answer["raised"]
        return answer

    @property
    def command(self) -> Path:
        return self.bin / ("hf" if self.version >= (1,) else "huggingface-cli")


@pytest.fixture(scope="module", params=VERSIONS)
def client(request: pytest.FixtureRequest, mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Client:
    version = request.param
    besides = BESIDES.get(version, [])
    python = venvs.install(VENVS / f"huggingface_hub-{version}", f"huggingface_hub=={version}", *besides)
    home = tmp_path_factory.mktemp("home")
    # 1.0's command asks PyPI for a newer version once a day, and can't be told not to.
    (home / "hf").mkdir()
    (home / "hf" / ".check_for_update_done").touch()
    odd = mirror.repos[MODEL]
    order = {
        **{"model": MODEL, "dataset": DATASET, "space": SPACE, "folder": "模型", "refs": REFS},
        **{"old": odd.commits["v1"], "paths": sorted(odd.sha256())},
    }
    answers = mirror.json(home, python, PROGRAMS / "hub_client.py", json.dumps(order))
    return Client(tuple(map(int, version.split("."))), answers, home, python.parent)


def test_each_file_of_main(client: Client, odd: Published) -> None:
    assert client["each_file"] == odd.sha256()


def test_each_ref(client: Client, odd: Published) -> None:
    expected = {ref: [odd.commits[ref], odd.sha256(ref)["config.json"]] for ref in REFS}
    assert client["each_ref"] == {**expected, odd.commits["v1"]: expected["v1"]}


def test_snapshots(client: Client, odd: Published) -> None:
    assert client["whole_snapshot"] == {"commit": odd.commits["main"], "files": odd.sha256()}
    wanted = {
        path: digest
        for path, digest in odd.sha256("v1").items()
        if path.endswith(".bin") or (path.startswith("odd/") and path != "odd/with space.txt")
    }
    assert client["filtered_snapshot"] == {"commit": odd.commits["v1"], "files": wanted}


def test_datasets_and_spaces(client: Client, mirror: Mirror) -> None:
    rows, page = mirror.repos[DATASET], mirror.repos[SPACE]
    assert client["other_types"] == {
        "dataset": {"commit": rows.commits["main"], "files": rows.sha256()},
        "space": {"commit": page.commits["main"], "files": page.sha256()},
        "file": rows.sha256()["data/train.csv"],
    }


def test_info(client: Client, mirror: Mirror, odd: Published) -> None:
    commits = {"dataset": mirror.repos[DATASET].commits["main"], "space": mirror.repos[SPACE].commits["main"]}
    assert client["info"] == {
        "commits": {**commits, "main": odd.commits["main"], "v1": odd.commits["v1"]},
        "id": MODEL,
        "files": sorted(odd.sha256()),
    }
    assert client["info_of_files"] == odd.listed()


def test_tree(client: Client, odd: Published) -> None:
    answer = client["tree"]
    assert files(answer["all"]) == odd.listed()
    assert {path for path, entry in answer["all"].items() if entry is None} == folders(odd)
    assert answer["top"].keys() == {path.partition("/")[0] for path in odd.listed()}
    assert answer["folder"] == {path: entry for path, entry in odd.listed("v1").items() if path.startswith("模型/")}
    assert answer["names"] == sorted(odd.listed("v1"))


def files(entries: dict[str, Any]) -> dict[str, Any]:
    return {path: entry for path, entry in entries.items() if entry is not None}


def folders(repo: Published) -> set[str]:
    return {str(parent) for path in repo.listed() for parent in list(Path(path).parents)[:-1]}


def test_refs(client: Client, odd: Published) -> None:
    # The store does not know which of its names are tags.
    assert client["refs"] == {
        "branches": {ref: odd.commits[ref] for ref in ("main", "next", "v1")},
        "tags": {},
        "pull_requests": {"1": odd.commits["refs/pr/1"]},
    }


def test_file_system(client: Client, mirror: Mirror, odd: Published) -> None:
    answer = client["file_system"]
    listed = odd.listed()
    assert answer["top"] == sorted({f"{MODEL}/{path.partition('/')[0]}" for path in listed})
    assert answer["sizes"] == {
        f"{MODEL}/{path}": size for path, (size, _id) in listed.items() if path.startswith("odd/")
    }
    assert answer["config"] == odd.sha256("v1")["config.json"]
    assert answer["rows"] == mirror.repos[DATASET].sha256("v1")["data/train.csv"]
    assert answer["exists"] == [True, True, False]
    snapshot = client.home / "hf/hub/models--clients--odd/snapshots" / odd.commits["main"]
    assert bytes.fromhex(answer["middle"]) == (snapshot / "weights.bin").read_bytes()[1000:1010]


def test_file_system_glob(client: Client, odd: Published) -> None:
    expected = sorted(f"{MODEL}/{path}" for path in odd.listed() if fnmatch(path, "odd/*.txt"))
    assert client["file_system_glob"] == expected


def test_file_system_details(client: Client, odd: Published) -> None:
    size, digest = odd.listed()["weights.bin"]
    assert client["file_system_details"] == {"name": f"{MODEL}/weights.bin", "size": size, "sha256": digest}


def test_paths_info(client: Client, odd: Published) -> None:
    assert client["paths_info"] == {**odd.listed(), "odd": None}


def test_list_models(client: Client) -> None:
    assert client["list_models"] == sorted([MODEL, BERT, FACEFUSION])
    assert client["list_models_of_author"] == sorted([MODEL, BERT])


def test_list_models_filtered(client: Client) -> None:
    tagged, nothing, task, found, by_downloads, first = client["list_models_filtered"]
    assert (tagged, nothing, task, found) == ([BERT], [], [BERT], [BERT])
    assert by_downloads == client["list_models"] and first == client["list_models"][:1]


def test_files_that_exist(client: Client) -> None:
    assert client["files_that_exist"] == [True, False, False]


def test_commits(client: Client, odd: Published) -> None:
    assert client["commits"] == [[odd.commits["main"]], [odd.commits["v1"]]]


def test_access(client: Client) -> None:
    assert client["access"] == [None, "RepositoryNotFoundError"]


def test_another_case(client: Client, odd: Published) -> None:
    assert client["another_case"] == {"id": MODEL, "config": odd.sha256()["config.json"], "paths": {"odd": None}}


def test_errors(client: Client) -> None:
    repo, revision, entry = "RepositoryNotFoundError", "RevisionNotFoundError", "EntryNotFoundError"
    expected = [repo, revision, entry, entry, repo, repo, revision, entry, "FileNotFoundError"]
    assert client["errors"] == expected
    assert not list(client.home.rglob(".no_exist")), "what is absent must not be remembered"


def test_command(client: Client, mirror: Mirror, odd: Published) -> None:
    target = client.home / "download"
    options = ["--revision", "v1", "--include", "odd/*", "--local-dir", target]
    mirror.run(client.home, client.command, "download", MODEL, *options)
    got = {str(path.relative_to(target)): path for path in target.rglob("*") if path.is_file()}
    got = {path: file for path, file in got.items() if not path.startswith((".cache/", ".huggingface/"))}
    expected = {path: digest for path, digest in odd.sha256("v1").items() if path.startswith("odd/")}
    assert {path: sha256(file.read_bytes()).hexdigest() for path, file in got.items()} == expected


def test_verify(client: Client, mirror: Mirror, odd: Published) -> None:
    if client.version < (1, 1):
        pytest.skip("hf cache verify came with 1.1")
    all_of_it = ["--fail-on-missing-files", "--fail-on-extra-files"]
    mirror.run(client.home, client.command, "download", MODEL)
    verify = [client.command, "cache", "verify", MODEL, *all_of_it]
    said = mirror.run(client.home, *verify)
    assert str(len(odd.sha256())) in said and odd.commits["main"] in said
