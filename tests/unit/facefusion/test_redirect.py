# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror comes first in FaceFusion's choices, and FaceFusion starts whatever these are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from unit.facefusion.environment import FaceFusion

MIRROR = "https://mirror.example.com:8443"
SHOW = """
import json, sys
from facefusion import choices
print(json.dumps([choices.download_providers, {k: v["urls"] for k, v in choices.download_provider_set.items()}]))
"""
HUB, GITHUB = ["http://127.0.0.1:9", "http://10.89.78.10"], ["http://127.0.0.1:9"]


@pytest.fixture
def facefusion(tmp_path: Path) -> FaceFusion:
    return FaceFusion(tmp_path, "hf_mirror_redirect")


def choices(facefusion: FaceFusion, **environment: str) -> list[Any]:
    said, complained = facefusion.run(SHOW, **environment)
    assert complained == ""
    return list(json.loads(said))


def test_without_its_variable_nothing_is_changed(facefusion: FaceFusion) -> None:
    assert choices(facefusion) == [["github", "huggingface"], {"github": GITHUB, "huggingface": HUB}]
    assert choices(facefusion, FACEFUSION_MIRROR="", FACEFUSION_PUBLIC_FALLBACK="0")[1]["github"] == GITHUB


@pytest.mark.parametrize("address", [MIRROR, f"{MIRROR}/"])
def test_the_mirror_comes_first_and_the_public_sources_behind_it(facefusion: FaceFusion, address: str) -> None:
    assert choices(facefusion, FACEFUSION_MIRROR=address) == [
        ["huggingface", "github"],
        {"github": GITHUB, "huggingface": [MIRROR, *HUB]},
    ]


def test_a_mirror_that_is_among_them_already_is_there_once(facefusion: FaceFusion) -> None:
    assert choices(facefusion, FACEFUSION_MIRROR=HUB[1])[1]["huggingface"] == [HUB[1], HUB[0]]


def test_without_the_public_the_mirror_is_alone(facefusion: FaceFusion) -> None:
    found = choices(facefusion, FACEFUSION_MIRROR=MIRROR, FACEFUSION_PUBLIC_FALLBACK="0")
    assert found == [["huggingface", "github"], {"github": [], "huggingface": [MIRROR]}]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "download_provider_set = None\n",
        "download_provider_set = {'huggingface': {'url': 'https://huggingface.co'}}\ndownload_providers = []\n",
        "download_provider_set = {'huggingface': {'urls': ('https://huggingface.co',)}}\ndownload_providers = []\n",
    ],
)
def test_it_starts_with_choices_of_another_kind(facefusion: FaceFusion, source: str) -> None:
    (facefusion.tree / "facefusion" / "choices.py").write_text(source, encoding="utf-8")
    said, complained = facefusion.run("import facefusion.choices; print('here')", FACEFUSION_MIRROR=MIRROR)
    assert said == "here\n"
    assert complained.startswith("FaceFusion does not ask the mirror") and len(complained.splitlines()) == 1


def test_it_leaves_errors_as_they_are(facefusion: FaceFusion) -> None:
    (facefusion.tree / "facefusion" / "choices.py").unlink()
    code = "try:\n    import facefusion.choices\nexcept ModuleNotFoundError as error:\n    print(error)"
    said, complained = facefusion.run(code, FACEFUSION_MIRROR=MIRROR)
    assert (said, complained) == ("No module named 'facefusion.choices'\n", "")


def test_programs_without_facefusion_are_not_touched(facefusion: FaceFusion) -> None:
    said, complained = facefusion.run("import json, sys; print('facefusion' in sys.modules)", FACEFUSION_MIRROR=MIRROR)
    assert (said, complained) == ("False\n", "")
