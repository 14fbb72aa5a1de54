# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked for, and that nothing else can."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from unit.facefusion.models import SWAPPER

Run = Callable[..., dict[str, Any]]

LIKENESSES = "facefusion/deepfacelive-models-iperov"
NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"repo_id": "facefusion/models-3.0.0", "names": []}, "there is no value for all of a repository"),
        ({"repo_id": LIKENESSES, "names": []}, "there is no value for all of a repository"),
        ({"repo_id": LIKENESSES, "names": ["*"]}, "patterns and folders are not possible"),
        ({"repo_id": LIKENESSES, "names": ["elon_*"]}, "patterns and folders are not possible"),
        ({"repo_id": "facefusion/deepfacelive-models-", "names": ["a"]}, "'' is not a folder name"),
        ({"repo_id": "facefusion/deepfacelive-models-..", "names": ["a"]}, "'..' is not a folder name"),
        ({"repo_id": "facefusion/*", "names": ["a"]}, "not of the form ORG/NAME"),
        ({"repo_id": "models-3.0.0", "names": ["a"]}, "not of the form ORG/NAME"),
        ({"repo_id": "facefusion/models-3.0.0", "names": ["../../x"]}, "patterns and folders are not possible"),
        ({"repo_id": "facefusion/models-3.0.0", "names": [".hidden"]}, "patterns and folders are not possible"),
        ({"repo_id": "facefusion/models-3.0.0", "names": ["a.onnx"]}, "a.onnx is a file name: use a"),
        ({"repo_id": "facefusion/models-3.0.0", "names": ["gfpgan_1.4.hash"]}, "use gfpgan_1.4"),
    ],
)
def test_what_is_refused(run: Run, folder: Path, entry: dict[str, Any], says: str) -> None:
    answer = run(SWAPPER, entry, endpoint=NOWHERE)
    assert answer["failed"] and "\nentry 2: " in answer["msg"] and says in answer["msg"]
    assert not folder.exists()


def test_two_models_of_one_name_are_refused(run: Run) -> None:
    other = {"repo_id": "example/other", "names": ["inswapper_128"]}
    answer = run(SWAPPER, other, endpoint=NOWHERE)
    assert answer["failed"] and "example/other/inswapper_128 and facefusion/models-3.0.0/inswapper_128" in answer["msg"]


@pytest.mark.parametrize("option", [{"parallel": 0}, {"parallel": 65}, {"timeout": 0}, {"timeout": 3601}])
def test_numbers_that_make_no_sense(run: Run, option: dict[str, int]) -> None:
    assert "parallel is 1 to 64, and timeout 1 to 3600 seconds" in run(SWAPPER, endpoint=NOWHERE, **option)["msg"]
