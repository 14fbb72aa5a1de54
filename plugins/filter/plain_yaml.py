# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML for programs that are not Ansible."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plain_yaml
short_description: Write a value as YAML that every program can read
version_added: 0.9.0
description:
  - Returns the value as C(ansible.builtin.to_nice_yaml) does, with what the vault keeps decrypted and nothing
    that only Ansible knows. Before ansible-core 2.21 that filter writes a string that is encrypted in the inventory as
    its ciphertext.
  - Use it with C(no_log) or C(diff=false) where there are secrets in the value.
positional: _input
options:
  _input:
    description: What JSON can say.
    type: raw
    required: true
author:
  - modelops.hf_mirror contributors (@modelops)
"""

EXAMPLES = r"""
- name: Write the tokens
  ansible.builtin.copy:
    content: "{{ my_tokens | modelops.hf_mirror.plain_yaml }}"
    dest: /etc/hf-mirror/tokens.yml
    mode: "0600"
  no_log: true
"""

RETURN = r"""
_value:
  description: The YAML.
  type: str
"""

import json
from typing import Any, Callable

import yaml
from ansible.module_utils.common.json import get_encoder


def plain_yaml(value: Any) -> str:
    """Return ``value`` as YAML."""
    plain = json.loads(json.dumps(value, cls=get_encoder("tagless")))
    return str(yaml.safe_dump(plain, allow_unicode=True, default_flow_style=False, indent=4, sort_keys=False))


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return name -> function."""
        return {"plain_yaml": plain_yaml}
