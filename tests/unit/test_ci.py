# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CI of a fork: its files call `.ci/run` and nothing of their own, and that runs in a container, too."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

TOP = Path(__file__).parents[2]


def read(name: str) -> Any:
    return yaml.safe_load((TOP / name).read_text())


def test_github_calls_ci_run_alone() -> None:
    (job,) = read(".github/workflows/ci.yml")["jobs"].values()
    checkout, run, upload = job["steps"]
    assert checkout["uses"].startswith("actions/checkout@")
    assert run.keys() == {"run"} and run["run"].startswith("docker run ") and run["run"].endswith(" debian:12 .ci/run")
    assert upload["uses"].startswith("actions/upload-artifact@") and upload["if"] == "always()"
    assert upload["with"]["path"] == "tests/output"


def test_gitlab_calls_ci_run_alone() -> None:
    (job,) = read(".gitlab-ci.yml").values()
    assert job.pop("timeout")
    artifacts = {"when": "always", "paths": ["tests/output"]}
    assert job == {"image": "debian:12", "script": ".ci/run", "artifacts": artifacts}


def test_ci_run_works_in_a_checkout_of_another_user(tmp_path: Path) -> None:
    """What a container sees of a checkout that its runner has made. ``make`` here lists files as `make lint` does."""
    (tmp_path / "clone/.ci").mkdir(parents=True)
    shutil.copy(TOP / ".ci/run", tmp_path / "clone/.ci/run")
    (tmp_path / "make").write_text("#!/bin/sh\necho called with $*\ngit ls-files\n")
    (tmp_path / "make").chmod(0o755)
    for arguments in (["init", "--quiet"], ["add", ".ci/run"]):
        subprocess.run(["git", "-C", str(tmp_path / "clone"), *arguments], check=True)
    # Git's own way to try this without a second user
    other = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1", "HOME": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [str(tmp_path / "clone/.ci/run")]
    done = subprocess.run(command, cwd=tmp_path, env=other, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "called with test\n.ci/run\n"), done.stderr
