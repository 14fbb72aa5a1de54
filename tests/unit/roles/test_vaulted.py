# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret that is encrypted in the inventory arrives on a host as what it is, by each line of ansible-core."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import local_role
import other_core
import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from unit.conftest import VENVS

from hub import venvs

ROLES = Path(__file__).parents[3] / "roles"
PASSWORD = "of the vault"
TOKEN = hashlib.sha256(b"a token").hexdigest()
FILTERED = ("mirror_sync", "mirror_nginx", "facefusion", "facefusion_gateway")
TEMPLATES = {
    "mirror_nginx": ("tokens.j2",),
    "mirror_sync": ("pip.conf.j2",),
    "facefusion": ("netrc.j2", "environment.j2"),
    "facefusion_gateway": ("passwords.j2",),
}


class Vaulted(str):
    """A text that is written encrypted."""


class Inventory(yaml.SafeDumper):
    """Writes what an operator keeps beside the hosts."""


def _encrypted(dumper: yaml.SafeDumper, text: Vaulted) -> yaml.Node:
    vault = VaultLib([("default", VaultSecret(PASSWORD.encode()))])
    return dumper.represent_scalar("!vault", vault.encrypt(str(text)).decode(), style="|")


Inventory.add_representer(Vaulted, _encrypted)

#: Each kind of option that may have a secret, in mappings and lists, too.
SECRETS: dict[str, Any] = {
    "mirror_sync_models": [{"repo_id": "org/name"}],
    "mirror_sync_token": Vaulted("hf_default"),
    "mirror_sync_tokens": {"team": Vaulted("hf_team"), "open": "hf_open"},
    "mirror_sync_proxy": Vaulted("http://me:pass@proxy.example.com:3128"),
    "mirror_sync_alert_urls": [Vaulted("json://hook.example.com/secret"), "mailto://ops@example.com"],
    "mirror_sync_package_index": Vaulted("https://me:pass@pypi.example.com/simple"),
    "mirror_nginx_users": [{"name": "alice", "groups": ["staff"], "tokens": [Vaulted(TOKEN)]}],
    "__facefusion_installed": "3.8.1",
    "facefusion_endpoint": "https://hub.example.com",
    "facefusion_username": "me",
    "facefusion_password": Vaulted("facefusion's"),
    "facefusion_environment": {"SOME_TOKEN": Vaulted("of the environment")},
    "facefusion_gateway_users": [{"name": "alice", "password": Vaulted("a password of a person")}],
}


@pytest.fixture(scope="module", params=["ours", "other"])
def python(request: pytest.FixtureRequest) -> str:
    if request.param == "ours":
        return sys.executable
    if sys.version_info < (3, 12):
        pytest.skip("the newer ansible-core wants Python 3.12")
    version = other_core.version()
    return str(venvs.install(VENVS / f"ansible-core-{version}", f"ansible-core=={version}", "passlib"))


def written(python: str, folder: Path) -> dict[str, str]:
    """Have the roles' own tasks and templates write what they make of secrets, and return it by the files' names."""
    host = folder / "host"
    host.mkdir()
    configure = yaml.safe_load((ROLES / "mirror_sync/tasks/configure.yml").read_text(encoding="utf-8"))
    contents = [task["ansible.builtin.copy"] for task in configure if "ansible.builtin.copy" in task]
    tasks: list[dict[str, Any]] = [
        {"ansible.builtin.copy": {"content": one["content"], "dest": f"{host}/{Path(one['dest']).name}"}}
        for one in contents
    ]
    for role, templates in TEMPLATES.items():
        for template in templates:
            source = {"src": f"{ROLES}/{role}/templates/{template}", "dest": f"{host}/{template}"}
            tasks.append({"ansible.builtin.template": source})
    for role in FILTERED:
        that = "query('modelops.hf_mirror.wrong_arguments', 'main') == []"
        tasks.append({"ansible.builtin.assert": {"that": that}, "vars": {"role_path": str(ROLES / role)}})
    variables = [str(ROLES / role / kind / "main.yml") for role in FILTERED for kind in ("defaults", "vars")]
    (folder / "secrets.yml").write_text(yaml.dump(SECRETS, Dumper=Inventory), encoding="utf-8")
    (folder / "password").write_text(PASSWORD, encoding="utf-8")
    options = ["--vault-password-file", f"{folder}/password", "-e", f"@{folder}/secrets.yml"]
    options += ["-e", f"ansible_python_interpreter={python}"]
    done = local_role.play_by(python, folder, {"tasks": tasks, "vars_files": variables}, options)
    assert done.is_good, done.said
    return {file.name: file.read_text(encoding="utf-8") for file in host.iterdir()}


def test_what_is_written_is_what_was_meant(python: str, tmp_path: Path) -> None:
    files = written(python, tmp_path)
    assert not [name for name, text in files.items() if "vault" in text.lower()]
    assert yaml.safe_load(files["tokens.yml"]) == {"default": "hf_default", "team": "hf_team", "open": "hf_open"}
    config = yaml.safe_load(files["config.yml"])
    assert (config["proxy"], config["workers"]) == ("http://me:pass@proxy.example.com:3128", 8)
    assert files["alerts.conf"] == "json://hook.example.com/secret\nmailto://ops@example.com\n"
    assert "index-url = https://me:pass@pypi.example.com/simple\n" in files["pip.conf.j2"]
    assert f'\n{hashlib.sha256(TOKEN.encode()).hexdigest()[:40]} "alice";\n' in files["tokens.j2"]
    assert files["netrc.j2"].split() == ["machine", "hub.example.com", "login", "me", "password", "facefusion's"]
    assert "SOME_TOKEN='of the environment'\n" in files["environment.j2"]
    assert "\nalice:$6$" in files["passwords.j2"]


def test_no_role_writes_yaml_that_may_have_ciphertext() -> None:
    files = [file for file in ROLES.rglob("*") if file.suffix in (".yml", ".j2")]
    found = [file for file in files if "to_nice_yaml" in file.read_text() or "to_yaml" in file.read_text()]
    assert files and not found, "take the filter plain_yaml"
