# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whitelists that the collection ships: accepted, safe, and complete as FaceFusion asks for its models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.wanted import Wanted
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist_files import read_entries, read_folder
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist_folder import join_files

TOP = Path(__file__).parents[2]
FOLDER = TOP / "whitelists"
ALL = {path.stem: path for path in sorted(FOLDER.glob("*.yml"))}
FACEFUSION = [name for name in ALL if name.startswith("facefusion-")]
OTHERS = [name for name in ALL if name not in FACEFUSION]
PROCESSORS = {
    *("age_modifier", "background_remover", "deep_swapper", "expression_restorer", "face_debugger", "face_editor"),
    *("face_enhancer", "face_swapper", "frame_colorizer", "frame_enhancer", "lip_syncer"),
}
#: Named as PyTorch names its pickles, and none: CTranslate2's and GGML's formats.
NO_PICKLES = {"model.bin", "ggml-large-v3-turbo-q5_0.bin"}
PICKLES = ["pytorch_model.bin", "unet/diffusion_pytorch_model.bin", "original/consolidated.00.pth", "a.pt", "a.ckpt"]


def wanted(name: str) -> list[Wanted]:
    return parse(read_entries(ALL[name]))


def files(name: str) -> set[tuple[str, str]]:
    return {(one.repo_id, path) for one in wanted(name) for path in one.files or ()}


def test_there_is_a_list_for_each_processor_and_for_each_kind_of_model() -> None:
    assert {name.partition("-")[2] for name in FACEFUSION} == PROCESSORS | {"all", "default"}
    assert OTHERS == ["article", "gated", "quantized-llms", "stable-diffusion-lora", "whisper"]
    page = (FOLDER / "README.md").read_text()
    assert not [name for name in [*OTHERS, "facefusion-all", "facefusion-default"] if f"`{name}.yml`" not in page]


@pytest.mark.parametrize("name", ALL)
def test_it_is_accepted_alone(name: str) -> None:
    assert wanted(name)
    # so that it can be given to Ansible as it is
    assert ALL[name].read_text().startswith("---\n#")
    assert "\nmodels_to_sync:\n" in ALL[name].read_text()


@pytest.mark.parametrize("name", FACEFUSION)
def test_all_others_and_one_of_facefusion_s_make_a_folder(name: str, tmp_path: Path) -> None:
    for one in [*OTHERS, name]:
        (tmp_path / f"{one}.yml").symlink_to(ALL[one])
    together = join_files(read_folder(tmp_path), {}, {})
    assert not together.problems
    in_views = [(view, Path(path).name) for one in together.wanted for view in one.views for path in one.files or ()]
    assert len(in_views) == len(set(in_views)) > 0


def test_two_of_facefusion_s_are_refused_as_the_page_says(tmp_path: Path) -> None:
    for one in ("facefusion-face_swapper", "facefusion-face_enhancer"):
        (tmp_path / f"{one}.yml").symlink_to(ALL[one])
    (name, problem), *others = join_files(read_folder(tmp_path), {}, {}).problems.items()
    assert name == "facefusion-face_swapper.yml" and not others
    assert "(facefusion/models-3.0.0@main): facefusion-face_enhancer.yml has it with other files or settings" in problem


@pytest.mark.parametrize("name", ALL)
def test_no_likeness_of_a_person_is_on_it(name: str) -> None:
    assert "deepfacelive" not in ALL[name].read_text().lower()


@pytest.mark.parametrize("name", FACEFUSION)
def test_each_model_has_its_hash_and_the_safety_check_is_there(name: str) -> None:
    found = files(name)
    assert {(repo, Path(path).suffix) for repo, path in found} == {
        (one.repo_id, suffix) for one in wanted(name) for suffix in (".onnx", ".hash")
    }
    assert {(repo, path[:-5]) for repo, path in found if path.endswith(".onnx")} == {
        (repo, path[:-5]) for repo, path in found if path.endswith(".hash")
    }
    assert {("facefusion/models-3.3.0", f"nsfw_{number}.onnx") for number in (1, 2, 3)} <= found
    assert {one.views for one in wanted(name)} == {("facefusion",)}
    assert found <= files("facefusion-all")


def test_facefusion_s_default_set_is_what_the_stand_in_hub_has() -> None:
    repos: dict[str, list[str]] = json.loads((TOP / "tests/hub/facefusion.json").read_text())["repos"]
    stand_in = {
        (repo, model + suffix) for repo, models in repos.items() for model in models for suffix in (".onnx", ".hash")
    }
    others = {"inswapper_128", "inswapper_128_fp16", "open_nsfw"}  # the last two are 3.1's
    assert files("facefusion-default") == {(repo, path) for repo, path in stand_in if Path(path).stem not in others}


def test_a_processor_that_looks_at_faces_gets_their_models_and_the_rest_does_not() -> None:
    faces = {"yoloface_8n", "2dfan4", "fan_68_5", "fairface", "arcface_w600k_r50", "xseg_1", "bisenet_resnet_34"}
    for processor in PROCESSORS:
        models = {Path(path).stem for _repo, path in files(f"facefusion-{processor}")}
        expected = set() if processor in ("background_remover", "frame_colorizer", "frame_enhancer") else faces
        assert models & faces == expected, processor


def test_a_processor_s_list_holds_all_its_models() -> None:
    per_processor = set().union(*(files(f"facefusion-{processor}") for processor in PROCESSORS))
    choices = {"retinaface_10g", "scrfd_2.5g", "yunet_2023_mar", "peppa_wutz", "xseg_2", "xseg_3", "bisenet_resnet_18"}
    assert {Path(path).stem for _repo, path in files("facefusion-all") - per_processor} == choices


@pytest.mark.parametrize("name", OTHERS)
def test_no_pickle_is_on_it(name: str) -> None:
    for one in wanted(name):
        assert one.files or one.allow_patterns, one
        named = {Path(path).name for path in one.files or ()} - NO_PICKLES
        assert not {Path(path).suffix for path in named} & {".bin", ".pt", ".pth", ".ckpt", ".pkl"}, one
        if one.allow_patterns:
            with pytest.raises(MirrorError, match="nothing in"):
                one.select(PICKLES)


def test_what_is_gated_names_a_token_and_nothing_else_does() -> None:
    for name in ALL:
        assert all(bool(one.token) == (name == "gated") for one in wanted(name)), name
