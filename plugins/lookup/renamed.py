# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of extra variables that a playbook does not take any more."""

from __future__ import annotations

DOCUMENTATION = r"""
name: renamed
short_description: Say which extra variables have another name now
version_added: 0.9.0
author:
  - modelops.hf_mirror contributors (@modelops)
description:
  - Returns a sentence for each old name that was given as an extra variable, by C(-e) or by AWX. What an inventory
    calls so is its own affair.
options:
  _terms:
    description: A mapping of old names to new ones.
    required: true
"""

EXAMPLES = r"""
- name: Reject renamed variables
  ansible.builtin.assert:
    that: "query('modelops.hf_mirror.renamed', {'repo': 'promote_repo'}) | length == 0"
"""

RETURN = r"""
_raw:
  description: Sentences, none where no old name was given.
  type: list
  elements: str
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible.utils.vars import load_extra_vars


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        """Return what is wrong."""
        given = load_extra_vars(self._loader)
        names = {old: new for term in terms for old, new in term.items()}
        return [f"{old} was renamed: use -e {new}=..." for old, new in names.items() if old in given]
