# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of names, for a server's configuration."""

from __future__ import annotations

DOCUMENTATION = r"""
name: name_pattern
short_description: Return the expression of a kind of name
version_added: 0.9.0
description:
  - Returns the regular expression by which the engine knows a kind of name, so that a configuration is rendered from
    the same grammar. Python and PCRE read it alike. It is a group, and has no anchors.
positional: _input
options:
  _input:
    description:
      - The kind. V(word) is a part of a repository's id, V(repo_name) its last part, V(glob) what stands for several
        repositories or views in a rule.
    type: str
    choices: [commit, etag, word, repo_name, ref, view, glob]
    required: true
author:
  - modelops.hf_mirror contributors (@modelops)
"""

EXAMPLES = r"""
- name: Refuse what is no commit
  ansible.builtin.assert:
    that: wanted is match('commit' | modelops.hf_mirror.name_pattern ~ '$')
"""

RETURN = r"""
_value:
  description: The expression.
  type: str
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base import names

_PATTERNS = {
    "commit": names.COMMIT,
    "etag": names.ETAG,
    "word": names.WORD,
    "repo_name": names.REPO_NAME,
    "ref": names.REF,
    "view": names.VIEW,
    "glob": names.GLOB,
}


def name_pattern(kind: str) -> str:
    """Return the expression of a kind of name, or raise AnsibleFilterError."""
    if kind not in _PATTERNS:
        raise AnsibleFilterError(f"name_pattern knows {', '.join(_PATTERNS)}, not {kind!r}")
    return f"(?:{_PATTERNS[kind]})"


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return name -> function."""
        return {"name_pattern": name_pattern}
