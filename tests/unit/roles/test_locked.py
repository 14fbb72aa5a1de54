# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed on hosts is named to the byte."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible.template import trust_as_template
from unit.roles.role_variables import templar, variables_of

FILES = Path(__file__).parents[3] / "roles/mirror_sync/files"
#: A requirement with what belongs to it: a marker, and a hash a line.
ENTRY = re.compile(
    r"^([a-z0-9-]+)==([^ ]+)( ; [^\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def locked() -> dict[str, str]:
    """Return name -> version."""
    text = (FILES / "requirements.txt").read_text(encoding="utf-8")
    entries = list(ENTRY.finditer(text))
    assert len(entries) == len(re.findall("^[a-z]", text, re.MULTILINE)), "each has hashes"
    return {entry[1]: entry[2] for entry in entries}


def test_the_lock_has_what_is_wanted() -> None:
    wanted = dict(re.findall(r"^(\w+)==(.+)$", (FILES / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE))
    versions = locked()
    assert len(wanted) >= 5 and len(versions) > 20
    assert {name: versions.get(name.replace("_", "-")) for name in wanted} == wanted, "make lock"


def test_what_runs_here_is_what_runs_on_hosts() -> None:
    """The tests prove what is installed there."""
    ours = dict(re.findall(r"^(\w+)==(\S+)", (FILES.parents[2] / "tests/requirements.in").read_text(), re.MULTILINE))
    versions = locked()
    assert {name for name in ours if versions.get(name.replace("_", "-")) != ours[name]} == set()


@pytest.mark.parametrize(
    ("index", "proxy", "lines"),
    [
        ("", "", []),
        ("", "http://proxy:3128", ["proxy = http://proxy:3128"]),
        ("https://pypi.corp/simple", "http://proxy:3128", ["index-url = https://pypi.corp/simple"]),
        ("http://pypi.corp/simple", "", ["index-url = http://pypi.corp/simple", "trusted-host = pypi.corp"]),
    ],
)
def test_pip_asks_an_index_that_is_named_directly(index: str, proxy: str, lines: list[str]) -> None:
    given = {"mirror_sync_package_index": index, "mirror_sync_proxy": proxy, "ansible_managed": "Managed."}
    template = (FILES.parent / "templates/pip.conf.j2").read_text(encoding="utf-8")
    written = templar(variables_of("mirror_sync", **given)).template(trust_as_template(template)).splitlines()
    assert [line for line in written if line and not line.startswith("#")] == [
        "[global]",
        "disable-pip-version-check = true",
        *lines,
    ]
