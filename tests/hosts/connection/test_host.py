# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reach a test host by podman, with one start of it for a task instead of five: each takes a quarter of a second."""

from __future__ import annotations

from typing import Any

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

    def _podman(self, cmd: str | list[str], cmd_args: Any = None, in_data: Any = None, **others: Any) -> Any:
        if in_data is not None and cmd[0] == "exec":
            cmd = ["exec", "--interactive", *cmd[1:]]
        return super()._podman(cmd, cmd_args, in_data, **others)
