# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check what an operator decides about a run on the controller, before any host is touched."""

from __future__ import annotations

DOCUMENTATION = r"""
name: settings
short_description: Check the limits of a sync's settings
version_added: 0.9.0
description:
  - Returns the settings as they are when M(modelops.hf_mirror.mirror_models) and the command C(hf-mirror) would accept
    their numbers and addresses.
  - Fails with a sentence for each that is wrong otherwise, which shows no secret. Runs on the controller and asks
    nobody.
positional: _input, tokens
options:
  _input:
    description:
      - Settings by the names of options of M(modelops.hf_mirror.mirror_models). What has no limits may be there, too.
    type: dict
    required: true
  tokens:
    description: The names of the tokens that there are. With them, an upstream that names another one is refused.
    type: list
    elements: str
author:
  - modelops.hf_mirror contributors (@modelops)
"""

EXAMPLES = r"""
- name: Validate the settings
  ansible.builtin.assert:
    that: (my_settings | modelops.hf_mirror.settings) is truthy
  vars:
    my_settings:
      workers: 16
      endpoint: https://huggingface.co
"""

RETURN = r"""
_value:
  description: The same settings.
  type: dict
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.setting import problems_of
from ansible_collections.modelops.hf_mirror.plugins.module_utils._cli.config import ALERTS, ALL
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.upstream import unknown_token, upstreams_of


def settings(values: Any, tokens: Any = None) -> Any:
    """Return ``values``, or raise AnsibleFilterError with what is wrong."""
    problems = problems_of({**ALL, **ALERTS}, values)
    if not problems and tokens is not None and values.get("endpoint") is not None:
        unknown = unknown_token(upstreams_of(values["endpoint"]), [str(name) for name in tokens])
        problems = [f"endpoint {unknown}"] if unknown else []
    if problems:
        raise AnsibleFilterError("\n".join(problems))
    return values


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return name -> function."""
        return {"settings": settings}
