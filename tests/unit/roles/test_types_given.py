# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators met who gave a text where a list, a number or true belongs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import local_role
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.filter.core import to_bool
from ansible.template import trust_as_template
from ansible_collections.modelops.hf_mirror.plugins.lookup.wrong_arguments import problems_of
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli.config import read_config
from unit.roles.role_variables import TOP, spec, templar, variables_of

INCLUDE = "ansible.builtin.include_role"
SYSTEMD = "ansible.builtin.systemd_service"
FACTS = {"distribution": "Debian", "distribution_version": "13.1", "distribution_major_version": "13"}


def test_a_text_does_not_open_the_mirror(tmp_path: Path) -> None:
    """Walked letter by letter, the star of the first is everything, and the others are one name a letter."""
    wrong = {
        "mirror_nginx_access": [
            {"repos": "deepinsight/*", "views": "facefusion"},
            {"repos": ["*"], "networks": "10.0.0.1"},
        ],
        "mirror_nginx_fallback_repos": "facefusion/*",
        "mirror_nginx_gated_groups": "gated",
        "mirror_nginx_sandbox": "y",
    }
    facts = {**FACTS, "default_ipv4": {}, "fqdn": "mirror1.example.com"}
    done = local_role.run(tmp_path, "mirror_nginx", "preflight", ansible_facts=facts, **wrong)
    assert not done.is_good and "_Ansible" not in done.said
    for words in (
        "mirror_nginx_access[0].repos must be a list, not a text.",
        "mirror_nginx_access[0].views must be a list, not a text.",
        "mirror_nginx_access[1].networks must be a list, not a text.",
        "mirror_nginx_fallback_repos must be a list, not a text.",
        "mirror_nginx_gated_groups must be a list, not a text.",
        "mirror_nginx_sandbox must be true or false, not the text 'y'.",
    ):
        assert words in done.said, words


def test_the_receivers_of_alerts_are_no_letters(tmp_path: Path) -> None:
    models = [{"repo_id": "a/b"}]
    variables = {"ansible_facts": FACTS, "mirror_sync_models": models, "mirror_sync_alert_urls": "json://hf_secret"}
    done = local_role.run(tmp_path, "mirror_sync", "preflight", **variables)
    assert not done.is_good and "hf_secret" not in done.said
    assert "mirror_sync_alert_urls must be a list, not a text." in done.said


@pytest.mark.parametrize(("text", "value"), [("false", False), ("no", False), ("True", True), ("on", True)])
def test_a_timer_and_a_follower_run_or_not(text: str, value: bool) -> None:
    tasks = yaml.safe_load((TOP / "roles/mirror_sync/tasks/schedule.yml").read_text(encoding="utf-8"))
    given = {f"mirror_sync_{name}": text for name in ("timer", "scrub", "follow")}
    variables = variables_of("mirror_sync", **given)
    units = [task[SYSTEMD] for task in tasks if "enabled" in task.get(SYSTEMD, {})]
    units = [unit for unit in units if unit["enabled"] is not True]
    assert [unit["name"] for unit in units] == [
        "hf-mirror-sync.timer",
        "hf-mirror-scrub.timer",
        "hf-mirror-follow.service",
    ]
    for unit in units:
        made = {key: templar(variables).template(trust_as_template(unit[key])) for key in ("enabled", "state")}
        assert made == {"enabled": value, "state": "started" if value else "stopped"}


@pytest.mark.parametrize("text", ["true", "no"])
def test_who_syncs_is_found_out(text: str) -> None:
    tasks = yaml.safe_load((TOP / "roles/mirror_sync/tasks/sync.yml").read_text(encoding="utf-8"))
    (condition,) = [task["when"] for task in tasks if task["name"] == "Check whether this is the active node of a pair"]
    made = templar(variables_of("mirror_sync", mirror_sync_follow=text, __mirror_sync_active={"rc": 1}))
    assert made.evaluate_conditional(trust_as_template(condition)) is to_bool(text)
    assert made.template(trust_as_template("{{ __mirror_sync_is_mine }}")) is (text == "no")


def test_the_night_reads_what_was_meant(tmp_path: Path) -> None:
    """The configuration is the same as with typed values, and the command hf-mirror can read it."""
    options = spec(TOP / "roles/mirror_sync")["main"]["options"]
    typed = {
        name: option["default"]
        for name, option in options.items()
        if option["type"] in ("int", "bool") and "default" in option  # else the role works it out
    }
    typed |= {"mirror_sync_workers": 4, "mirror_sync_xet": True}
    texts = {name: str(value).lower() for name, value in typed.items()}
    config = trust_as_template("{{ __mirror_sync_config | to_nice_yaml }}")
    wanted, made = (
        templar(variables_of("mirror_sync", mirror_sync_models=[{"repo_id": "a/b"}], **given)).template(config)
        for given in (typed, texts)
    )
    assert made == wanted
    file = tmp_path / "config.yml"
    file.write_text(made, encoding="utf-8")
    assert read_config(file).values["workers"] == 4


def test_nginx_is_kept_in_its_sandbox_or_not() -> None:
    unit = (TOP / "roles/mirror_nginx/templates/nginx.service.j2").read_text(encoding="utf-8")
    made = {
        value: templar(variables_of("mirror_nginx", mirror_nginx_sandbox=value)).template(trust_as_template(unit))
        for value in (True, False, "no")
    }
    assert made["no"] == made[False] != made[True]


def test_one_host_has_one_store(tmp_path: Path) -> None:
    """What is synced into one folder and served from another is answered as if the disk were not mounted."""
    variables = {"ansible_facts": FACTS | {"default_ipv4": {}, "fqdn": "mirror1.example.com"}}
    variables |= {"mirror_sync_models": [{"repo_id": "a/b"}], "mirror_nginx_store": "/srv/other"}
    done = local_role.run(tmp_path, "mirror_sync", "preflight", **variables)
    assert (
        not done.is_good
        and "localhost would serve /srv/other (mirror_nginx_store) and sync into /srv/hf-mirror" in done.said
    )
    done = local_role.run(tmp_path, "mirror_nginx", "preflight", **variables, mirror_sync_store="/srv/hf-mirror")
    assert not done.is_good and "mirror_nginx_store must be the store that is synced, /srv/hf-mirror" in done.said
    made = templar(variables_of("mirror_nginx", mirror_sync_store="/data"))
    assert made.template(trust_as_template("{{ mirror_nginx_store }}")) == "/data"


LOOKED_AT = [
    pytest.param(task[INCLUDE], id=f"{file.stem} {task['name']}")
    for file in sorted(TOP.glob("playbooks/*.yml"))
    for play in yaml.safe_load(file.read_text(encoding="utf-8"))
    for task in play.get("tasks", [])
    if task.get(INCLUDE, {}).get("tasks_from") in ("preflight", "sync", "uninstall", "uninstall_preflight")
]


@pytest.mark.parametrize("include", LOOKED_AT)
def test_playbooks_let_the_roles_speak(include: dict[str, Any]) -> None:
    """What Ansible says itself names classes of its own, and shows the whole spec."""
    assert include["rolespec_validate"] is False


def test_no_class_of_ansible_is_named(tmp_path: Path) -> None:
    odd = DataLoader().load(json.dumps({"mirror_nginx_access": {"repos": "a/*"}, "mirror_nginx_users": ["me"]}))
    found = problems_of(spec(TOP / "roles/mirror_nginx")["main"]["options"], odd)
    assert found[:2] == [
        "mirror_nginx_access must be a list, not a mapping.",
        "mirror_nginx_users[0] must be a mapping, not a text.",
    ]
    texts = [("a/b", "the whitelist is a text, it must be a list"), (["a/b"], "whitelist entry 1: is a text")]
    for models, words in texts:
        variables = {"ansible_facts": FACTS, "mirror_sync_models": models}
        done = local_role.run(tmp_path, "mirror_sync", "preflight", **variables)
        assert not done.is_good and words in done.said and "_Ansible" not in done.said
