# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run leaves in FaceFusion's folder, and what it says."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.fetch import Fetcher
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.plan import Fetch
from mirror_server import Server
from unit.facefusion.models import (
    BROKEN,
    FACE_SWAPPER,
    LARGE,
    LARGE_SIZE,
    NOBODY,
    SAFETY,
    SWAPPER,
    Models,
    accepts,
    visible,
)

from hub.process import HubProcess

Run = Callable[..., dict[str, Any]]
Start = Callable[..., subprocess.Popen[str]]


def asked(mirror: Server) -> list[str]:
    """Return what the mirror was asked for. nginx logs a request when it is over: the last one here is our own."""
    with urllib.request.urlopen(f"{mirror.url}/api/models?limit=1", timeout=10) as answer:
        answer.read()
    deadline = time.monotonic() + 60
    while True:
        lines = [json.loads(line) for line in mirror.accesses()]
        if lines and lines[-1]["user_agent"].startswith("Python-urllib"):
            return [line["uri"] for line in lines if not line["user_agent"].startswith("Python-urllib")]
        assert time.monotonic() < deadline, "nginx logged nothing"
        time.sleep(0.01)  # between two looks at the log


def test_all_that_a_start_needs(place: Run, mirror: Server, folder: Path, models: Models) -> None:
    answer = place(*FACE_SWAPPER)
    assert answer["changed"] and not answer.get("failed") and not answer["failures"]
    assert len(answer["placed"]) == 22 and not answer["repaired"] and "missing" not in answer
    assert set(answer["placed"]) == visible(folder) == set(answer["sources"])
    assert set(answer["sources"].values()) == {mirror.url}
    assert answer["bytes"] == sum((folder / name).stat().st_size for name in answer["placed"])
    assert answer["commits"] == {model["repo_id"]: models.commits[model["repo_id"]] for model in FACE_SWAPPER}
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*.*")} == {0o644}
    models.check(folder, *FACE_SWAPPER)
    assert not list(folder.rglob(".*.part"))


def test_again_asks_for_commits_and_listings_only(place: Run, mirror: Server, models: Models) -> None:
    place(*FACE_SWAPPER)
    before = asked(mirror)
    answer = place(*FACE_SWAPPER)
    assert not answer["changed"] and answer["placed"] == answer["repaired"] == [] and answer["bytes"] == 0
    assert answer["diff"] == {"before": "", "after": ""}
    repos = [model["repo_id"] for model in FACE_SWAPPER]
    expected = [f"/api/models/{repo}/revision/main" for repo in repos]
    expected += [f"/api/models/{repo}/tree/{models.commits[repo]}?recursive=true" for repo in repos]
    assert sorted(asked(mirror)[len(before) :]) == sorted(expected)


def test_each_repository_is_asked_for_its_commit_once(place: Run, mirror: Server) -> None:
    place(*FACE_SWAPPER, SAFETY)
    uris = asked(mirror)
    assert len([uri for uri in uris if "/revision/" in uri]) == len(FACE_SWAPPER)
    assert not [uri for uri in uris if "/resolve/main/" in uri], "files are fetched from the commit"


def test_a_commit_instead_of_a_branch(place: Run, mirror: Server, folder: Path, models: Models) -> None:
    assert place(SWAPPER, revision=models.commits[SWAPPER["repo_id"]])["changed"]
    models.check(folder, SWAPPER)
    assert not [uri for uri in asked(mirror) if "/revision/" in uri]


def test_what_nobody_touched_is_not_hashed_again_and_what_somebody_did_is(
    place: Run, folder: Path, models: Models
) -> None:
    place(SWAPPER)
    model, record = folder / "inswapper_128.onnx", folder / ".hf-mirror.json"
    kept = record.read_bytes()
    noted = json.loads(kept)
    noted["seen"][model.name][-1] ^= 1
    record.write_text(json.dumps(noted))
    assert "but differ" in place(SWAPPER)["msg"], "what was noted is believed"
    record.write_bytes(kept)
    status = model.stat()
    with model.open("rb+") as content:
        content.write(b"rot")
    os.utime(model, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert place(SWAPPER)["repaired"] == ["inswapper_128.onnx"], "its time was set back"
    models.check(folder, SWAPPER)


def test_a_new_version_replaces_both_files_of_a_pair(run: Run, hub: HubProcess, folder: Path) -> None:
    swapper = {"repo_id": "facefusion/models-3.3.0", "names": ["hyperswap_1a_256"]}
    run(swapper, endpoint=hub.url)
    before = {path: path.read_bytes() for path in folder.glob("hyperswap*")}
    answer = run(swapper, endpoint=hub.url, revision="refs/pr/1")
    assert answer["repaired"] == ["hyperswap_1a_256.hash", "hyperswap_1a_256.onnx"]
    assert not set(before.values()) & {path.read_bytes() for path in before}
    assert accepts(folder / "hyperswap_1a_256.onnx")


def test_models_that_somebody_else_put_there_are_taken_as_they_are(
    place: Run, mirror: Server, folder: Path, models: Models
) -> None:
    place(SWAPPER)
    (folder / ".hf-mirror.json").unlink()
    before = len(asked(mirror))
    assert not place(SWAPPER)["changed"]
    assert not [uri for uri in asked(mirror)[before:] if "/resolve/" in uri]
    (folder / ".hf-mirror.json").write_text("{ not JSON")
    assert not place(SWAPPER)["changed"]
    models.check(folder, SWAPPER)


@pytest.mark.parametrize(
    "poison", [b"<html>502 Bad Gateway</html>", b"", b"{hash}\n", b"00000000", b"{HASH}"], ids=repr
)
def test_a_poisoned_hash_is_fetched_again(
    place: Run, mirror: Server, folder: Path, models: Models, poison: bytes
) -> None:
    place(SWAPPER, SAFETY)
    good = (folder / "inswapper_128.hash").read_bytes()
    bad = poison.replace(b"{hash}", good).replace(b"{HASH}", good.upper())
    (folder / "inswapper_128.hash").write_bytes(bad)
    assert not accepts(folder / "inswapper_128.onnx")
    before = len(asked(mirror))
    answer = place(SWAPPER, SAFETY)
    assert answer["repaired"] == ["inswapper_128.hash"] and not answer["placed"]
    assert len([uri for uri in asked(mirror)[before:] if "/resolve/" in uri]) == 1, "the model is not fetched"
    models.check(folder, SWAPPER, SAFETY)


def test_a_wrong_model_with_a_hash_that_fits_it(place: Run, folder: Path, models: Models) -> None:
    folder.mkdir(parents=True)
    (folder / "inswapper_128.onnx").write_bytes(b"123456789")
    (folder / "inswapper_128.hash").write_bytes(b"cbf43926")
    assert accepts(folder / "inswapper_128.onnx")
    assert place(SWAPPER)["repaired"] == ["inswapper_128.hash", "inswapper_128.onnx"]
    models.check(folder, SWAPPER)


def test_a_model_that_is_a_link_is_replaced_where_the_link_is(place: Run, folder: Path, models: Models) -> None:
    folder.mkdir(parents=True)
    shared = folder.parent / "shared.onnx"
    shared.write_bytes(b"somebody else's")
    (folder / "inswapper_128.onnx").symlink_to(shared)
    assert place(SWAPPER)["repaired"] == ["inswapper_128.onnx"]
    assert shared.read_bytes() == b"somebody else's"
    models.check(folder, SWAPPER)


def test_nothing_that_was_not_asked_for_is_touched(place: Run, folder: Path) -> None:
    foreign = {"custom/mine.dfm": b"1", "inswapper_128_fp16.onnx": b"2", "nsfw_1.hash": b"bad", ".hidden.part": b"4"}
    for name, content in foreign.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    place(SWAPPER)
    place(LARGE)
    assert {name: (folder / name).read_bytes() for name in foreign} == foreign
    assert {"inswapper_128.onnx", "large.onnx"} < visible(folder)


def test_check_mode_tells_the_truth_and_writes_nothing(place: Run, folder: Path) -> None:
    told = place(SWAPPER, SAFETY, check=True)
    assert not folder.exists()
    names = sorted(f"{name}{suffix}" for name in SWAPPER["names"] + SAFETY["names"] for suffix in (".hash", ".onnx"))
    assert told["changed"] and told["missing"] == sorted(told["placed"]) == names
    done = place(SWAPPER, SAFETY)
    told_of, done_of = ({name: one[name] for name in ("placed", "bytes", "commits")} for one in (told, done))
    assert told_of == {**done_of, "placed": told["placed"]} and sorted(told["placed"]) == done["placed"]
    assert sorted(told["diff"]["after"].splitlines()) == sorted(done["diff"]["after"].splitlines())

    (folder / "nsfw_1.hash").write_bytes(b"<html>")
    (folder / "nsfw_2.onnx").unlink()
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    told = place(SWAPPER, SAFETY, check=True)
    assert (told["repaired"], told["placed"]) == (["nsfw_1.hash"], ["nsfw_2.onnx"])
    assert told["missing"] == ["nsfw_1.hash", "nsfw_2.onnx"]
    assert "nsfw_1.hash is wrong\n" in told["diff"]["before"]
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()} == before
    place(SWAPPER, SAFETY)
    assert not place(SWAPPER, SAFETY, check=True)["changed"]


def test_a_likeness_goes_where_facefusion_looks_for_it(place: Run, folder: Path) -> None:
    assert place(NOBODY)["placed"] == ["example/nobody_224.dfm", "example/nobody_224.hash"]
    assert accepts(folder / "example/nobody_224.dfm")
    assert not place(NOBODY)["changed"]


@pytest.mark.parametrize("check", [False, True])
def test_a_pair_of_the_mirror_that_does_not_fit_is_refused(
    place: Run, folder: Path, models: Models, check: bool
) -> None:
    answer = place(BROKEN, check=check)
    if check:
        assert set(answer["failures"]) == {"example/broken/newline"}, "nobody can know more before the files are there"
        return
    assert answer["failed"] and answer["placed"] == ["fine.hash", "fine.onnx"]
    assert set(answer["failures"]) == {"example/broken/newline", "example/broken/other"}
    commit = models.commits["example/broken"][:12]
    assert f"newline.hash of example/broken@{commit} has 9 bytes" in answer["failures"]["example/broken/newline"]
    assert f"other.hash and other.onnx of example/broken@{commit}" in answer["failures"]["example/broken/other"]
    assert visible(folder) == {"fine.hash", "fine.onnx"} and not list(folder.glob(".*.part"))


def test_a_model_that_somebody_changes_after_it_has_arrived(
    place: Run, folder: Path, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = Fetcher.fetch

    def fetch_and_spoil(fetcher: Fetcher, action: Fetch, part: Path) -> None:
        fetch(fetcher, action, part)
        part.write_bytes(bytes(part.stat().st_size))

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Fetcher, "fetch", fetch_and_spoil)
        answer = place(SWAPPER)
    assert answer["failed"] and "was changed after the download: run this again" in answer["msg"]
    assert place(SWAPPER)["changed"]
    models.check(folder, SWAPPER)


def test_a_pair_that_does_not_fit_is_fetched_once(place: Run, mirror: Server, folder: Path) -> None:
    other = {**BROKEN, "names": ["other"]}
    first = place(other)
    assert "The fault is in example/broken: tell its owner" in first["msg"]
    before = len(asked(mirror))
    for check in (False, True):
        assert place(other, check=check)["failures"] == first["failures"]
    assert not [uri for uri in asked(mirror)[before:] if "/resolve/" in uri]
    record = folder / ".hf-mirror.json"
    noted = json.loads(record.read_text())
    noted["unfit"] = {name.replace("other ", "other 0"): text for name, text in noted["unfit"].items()}
    record.write_text(json.dumps(noted))
    assert place(other)["failed"]
    assert len([uri for uri in asked(mirror)[before:] if "/resolve/" in uri]) == 2, "other files are another matter"


def test_a_pair_of_the_mirror_that_does_not_fit_and_is_there_already(place: Run, store: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for path in (store / "hub/models--example--broken/snapshots").glob("*/other.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    answer = place({**BROKEN, "names": ["other"]}, check=True)
    assert answer["failed"] and "but differ" in answer["msg"]


def test_what_the_mirror_does_not_have(place: Run, mirror: Server, folder: Path) -> None:
    answer = place(SWAPPER, {"repo_id": "facefusion/models-3.3.0", "names": ["nsfw_9"]})
    assert answer["failed"] and "does not have nsfw_9.hash and nsfw_9.onnx of facefusion/models-3.3.0@" in answer["msg"]
    assert visible(folder) == {"inswapper_128.onnx", "inswapper_128.hash"}, "the others are placed all the same"
    answer = place({"repo_id": "facefusion/models-9.9.9", "names": ["future"]})
    assert answer["failed"] and f"{mirror.url} does not have facefusion/models-9.9.9@main" in answer["msg"]
    assert "whitelist" in answer["msg"]


def test_two_at_once(start: Start, mirror: Server, folder: Path, models: Models) -> None:
    wanted = [*FACE_SWAPPER, LARGE]
    both = [start(*wanted, endpoint=mirror.url) for _number in range(2)]
    answers = [json.loads(module.communicate(timeout=120)[0]) for module in both]
    assert not any(answer.get("failed") for answer in answers), answers
    assert sorted(answer["changed"] for answer in answers) == [False, True], "one of them waited and found all there"
    models.check(folder, *wanted)


def test_a_run_that_was_killed_is_gone_on_with(
    start: Start, run: Run, hub: HubProcess, folder: Path, models: Models
) -> None:
    hub.control("bandwidth", {"repo_id": LARGE["repo_id"], "bytes_per_second": 4 << 20})
    module = start(LARGE, endpoint=hub.url)
    deadline = time.monotonic() + 60
    while not any(part.stat().st_size > LARGE_SIZE // 2 for part in folder.glob(".large.onnx.*.part")):
        assert module.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)  # between two looks at the file
    module.kill()
    module.wait()
    assert visible(folder) <= {"large.hash"}, "what is not whole has no name"
    hub.control("reset", {})
    answer = run(LARGE, endpoint=hub.url)
    assert "large.onnx" in answer["placed"]
    models.check(folder, LARGE)
    sent = sum(entry["body_bytes"] for entry in hub.control("requests")["last"] if "large" in entry["target"])
    assert sent < LARGE_SIZE * 3 // 4, "it did not start over"
    assert not list(folder.glob(".*.part"))


def test_a_part_of_an_older_content_is_cleared_away(place: Run, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / f".inswapper_128.onnx.{'a' * 16}.part").write_bytes(b"older")
    place(SWAPPER)
    assert not list(folder.glob(".*.part"))
