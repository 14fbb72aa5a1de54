# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/support.md says of systems and versions is what the roles, their metadata and all other pages say."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import ansible_process
import pytest
import yaml

TOP = Path(__file__).parents[2]
SUPPORT = (TOP / "docs/support.md").read_text()
#: As each system calls itself in words, in facts and in roles' metadata.
CODENAMES = {"Debian 12": "bookworm", "Debian 13": "trixie", "Ubuntu 24.04": "noble"}
#: The others that are supported have hosts of their own.
TRIED = ["Ubuntu 24.04", "Ubuntu 22.04", "Debian 11", "Fedora 42"]
#: hub_client is for any Linux.
ROLES = sorted(role.name for role in (TOP / "roles").iterdir() if role.name not in ("common", "hub_client"))


def read(name: str) -> Any:
    return yaml.safe_load((TOP / name).read_text())


def row(head: str) -> list[str]:
    """Return the cells of a table's row beside its first."""
    (line,) = re.findall(rf"^\| {re.escape(head)} \|(.*)\|$", SUPPORT, re.MULTILINE)
    return [cell.strip() for cell in line.split("|")]


def facts(system: str) -> dict[str, Any]:
    name, version = system.split()
    known = {"distribution": name, "distribution_version": version, "distribution_major_version": version.split(".")[0]}
    return {**known, "default_ipv4": {"address": "192.0.2.1"}, "fqdn": "host.example.com", "os_family": "Debian"}


def test_the_table_has_what_the_roles_metadata_has() -> None:
    assert re.findall(r"^\| ((?:Debian|Ubuntu) [\d.]+) \|", SUPPORT, re.MULTILINE) == list(CODENAMES)
    for role in ROLES:
        platforms = read(f"roles/{role}/meta/main.yml")["galaxy_info"]["platforms"]
        named = {f"{platform['name']} {version}" for platform in platforms for version in platform["versions"]}
        assert named == {f"{system.split()[0]} {codename}" for system, codename in CODENAMES.items()}, role


def test_each_role_refuses_other_systems_and_no_more(tmp_path: Path) -> None:
    """Hosts that their facts alone make ones of other systems. What a preflight says after that does not count here."""
    hosts = {system.replace(" ", "-"): {"made_up": facts(system), "system": system} for system in TRIED}
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars": {"ansible_facts": "{{ made_up }}", "mirror_keepalived_address": "192.0.2.9"},
        "tasks": [task for role in ROLES for task in tasks(role)],
    }
    (tmp_path / "play.json").write_text(json.dumps([play]))
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": local}}))
    said = ansible_process.play(["-i", tmp_path / "hosts.json", tmp_path / "play.json"]).said
    assert "PLAY RECAP" in said, said
    refused = {(role, system) for role in ROLES for system in TRIED if f"REFUSED {role} {system}\n" in said}
    assert refused == {(role, system) for role in ROLES for system in TRIED if system not in CODENAMES}


def tasks(role: str) -> list[dict[str, Any]]:
    """Run a role's preflight, and tell whether it refuses the system."""
    preflight = {"ansible.builtin.include_role": {"name": f"modelops.hf_mirror.{role}", "tasks_from": "preflight"}}
    tell = {"msg": f"REFUSED {role} {{{{ system }}}}"}
    is_the_system = "'runs ' ~ system in ansible_failed_result.msg | default('')"
    return [{"block": [preflight], "rescue": [{"ansible.builtin.debug": tell, "when": is_the_system}]}]


def test_versions_of_ansible_agree() -> None:
    supported, tested = row("ansible-core")
    first, *_between, last = supported.split(", ")
    assert read("meta/runtime.yml")["requires_ansible"] == f">={first}.0"
    major, minor = last.split(".")
    in_the_image = f">={first},<{major}.{int(minor) + 1}"
    assert read("execution-environment.yml")["dependencies"]["ansible_core"]["package_pip"].endswith(in_the_image)
    for role in ROLES:
        assert read(f"roles/{role}/meta/main.yml")["galaxy_info"]["min_ansible_version"] == first
    installed = re.findall(r"^ansible-core~=([\d.]+)\.0;", (TOP / "tests/requirements.in").read_text(), re.MULTILINE)
    assert [version for version in installed if f"{version} with Python" in tested] == [first, last]


PAGES = sorted([*TOP.glob("*.md"), *TOP.glob("docs/*.md"), *TOP.glob("roles/*/README.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_pages_name_no_other_system_and_say_what_was_not_run(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return
    text = page.read_text()
    named = set(re.findall(r"\b(Ubuntu \d\d\.\d\d|Debian \d\d)\b", text))
    assert named <= set(CODENAMES)
    for paragraph in re.split(r"\n\s*\n", text):
        if "Ubuntu 24.04" in paragraph:
            assert "not run" in paragraph or "support.md" in paragraph
