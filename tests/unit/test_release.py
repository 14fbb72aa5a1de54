# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make release`, in a repository of its own that has the files of this one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).parents[2]
ARGUMENTS = "plugins/module_utils/_cli/arguments.py"


class Clone:
    """A repository with all that is tracked here, as one commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = self._run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=TOP).stdout
        for name in listed.splitlines():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (TOP / name).exists():
                shutil.copy2(TOP / name, target, follow_symlinks=False)
        self.git("init", "--quiet")
        self.write("changelogs/fragments/made-up.yml", "minor_changes:\n  - a made-up change.\n")
        # which no release has had
        self.edit("galaxy.yml", "^version: .*", "version: 7.8.9")
        self.edit(ARGUMENTS, '^VERSION = "[^"]*"', 'VERSION = "7.8.9"')
        self.commit()

    @property
    def releases(self) -> list[str]:
        return list(yaml.safe_load((self.folder / "changelogs/changelog.yaml").read_text())["releases"])

    def git(self, *arguments: str) -> str:
        return self._run("git", *arguments).stdout

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def edit(self, name: str, pattern: str, replacement: str) -> None:
        text, times = re.subn(pattern, replacement, (self.folder / name).read_text(), flags=re.MULTILINE)
        assert times == 1
        self.write(name, text)

    def release(self) -> subprocess.CompletedProcess[str]:
        return self._run("tests/setup/release.sh", check=False)

    def _run(self, *command: str, cwd: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        person = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**os.environ, **person, "PATH": path, "GIT_CONFIG_GLOBAL": os.devnull}
        return subprocess.run(
            command, cwd=cwd or self.folder, env=environment, check=check, capture_output=True, text=True
        )


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_it_writes_the_changelog_and_builds_the_collection(clone: Clone) -> None:
    clone.write("tests/output.tar.gz", "what Git ignores")
    done = clone.release()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "git tag --annotate 7.8.9 " in done.stdout
    assert clone.git("status", "--porcelain") == clone.git("tag", "--list") == ""
    assert clone.git("log", "--format=%s", "-1") == "Release 7.8.9\n"
    assert "7.8.9" in clone.releases
    assert "a made\\-up change" in (clone.folder / "CHANGELOG.md").read_text()
    assert not clone.git("ls-files", "changelogs/fragments/*.yml")
    with tarfile.open(clone.folder / "modelops-hf_mirror-7.8.9.tar.gz") as built:
        assert "CHANGELOG.md" in built.getnames() and "tests" not in built.getnames()
    # and not twice
    clone.write("changelogs/fragments/next.yml", "minor_changes:\n  - another change.\n")
    clone.commit()
    done = clone.release()
    assert done.returncode == 1 and "changelogs/changelog.yaml has 7.8.9 already" in done.stderr


def dirty(clone: Clone) -> None:
    clone.write("a-new-file", "")


def without_fragments(clone: Clone) -> None:
    for file in (clone.folder / "changelogs/fragments").glob("*.yml"):
        file.unlink()
    clone.commit()


def two_versions(clone: Clone) -> None:
    clone.edit("galaxy.yml", "^version: .*", "version: 7.9.0")
    clone.commit()


def tagged(clone: Clone) -> None:
    clone.git("tag", "7.8.9")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (dirty, "changes that are not committed"),
        (without_fragments, "has no fragments"),
        (two_versions, "galaxy.yml has version 7.9.0, plugins/module_utils/_cli/arguments.py has "),
        (tagged, "there is a tag "),
    ],
)
def test_it_refuses_and_changes_nothing(make: Callable[[Clone], None], words: str, clone: Clone) -> None:
    make(clone)
    before = clone.git("status", "--porcelain"), clone.git("rev-parse", "HEAD")
    done = clone.release()
    assert done.returncode == 1 and words in done.stderr
    assert (clone.git("status", "--porcelain"), clone.git("rev-parse", "HEAD")) == before


def test_make_runs_it() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "release"], cwd=TOP, check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "tests/setup/release.sh"
