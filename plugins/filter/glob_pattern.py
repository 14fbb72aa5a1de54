# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands for several names, as an expression for nginx."""

from __future__ import annotations

DOCUMENTATION = r"""
name: glob_pattern
short_description: Turn a pattern with stars into an expression for nginx
version_added: 0.9.0
description:
  - Returns a regular expression of PCRE for a pattern in which V(*) stands for anything, a slash and nothing, too.
  - However many stars it has, whether a name matches is found in one pass over the name.
  - It has no anchors. It only means the same as the pattern between C(^) and C($).
positional: _input
options:
  _input:
    description: The pattern, of letters, digits and C(. _ - / *), not longer than the longest name.
    type: str
    required: true
author:
  - modelops.hf_mirror contributors (@modelops)
"""

EXAMPLES = r"""
- name: Show what nginx is told about a pattern
  ansible.builtin.debug:
    msg: "^{{ 'org/*-onnx*' | modelops.hf_mirror.glob_pattern }}$"
"""

RETURN = r"""
_value:
  description: The expression.
  type: str
"""

import re
from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.names import GLOB, GLOB_LENGTH, shown


def glob_pattern(pattern: str) -> str:
    """Return the expression of a pattern, or raise AnsibleFilterError."""
    if not re.fullmatch(GLOB, pattern):
        raise AnsibleFilterError(
            f"the pattern {shown(pattern)} must be 1 to {GLOB_LENGTH} letters, digits and . _ - / * in length"
        )
    first, *others = (re.escape(part) for part in pattern.split("*"))
    if not others:
        return first
    # Wherever a part stands first, what follows has the most room: nothing else need be tried, and (?>...) never does.
    return first + "".join(f"(?>.*?{part})" for part in others[:-1] if part) + f".*{others[-1]}"


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return name -> function."""
        return {"glob_pattern": glob_pattern}
