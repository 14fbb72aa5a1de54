# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reach a test host by tests/hosts/bin/podman, with one start of it for a task instead of five."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible_collections.containers.podman.plugins.connection.podman import Connection as Podman

DOCUMENTATION = """
name: test_host
short_description: Reach a test host by podman
description: What C(containers.podman.podman) does, with pipelining.
author: modelops.hf_mirror contributors (@modelops)
options:
  remote_addr:
    description: The container.
    default: inventory_hostname
    vars: [{name: inventory_hostname}, {name: ansible_host}]
  remote_user:
    description: Who one is there.
    vars: [{name: ansible_user}]
  podman_executable:
    description: The command.
    default: podman
    vars: [{name: ansible_podman_executable}]
  podman_extra_args:
    description: What it gets before everything else.
    default: ""
  pipelining:
    description: Whether programs come by standard input.
    type: bool
    default: true
"""


class Connection(Podman):  # type: ignore[misc]
    """The collection's connection, which gives what is run its input, too."""

    transport = "test_host"
    has_pipelining = True

    def _connect(self) -> None:
        """Do nothing: podman's own connection mounts the host's files, for each task."""
        self._connected = True

    def put_file(self, in_path: str, out_path: str) -> None:
        """Write a file on the host."""
        self._run(["sh", "-c", 'cat >"$1"', "sh", out_path], Path(in_path).read_bytes())

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Read a file on the host."""
        Path(out_path).write_bytes(self._run(["cat", in_path]))

    def _run(self, command: list[str], given: bytes | None = None) -> bytes:
        code, output, problem = self._podman(["exec"], command, given)
        if code:
            raise AnsibleConnectionFailure(problem.decode())
        return output

    def _podman(self, cmd: str | list[str], cmd_args: Any = None, in_data: Any = None, **others: Any) -> Any:
        if in_data is not None and cmd[0] == "exec":
            cmd = ["exec", "--interactive", *cmd[1:]]
        return super()._podman(cmd, cmd_args, in_data, **others)
