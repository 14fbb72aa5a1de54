# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models a FaceFusion needs: the catalogue of the role, and the filter that reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.modelops.hf_mirror.plugins.filter.facefusion_pairs import FilterModule
from unit.facefusion.models import CATALOGUE

TOP = Path(__file__).parents[3]
PROCESSORS = sorted({one["processor"] for one in CATALOGUE["processors"]})
SAFETY = {
    "3.0.0": {"open_nsfw"},
    "3.1.2": {"open_nsfw"},
    "3.2.0": {"yolo_11m_nsfw"},
    "3.3.0": {"nsfw_1", "nsfw_2", "nsfw_3"},
    "3.8.1": {"nsfw_1", "nsfw_2", "nsfw_3"},
    "3.9.0": {"nsfw_1", "nsfw_2", "nsfw_3"},
}
FACES = {"2dfan4", "arcface_w600k_r50", "bisenet_resnet_34", "fairface", "fan_68_5", "xseg_1", "yoloface_8n"}
LIP_SYNCER = {"processor": "lip_syncer", "parts": [], "names": []}
LIKENESS = "facefusion/deepfacelive-models-iperov/elon_musk_224"


def pairs(*arguments: Any, catalogue: Any = CATALOGUE) -> dict[str, list[str]]:
    found = FilterModule().filters()["facefusion_pairs"](catalogue, *arguments)
    assert len({one["repo_id"] for one in found}) == len(found)
    return {one["repo_id"]: one["names"] for one in found}


def names(*arguments: Any) -> set[str]:
    return {name for found in pairs(*arguments).values() for name in found}


def test_the_face_swapper_s_22_files() -> None:
    assert pairs("3.8.1", ["face_swapper"]) == {
        "facefusion/models-3.0.0": [
            *("2dfan4", "arcface_w600k_r50", "bisenet_resnet_34", "fairface", "fan_68_5", "yoloface_8n"),
        ],
        "facefusion/models-3.1.0": ["xseg_1"],
        "facefusion/models-3.3.0": ["hyperswap_1a_256", "nsfw_1", "nsfw_2", "nsfw_3"],
    }


@pytest.mark.parametrize(
    ("version", "swapper"),
    [("3.2.0", "inswapper_128_fp16"), ("3.3.1", "inswapper_128_fp16"), ("3.5.4", "hyperswap_1a_256")],
)
def test_versions_that_load_everything_at_every_start(version: str, swapper: str) -> None:
    safety = SAFETY["3.2.0" if version == "3.2.0" else "3.3.0"]
    assert names(version, []) == safety | FACES | {"kim_vocal_2"}
    assert names(version, ["face_swapper"]) == names(version, []) | {swapper}
    assert names(version, ["frame_enhancer"]) == names(version, []) | {"span_kendata_x4"}


@pytest.mark.parametrize("version", SAFETY)
def test_the_safety_check_is_always_in(version: str) -> None:
    assert SAFETY[version] <= names(version, [])
    for processor in set(PROCESSORS) - {"background_remover", "deep_swapper"}:
        found = names(version, [processor])
        assert SAFETY[version] <= found
        assert not found & set().union(*SAFETY.values()) - SAFETY[version], "and no other version's"


def test_a_version_loads_from_repositories_that_were_there_when_it_came() -> None:
    for version in ("3.0.1", "3.1.2", "3.2.0", "3.3.2", "3.4.2", "3.5.4", "3.6.1", "3.7.1"):
        known = [one for one in PROCESSORS if not (one == "background_remover" and version < "3.5")]
        repos = pairs(version, [one for one in known if not (one == "deep_swapper" and version < "3.1")])
        assert all(repo.rpartition("-")[2] <= version for repo in repos), version


def test_the_catalogue_and_the_whitelists_say_the_same() -> None:
    for processor in PROCESSORS:
        entries = yaml.safe_load((TOP / f"whitelists/facefusion-{processor}.yml").read_text())["models_to_sync"]
        mirrored = {(entry["repo_id"], path) for entry in entries for path in entry["files"]}
        needed = {(repo, f"{name}.onnx") for repo, found in pairs("3.8.1", [processor]).items() for name in found}
        assert needed <= mirrored, processor


@pytest.mark.parametrize(
    ("name", "version", "besides"),
    [
        *(("default", version, set()) for version in ("3.6.1", "3.7.1", "3.8.1")),
        *(("all", version, set()) for version in ("3.3.2", "3.4.2", "3.5.4", "3.6.1", "3.7.1", "3.8.1")),
        ("all", "3.2.0", {"yolo_11m_nsfw"}),
        ("all", "3.1.2", {"open_nsfw"}),
        ("all", "3.0.1", {"open_nsfw", "dfl_xseg", "styleganex_age"}),
    ],
)
def test_which_versions_a_whitelist_serves(name: str, version: str, besides: set[str]) -> None:
    entries = yaml.safe_load((TOP / f"whitelists/facefusion-{name}.yml").read_text())["models_to_sync"]
    mirrored = {(entry["repo_id"], path) for entry in entries for path in entry["files"]}
    older = {"background_remover": "3.5", "deep_swapper": "3.1"}
    known = [one for one in PROCESSORS if version >= older.get(one, "3")]
    missing = {
        model
        for repo, models in pairs(version, known).items()
        for model in models
        if (repo, f"{model}.onnx") not in mirrored
    }
    assert missing == besides


def test_the_catalogue_and_the_stand_in_hub_say_the_same() -> None:
    repos = json.loads((TOP / "tests/hub/facefusion.json").read_text())["repos"]
    found = {repo: set(names) for repo, names in pairs("3.8.1", PROCESSORS, ["inswapper_128"]).items()}
    for repo, names in pairs("3.1.0", ["face_swapper"]).items():
        found[repo] |= set(names)
    assert found == {repo: set(names) for repo, names in repos.items()}


def test_every_model_of_the_catalogue_is_named_once_at_a_time() -> None:
    for version in ("3.0.0", "3.1.0", "3.2.0", "3.3.0", "3.4.0", "3.5.0", "3.6.0", "3.8.1"):
        listed = [
            name
            for one in CATALOGUE["models"]
            if one.get("since", "0") <= version < one.get("before", "9")
            for name in one["names"]
        ]
        assert len(listed) == len(set(listed))
        assert names(version, [], listed) >= set(listed)
    assert "deepfacelive" not in json.dumps(CATALOGUE)


def test_models_by_name_come_with_those_that_facefusion_loads_with_them() -> None:
    assert names("3.8.1", [], ["simswap_256"]) >= {"simswap_256", "crossface_simswap"}
    assert names("3.3.0", [], ["simswap_256"]) >= {"simswap_256", "arcface_converter_simswap"}
    assert pairs("3.8.1", [], ["example/own/model"])["example/own"] == ["model"]


def test_a_likeness_comes_only_by_its_name() -> None:
    everything = [name for one in CATALOGUE["models"] for name in one["names"] if "before" not in one]
    assert not [repo for repo in pairs("3.8.1", PROCESSORS, everything) if "deepfacelive" in repo]
    assert pairs("3.8.1", ["deep_swapper"], [LIKENESS])["facefusion/deepfacelive-models-iperov"] == ["elon_musk_224"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("3.8.1", ["face_swaper"]), r"has no processor face_swaper\. It has age_modifier, .*, lip_syncer"),
        (("3.4.0", ["background_remover"]), "FaceFusion 3.4.0 has no processor background_remover"),
        (("3.8.1", [], ["nope"]), r"loads no model 'nope'\. Use one of 2dfan4, .* and for each likeness"),
        (("3.8.1", [], ["open_nsfw"]), "FaceFusion 3.8.1 loads no model 'open_nsfw'"),
        (("3.8.1", [], ["elon_musk_224"]), "and for each likeness"),
        (("3.8.1", [], ["iperov/elon_musk_224"]), "not of the form ORG/NAME"),
        (("3.8.1", [], ["facefusion/deepfacelive-models-iperov/*"]), "patterns and folders are not possible"),
        (("3.8.1", [], ["facefusion/models-3.0.0/nope"]), "loads no model 'facefusion/models-3.0.0/nope'"),
        (("3.8.1", [], ["facefusion/models-3.1.0/2dfan4"]), "loads no model 'facefusion/models-3.1.0/2dfan4'"),
        (("3.8.1", "face_swapper"), "processors must be a list"),
        (("main", ["face_swapper"]), "'main' is no version of FaceFusion such as 3.8.1"),
        (("2.6.1", ["face_swapper"]), "knows nothing of FaceFusion 2.6.1"),
    ],
)
def test_what_is_refused(arguments: tuple[Any, ...], says: str) -> None:
    with pytest.raises(AnsibleFilterError, match=says):
        pairs(*arguments)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        *[({kind: None}, f"no {kind}$") for kind in ("models", "companions", "parts", "common", "processors")],
        ({"parts": [{"part": "face_detector"}]}, "no names in an entry of parts: {'part': 'face_detector'}"),
        ({"processors": [{**LIP_SYNCER, "parts": None}]}, "TypeError"),
        ({"processors": [{**LIP_SYNCER, "parts": ["nose"]}]}, "no part nose for FaceFusion 3.8.1"),
        ({"models": ["face"]}, "no repo_id in an entry of models: face"),
    ],
)
def test_a_catalogue_that_is_none(spoil: dict[str, Any], says: str) -> None:
    catalogue = {kind: found for kind, found in {**CATALOGUE, **spoil}.items() if found is not None}
    with pytest.raises(AnsibleFilterError, match=f"can't be understood: {says}"):
        pairs("3.8.1", ["lip_syncer"], catalogue=catalogue)
