# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user of huggingface_hub does, with whatever version runs this: ``hub_client.py ORDER``.

ORDER is JSON: the repositories' names, paths and commits to ask for. One JSON object is printed: an answer for each
question, or ``{"raised": ...}``, so that a version that can't do one thing still shows the others.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, Callable

from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, snapshot_download

ORDER = json.loads(sys.argv[1])
MODEL, DATASET, SPACE, OLD = ORDER["model"], ORDER["dataset"], ORDER["space"], ORDER["old"]
API = HfApi()


def sha256(file: str | Path) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def folder(root: str) -> dict[str, Any]:
    """Return a snapshot's commit and the hashes of its files."""
    files = {str(path.relative_to(root)): sha256(path) for path in Path(root).rglob("*") if path.is_file()}
    return {"commit": Path(root).name, "files": files}


def each_file() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as cache:
        return {path: sha256(hf_hub_download(MODEL, path, cache_dir=cache)) for path in ORDER["paths"]}


def each_ref() -> dict[str, Any]:
    found = {}
    for revision in [*ORDER["refs"], OLD]:
        file = Path(hf_hub_download(MODEL, "config.json", revision=revision))
        found[revision] = [file.parent.name, sha256(file)]
    return found


def whole_snapshot() -> dict[str, Any]:
    return folder(snapshot_download(MODEL))


def filtered_snapshot() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as cache:
        patterns = {"allow_patterns": ["odd/*", "*.bin"], "ignore_patterns": ["*/with space.txt"]}
        return folder(snapshot_download(MODEL, revision="v1", cache_dir=cache, **patterns))


def other_types() -> dict[str, Any]:
    return {
        "dataset": folder(snapshot_download(DATASET, repo_type="dataset")),
        "space": folder(snapshot_download(SPACE, repo_type="space")),
        "file": sha256(hf_hub_download(DATASET, "data/train.csv", repo_type="dataset")),
    }


def info() -> dict[str, Any]:
    now, old = API.model_info(MODEL), API.model_info(MODEL, revision="v1")
    data, space = API.dataset_info(DATASET), API.space_info(SPACE)
    return {
        "commits": {"main": now.sha, "v1": old.sha, "dataset": data.sha, "space": space.sha},
        "id": getattr(now, "id", None),
        "files": sorted(sibling.rfilename for sibling in now.siblings),
    }


def info_of_files() -> dict[str, Any]:
    siblings = API.model_info(MODEL, files_metadata=True).siblings
    return {s.rfilename: [s.size, s.lfs and lfs_sha256(s.lfs)] for s in siblings}


def lfs_sha256(lfs: Any) -> str:
    """It was a dictionary once."""
    found: str = lfs["sha256"] if isinstance(lfs, dict) else lfs.sha256
    return found


def entries(found: Any) -> dict[str, Any]:
    """Return sizes and hashes of files; folders have none."""
    return {e.path: [e.size, e.lfs and lfs_sha256(e.lfs)] if hasattr(e, "size") else None for e in found}


def tree() -> dict[str, Any]:
    return {
        "all": entries(API.list_repo_tree(MODEL, recursive=True)),
        "top": entries(API.list_repo_tree(MODEL)),
        "folder": entries(API.list_repo_tree(MODEL, ORDER["folder"], revision="v1")),
        "names": sorted(API.list_repo_files(MODEL, revision=OLD)),
    }


def refs() -> dict[str, Any]:
    found = API.list_repo_refs(MODEL, include_pull_requests=True)
    return {
        kind: {ref.name: ref.target_commit for ref in getattr(found, kind)}
        for kind in ("branches", "tags", "pull_requests")
    }


def file_system() -> dict[str, Any]:
    fs = HfFileSystem()
    with fs.open(f"{MODEL}/weights.bin", "rb") as file:
        file.seek(1000)
        middle = file.read(10)
    with fs.open(f"datasets/{DATASET}@v1/data/train.csv", "rb") as file:
        rows = file.read()
    return {
        "top": sorted(fs.ls(MODEL, detail=False)),
        "sizes": {entry["name"]: entry["size"] for entry in fs.ls(f"{MODEL}/odd", detail=True)},
        "config": hashlib.sha256(fs.read_bytes(f"{MODEL}@v1/config.json")).hexdigest(),
        "middle": middle.hex(),
        "rows": hashlib.sha256(rows).hexdigest(),
        "exists": [fs.exists(f"{MODEL}/{path}") for path in ("config.json", "odd", "nothing")],
    }


def file_system_glob() -> list[str]:
    return sorted(HfFileSystem().glob(f"{MODEL}/odd/*.txt"))


def file_system_details() -> dict[str, Any]:
    found = HfFileSystem().info(f"{MODEL}/weights.bin", expand_info=True)
    return {"name": found["name"], "size": found["size"], "sha256": lfs_sha256(found["lfs"])}


def paths_info() -> dict[str, Any]:
    return entries(API.get_paths_info(MODEL, [*ORDER["paths"], "nothing", "odd"]))


def list_models() -> list[str]:
    return sorted(model.id for model in API.list_models())


def list_models_of_author() -> list[str]:
    return sorted(model.id for model in API.list_models(author=MODEL.partition("/")[0]))


def list_models_filtered() -> list[list[str]]:
    asked: list[dict[str, Any]] = [{"filter": ["tiny", "en"]}, {"filter": "nothing"}, {"filter": "fill-mask"}]
    asked += [{"search": "BERT"}, {"sort": "downloads"}, {"limit": 1}]
    return [sorted(model.id for model in API.list_models(**given)) for given in asked]


def files_that_exist() -> list[bool]:
    return [API.file_exists(MODEL, path) for path in ("config.json", "odd", "nothing.txt")]


def commits() -> list[list[str]]:
    return [[one.commit_id for one in API.list_repo_commits(MODEL, revision=ref)] for ref in ("main", OLD)]


def access() -> list[str | None]:
    if not hasattr(API, "auth_check"):
        return [None, "RepositoryNotFoundError"]
    return [refusal(lambda: API.auth_check(MODEL)), refusal(lambda: API.auth_check("no/such"))]


def another_case() -> dict[str, Any]:
    other = MODEL.upper()
    with tempfile.TemporaryDirectory() as cache:
        file = sha256(hf_hub_download(other, "config.json", cache_dir=cache))
    return {"id": API.model_info(other).id, "config": file, "paths": entries(API.get_paths_info(other, "odd"))}


def errors() -> list[str | None]:
    return [
        refusal(lambda: hf_hub_download("no/such", "config.json")),
        refusal(lambda: hf_hub_download(MODEL, "config.json", revision="nothing")),
        refusal(lambda: hf_hub_download(MODEL, "nothing.txt")),
        refusal(lambda: hf_hub_download(MODEL, "nothing.txt", revision=OLD)),
        refusal(lambda: snapshot_download("no/such")),
        refusal(lambda: API.model_info("no/such")),
        refusal(lambda: API.model_info(MODEL, revision="nothing")),
        refusal(lambda: list(API.list_repo_tree(MODEL, "nothing"))),
        refusal(lambda: HfFileSystem().ls("no/such")),
    ]


def refusal(call: Callable[[], Any]) -> str | None:
    """Return the name of the kind of error; a newer version has a class below it."""
    kinds = ("RepositoryNotFoundError", "RevisionNotFoundError", "EntryNotFoundError", "FileNotFoundError")
    try:
        call()
    except Exception as error:
        names = [kind.__name__ for kind in type(error).__mro__]
        return next((kind for kind in kinds if kind in names), repr(error))
    return None


QUESTIONS: list[Callable[[], Any]] = [
    each_file,
    each_ref,
    whole_snapshot,
    filtered_snapshot,
    other_types,
    info,
    info_of_files,
    tree,
    refs,
    file_system,
    file_system_glob,
    file_system_details,
    paths_info,
    list_models,
    list_models_of_author,
    list_models_filtered,
    files_that_exist,
    commits,
    access,
    another_case,
    errors,
]


def main() -> None:
    """Ask all, print what was answered."""
    answers: dict[str, Any] = {}
    for question in QUESTIONS:
        try:
            answers[question.__name__] = question()
        except Exception:
            answers[question.__name__] = {"raised": traceback.format_exc()[-2000:]}
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
