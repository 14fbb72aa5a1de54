# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a whitelist on the controller, before any host is touched."""

from __future__ import annotations

DOCUMENTATION = r"""
name: whitelist
short_description: Check a whitelist of Hub repositories
version_added: 0.9.0
description:
  - Returns the whitelist as it is when M(modelops.hf_mirror.mirror_models) would accept it.
  - Fails with one line for each wrong entry otherwise. Runs on the controller and asks nobody.
positional: _input
options:
  _input:
    description: The whitelist.
    type: list
    elements: dict
    required: true
author:
  - modelops.hf_mirror contributors (@modelops)
"""

EXAMPLES = r"""
- name: Refuse a wrong whitelist before anything is installed
  ansible.builtin.debug:
    msg: "{{ models_to_sync | modelops.hf_mirror.whitelist | length }} repositories"
"""

RETURN = r"""
_value:
  description: The same whitelist.
  type: list
  elements: dict
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse


def whitelist(entries: Any) -> Any:
    """Return ``entries``, or raise AnsibleFilterError with what is wrong."""
    try:
        parse(entries)
    except MirrorError as problem:
        raise AnsibleFilterError(str(problem)) from problem
    return entries


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return name -> function."""
        return {"whitelist": whitelist}
