# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode on a host that has some of what a role installs: it says what it can't foresee, and fails nowhere."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import local_role
import pytest
import yaml
from ansible.template import trust_as_template
from unit.roles.role_variables import TOP, templar, variables_of

WRITERS = {f"ansible.builtin.{name}" for name in ("copy", "template")}
#: Folders of the base system and of a service's package, without whose program no role goes on in check mode.
THERE = {"/etc", "/etc/keepalived", "/etc/logrotate.d", "/etc/nginx/conf.d", "/etc/profile.d", "/etc/systemd/system"}
THERE |= {"/etc/tmpfiles.d", "/usr/local/bin", "/usr/local/share/ca-certificates"}
#: What is written only where something else was looked for, in check mode.
GUARDED = {
    "/etc/systemd/system/nftables.service.d",  # tasks/table.yml
    "/etc/systemd/system.conf.d",  # hub_client says so itself
    "/etc/nginx/hf-mirror/tls",  # tasks/own_ca.yml
    "/etc/nginx/facefusion-gateway/drained",  # of a gateway that is there
}
PLAIN: dict[str, Any] = {
    "hub_client_endpoint": "https://hub.example.com",
    "facefusion_endpoint": "https://hub.example.com",
    "__facefusion_installed": "3.8.1",
    "__facefusion_site": {"stdout": "/opt/facefusion/venv/lib/python3.12/site-packages"},
    "facefusion_gateway_host": "gpu1",
}


def parts(role: str) -> set[str]:
    """Return what a role names for check mode to count on, as it stands in its tasks."""
    variables = variables_of(role, **PLAIN)
    found: set[str] = set()
    for file in (TOP / "roles" / role / "tasks").iterdir():
        for task in each_task(yaml.safe_load(file.read_text())):
            given = task.get("vars", {}).get("common_parts", [])
            found |= set(templar(variables).template(trusted(given)))
    return found


def trusted(value: Any) -> Any:
    if isinstance(value, list):
        return [trusted(one) for one in value]
    return trust_as_template(value) if isinstance(value, str) else value


def each_task(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        yield task
        for name in ("block", "rescue", "always"):
            yield from each_task(task.get(name, []))


@pytest.mark.parametrize(
    "role", ["mirror_sync", "mirror_nginx", "mirror_keepalived", "facefusion_gateway", "facefusion", "hub_client"]
)
def test_a_folder_that_a_role_makes_is_looked_for(role: str) -> None:
    """A file that is to be written into one that is missing would fail in check mode."""
    counted = parts(role)
    folders = counted | {str(parent) for part in counted for parent in Path(part).parents}
    checked = 0
    for file in sorted((TOP / "roles" / role / "tasks").iterdir()):
        for task in each_task(yaml.safe_load(file.read_text())):
            for writer in WRITERS & set(task):
                if "__mirror_nginx_table" in task[writer]["dest"] and role == "mirror_nginx":
                    continue  # of the role that gives it
                items = task.get("loop", ["item"])
                if isinstance(items, str):
                    found = templar(variables_of(role, **PLAIN)).template(trusted(items))
                    is_known = isinstance(found, list) and found and all(isinstance(one, str) for one in found)
                    items = found if is_known else ["item"]
                variables = variables_of(role, **PLAIN, item=items[0])
                place = Path(templar(variables).template(trusted(task[writer]["dest"])))
                if re.match("/opt/facefusion/", str(place)):
                    continue  # in a virtual environment, which is one of the parts
                assert str(place.parent) in folders | THERE | GUARDED, f"{file.name}: {task['name']}"
                checked += 1
    assert checked >= 2


@pytest.mark.parametrize(
    ("check", "user", "missing"),
    [(True, "", ["other"]), (True, "no-such-user", ["other", "the user no-such-user"]), (False, "no-such-user", [])],
)
def test_what_is_missing_is_said(tmp_path: Path, check: bool, user: str, missing: list[str]) -> None:
    (tmp_path / "one").touch()
    about = {"common_parts": [str(tmp_path / "one"), str(tmp_path / "other")], "common_foretold": "It would be made."}
    done = local_role.run(tmp_path, "common", "whole", check=check, common_user=user, **about)
    assert (done.is_good, done.changed) == (True, 0), done.said
    said = f"localhost has no {', '.join(missing).replace('other', str(tmp_path / 'other'))} yet. It would be made."
    assert (said in " ".join(done.said.split())) == bool(missing)


def test_a_whole_host_is_looked_at(tmp_path: Path) -> None:
    about = {"common_parts": [str(tmp_path)], "common_user": getpass.getuser(), "common_foretold": "It would be made."}
    done = local_role.run(tmp_path, "common", "whole", check=True, **about)
    assert done.is_good and "It would be made" not in done.said


#: systemd that knows no unit of ours.
SYSTEMCTL = """#!/bin/sh
[ "$1" != show ] || printf 'LoadState=not-found\\nActiveState=inactive\\n'
[ "$1" != is-enabled ] || exit 1
"""


def test_units_that_an_upgrade_brings_are_not_started_by_check_mode(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/systemctl").write_text(SYSTEMCTL)
    (tmp_path / "bin/systemctl").chmod(0o755)
    about = {"mirror_sync_models": [{"repo_id": "a/b"}], "mirror_sync_follow": True, "ansible_become": False}
    done = local_role.run(tmp_path, "mirror_sync", "schedule", check=True, programs=tmp_path / "bin", **about)
    assert done.is_good and done.changed > 0, done.said
