# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX's way: ansible-runner with the clone as its project, hosts over SSH, an unprivileged user who has sudo.

Its first job finds a host where an earlier one was cut: what that one left is brought into force.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from testhosts import CLIENTS, INVENTORY, MIRRORS, TOP, are_well, connect, recap, until

USER = "awx"
MIRROR, CLIENT = "mirror13", "client13"
CONFIG = "/etc/nginx/conf.d/hf-mirror.conf"
ASK = "curl -fsI http://127.0.0.1/hysts/ArcFace-resnet100/resolve/main/model.onnx"


@pytest.fixture(scope="module")
def private_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What AWX gives to ansible-runner for a job: project, inventory, environment and key."""
    folder = tmp_path_factory.mktemp("job")
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    for name in (MIRROR, CLIENT):
        host = connect(name)
        host.check_output("id -u %s || useradd --create-home --shell /bin/bash %s", USER, USER)
        host.check_output("install -d -m 700 -o %s -g %s /home/%s/.ssh", USER, USER, USER)
        public = key.with_suffix(".pub").read_text()
        host.check_output("echo %s > /home/%s/.ssh/authorized_keys", public, USER)
        host.check_output("echo '%s ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/%s", USER, USER)
        host.check_output("systemctl start ssh")
    # one of the two alone
    more = {"mirrors": {"mirror_keepalived_nodes": [*MIRRORS.values()]}, "hub_clients": {}}
    groups = {"mirrors": {MIRROR: MIRRORS[MIRROR]}, "hub_clients": {CLIENT: CLIENTS[CLIENT]}}
    inventory = {
        group: {
            "hosts": {name: {"ansible_host": address} for name, address in hosts.items()},
            "vars": {**yaml.safe_load((INVENTORY / "group_vars" / f"{group}.yml").read_text()), **more[group]},
        }
        for group, hosts in groups.items()
    }
    variables = {"ansible_user": USER, "ansible_python_interpreter": "/usr/bin/python3"}
    (folder / "inventory").mkdir()
    (folder / "inventory/hosts.json").write_text(json.dumps({"all": {"vars": variables, "children": inventory}}))
    (folder / "env").mkdir()
    (folder / "env/ssh_key").write_text(key.read_text())
    # AWX knows its hosts by their inventory, not by their keys
    (folder / "env/envvars").write_text("ANSIBLE_HOST_KEY_CHECKING: 'False'\nANSIBLE_NOCOLOR: 'True'\n")
    (folder / "project").symlink_to(TOP)
    return folder


def run(private_data_dir: Path, playbook: str) -> str:
    """Run a playbook as a job; what it said."""
    ident = playbook.replace("/", "-")
    command = ["ansible-runner", "run", str(private_data_dir), "-p", playbook, "--ident", ident, "--quiet"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=600)
    artifacts = private_data_dir / "artifacts" / ident
    output = (artifacts / "stdout").read_text()
    assert done.returncode == 0, output
    assert (artifacts / "status").read_text() == "successful"
    assert "Sync the whitelist into the store" in output
    return output


def test_what_a_cut_run_left_is_brought_into_force(private_data_dir: Path) -> None:
    host = connect(MIRROR)
    # it was cut before nginx and keepalived were told
    host.check_output(f"mv {CONFIG} /root/ && systemctl reload nginx")
    until(lambda: host.run(ASK).rc != 0)
    host.check_output(f"mv /root/hf-mirror.conf {CONFIG}")
    host.check_output("cp -p /etc/keepalived/keepalived.conf /root/ && mv /root/keepalived.conf /etc/keepalived/")
    output = run(private_data_dir, "site.yml")
    assert recap(output)[MIRROR]["changed"] >= 2, output
    assert host.run(ASK).rc == 0
    until(are_well)


def test_a_sync(private_data_dir: Path) -> None:
    assert MIRROR in recap(run(private_data_dir, "playbooks/sync.yml"))
