# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whitelist of several files, of one host and of a pair: nobody's mistake takes away what somebody mirrors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import WhitelistError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist_files import Entries
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Outcome
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.whitelist import WhitelistFolder
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.whitelist_record import read_records
from unit.engine.two_nodes import SWAPPER, TINY, Pair

MANY = "stand-in/many-small-files"


def entries(*several: Any) -> Entries:
    found = Entries()
    found.extend({"repo_id": one} if isinstance(one, str) else one for one in several)
    found.sources = [f"FILE line {number}" for number in range(1, len(several) + 1)]
    return found


# ---- a host


class Host:
    """A node of a pair with a folder of whitelists."""

    def __init__(self, pair: Pair, name: str, folder: Path) -> None:
        self.pair, self.name, self.folder = pair, name, folder
        folder.mkdir()
        self.whitelist = WhitelistFolder(folder)

    def write(self, name: str, *several: Any) -> None:
        (self.folder / name).write_text(json.dumps(list(entries(*several))))

    def sync(self, state: str = "exact") -> Outcome:
        return self.pair.engine(self.name).run(self.whitelist, state)

    def follow(self) -> None:
        done = self.pair.engine(self.name).follow(self.whitelist)
        assert not done.problems

    @property
    def repos(self) -> list[str]:
        return sorted(one.repo.repo_id for one in self.pair.store(self.name).repositories())


@pytest.fixture
def host(pair: Pair, tmp_path: Path) -> Callable[[str], Host]:
    return lambda name: Host(pair, name, tmp_path / f"{name}.d")


def test_a_file_s_error_is_that_file_s_and_takes_nothing_away(host: Callable[[str], Host]) -> None:
    node = host("a")
    node.write("ansible.yml", SWAPPER.repo_id)
    node.write("team.yml", TINY.repo_id)
    node.write("empty.yml")
    assert not node.sync().problems
    assert node.repos == [SWAPPER.repo_id, TINY.repo_id]
    (node.folder / "team.yml").write_text("- repo_id: [")
    node.write("ansible.yml", SWAPPER.repo_id, MANY)
    outcome = node.sync()
    assert list(outcome.problems) == ["whitelist team.yml"]
    assert "team.yml line 1: not YAML" in str(outcome.problems["whitelist team.yml"])
    assert "The previous entries of team.yml stay wanted" in str(outcome.problems["whitelist team.yml"])
    assert node.repos == [SWAPPER.repo_id, MANY, TINY.repo_id]
    assert node.pair.store("a").ledger.state().repos["whitelist team.yml"].failures == 1
    node.write("team.yml", TINY.repo_id)
    assert not node.sync().problems
    assert node.pair.store("a").ledger.state().repos["whitelist team.yml"].failures == 0


def test_a_file_that_is_gone_takes_nothing_away_until_somebody_says_so(host: Callable[[str], Host]) -> None:
    node = host("a")
    node.write("ansible.yml", SWAPPER.repo_id)
    node.write("team.yml", TINY.repo_id)
    node.sync()
    (node.folder / "team.yml").unlink()
    for _time in range(2):
        outcome = node.sync()
        assert "team.yml is missing. Its entries stay wanted" in str(outcome.problems["whitelist team.yml"])
        assert node.repos == [SWAPPER.repo_id, TINY.repo_id]
    node.write("team.yml")
    assert not node.sync().problems
    assert node.repos == [SWAPPER.repo_id]
    (node.folder / "team.yml").unlink()
    assert not node.sync().problems


def test_a_folder_without_files_takes_nothing_away(host: Callable[[str], Host]) -> None:
    node = host("a")
    with pytest.raises(WhitelistError, match="has no file named"):
        node.sync()
    node.write("ansible.yml", SWAPPER.repo_id)
    node.sync()
    (node.folder / "ansible.yml").unlink()
    assert "is missing" in str(node.sync().problems["whitelist ansible.yml"])
    assert node.repos == [SWAPPER.repo_id]
    node.folder.rmdir()
    with pytest.raises(WhitelistError, match=r"a\.d can't be read"):
        node.sync()
    assert node.repos == [SWAPPER.repo_id]


def test_a_record_that_can_t_be_read_stops_the_run(host: Callable[[str], Host]) -> None:
    node = host("a")
    node.write("ansible.yml", SWAPPER.repo_id)
    node.sync()
    (node.pair.store("a").root / "ledger/whitelist.json").write_text("{")
    with pytest.raises(MirrorError, match=r"whitelist\.json can't be read.*If no file is missing, delete it"):
        node.sync()


def test_what_is_to_be_removed_by_name_is_not_noted(host: Callable[[str], Host]) -> None:
    node = host("a")
    node.write("ansible.yml", SWAPPER.repo_id, TINY.repo_id)
    node.sync()
    before = read_records(node.pair.store("a"))
    node.sync("absent")
    assert node.repos == [] and read_records(node.pair.store("a")) == before


# ---- a pair


def test_a_file_of_one_node_counts_on_the_other(host: Callable[[str], Host]) -> None:
    a, b = host("a"), host("b")
    a.write("ansible.yml", SWAPPER.repo_id)
    b.write("ansible.yml", SWAPPER.repo_id)
    b.write("team.yml", TINY.repo_id)
    a.sync()
    b.follow()  # tells what its files say
    assert a.repos == b.repos == [SWAPPER.repo_id]
    a.follow()
    assert not a.sync().problems
    b.follow()
    assert a.repos == b.repos == [SWAPPER.repo_id, TINY.repo_id]
    # it is missed where it was, and whoever syncs says so
    (b.folder / "team.yml").unlink()
    b.follow()
    a.follow()
    assert "team.yml of another node is missing" in str(a.sync().problems["whitelist team.yml"])
    assert a.repos == [SWAPPER.repo_id, TINY.repo_id]
    # that node may never come back: any node can say that it may go
    a.write("team.yml")
    assert not a.sync().problems
    b.follow()
    assert a.repos == b.repos == [SWAPPER.repo_id]
    b.sync()
    a.follow()
    assert a.repos == b.repos == [SWAPPER.repo_id]


def test_whoever_syncs_next_knows_all_files(host: Callable[[str], Host]) -> None:
    a, b = host("a"), host("b")
    a.write("ansible.yml", SWAPPER.repo_id)
    a.write("team.yml", TINY.repo_id)
    b.write("ansible.yml", SWAPPER.repo_id)
    a.sync()
    b.follow()
    a.pair.nodes["a"].kill()
    assert not b.sync().problems
    assert b.repos == [SWAPPER.repo_id, TINY.repo_id]


def test_files_that_differ_on_both_nodes_settle(host: Callable[[str], Host]) -> None:
    a, b = host("a"), host("b")
    a.write("ansible.yml", SWAPPER.repo_id)
    b.write("ansible.yml", TINY.repo_id)
    os.utime(b.folder / "ansible.yml", (0, 0))
    a.sync()
    b.follow()
    a.follow()
    before = read_records(a.pair.store("a"))
    for node in (a, b, a, b):
        node.follow()
    assert read_records(a.pair.store("a")) == read_records(b.pair.store("b")) == before
    # the later one counts, whichever node syncs, and the older one is told
    outcome = a.sync()
    assert not outcome.problems and a.repos == [SWAPPER.repo_id]
    assert "ansible.yml is older here" in str(b.sync().plan.other_warnings)
    assert b.repos == [SWAPPER.repo_id]
    b.write("ansible.yml", MANY)
    b.follow()
    a.follow()
    a.sync()
    assert a.repos == [MANY]


def test_a_whitelist_that_names_nothing_removes_nothing(host: Callable[[str], Host]) -> None:
    node = host("a")
    node.write("ansible.yml", SWAPPER.repo_id)
    node.sync()
    node.write("ansible.yml")
    assert "the whitelist is empty, so nothing was removed" in str(node.sync().problems["max_delete"])
    assert node.repos == [SWAPPER.repo_id]


def test_odd_files_are_one_file_s_trouble_each(host: Callable[[str], Host], tmp_path: Path) -> None:
    node = host("a")
    node.write("ansible.yml", SWAPPER.repo_id)
    os.mkfifo(node.folder / "pipe.yml")
    (node.folder / "circle.yml").symlink_to("circle.yml")
    (node.folder / "nowhere.yml").symlink_to(tmp_path / "nowhere")
    (node.folder / "device.yml").symlink_to("/dev/zero")
    (node.folder / "password.yml").symlink_to("/etc/passwd")
    (node.folder / "deep.yml").write_text("- &a [" + "x, " * 900 + "]\n" + "- {repo_id: a/b, files: *a}\n" * 2)
    Path(os.fsdecode(os.fsencode(node.folder) + b"/caf\xe9.yml")).write_text("[]")
    (node.folder / "folder.yml").mkdir()
    problems = node.sync().problems
    names = {"pipe", "circle", "nowhere", "device", "password", "deep"}
    assert {name.removesuffix(".yml") for name in problems} > {f"whitelist {name}" for name in names}
    assert len(problems) == len(names) + 1 and all(str(problem).isprintable() for problem in problems.values())
    assert "root:" not in str(problems["whitelist password.yml"])
    assert node.repos == [SWAPPER.repo_id]


def test_a_node_s_own_trouble_keeps_it_from_following_nobody(host: Callable[[str], Host]) -> None:
    a, b = host("a"), host("b")
    a.write("ansible.yml", SWAPPER.repo_id)
    a.sync()
    done = b.pair.engine("b").follow(b.whitelist)
    assert "no file named" in str(done.problems["whitelist"]) and b.repos == [SWAPPER.repo_id]
    (b.pair.store("b").root / "ledger/whitelist.json").write_text("{")
    b.write("ansible.yml", SWAPPER.repo_id)
    a.write("ansible.yml", SWAPPER.repo_id, TINY.repo_id)
    a.sync()
    assert "can't be read" in str(b.pair.engine("b").follow(b.whitelist).problems["whitelist"])
    assert b.repos == [SWAPPER.repo_id, TINY.repo_id]


def test_names_come_and_go_for_years(host: Callable[[str], Host]) -> None:
    node = host("a")
    for day in range(4):
        for number in range(900):
            (node.folder / f"{day}-{number}.yml").write_text("[]")
        node.write("ansible.yml", SWAPPER.repo_id)
        node.sync()
        for number in range(900):
            (node.folder / f"{day}-{number}.yml").unlink()
    assert len(read_records(node.pair.store("a"))) <= 2000
