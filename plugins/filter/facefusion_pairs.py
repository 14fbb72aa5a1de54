# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the models that a FaceFusion needs, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
name: facefusion_pairs
short_description: Choose the models that a FaceFusion needs
version_added: 0.9.0
description:
  - Returns what a start of FaceFusion with some processors and its default settings loads, as
    M(modelops.hf_mirror.facefusion_models) takes it. The models of the safety check are always in.
  - What each version loads is data, C(files/models.yml) of the role C(facefusion).
  - Runs on the controller and asks nobody.
positional: _input, version, processors, names
options:
  _input:
    description: The data.
    type: dict
    required: true
  version:
    description: FaceFusion's version, for instance V(3.8.1). A newer one is taken for the last that the data knows.
    type: str
    required: true
  processors:
    description: FaceFusion's processors. An empty list is what every start loads.
    type: list
    elements: str
    required: true
  names:
    description:
      - Models besides those, by name, with those that FaceFusion loads with them; or as C(ORG/REPO/NAME), from
        repositories that the data does not know.
      - A likeness of a real person has to be named so, one by one. No processor brings one.
    type: list
    elements: str
    default: []
author:
  - modelops.hf_mirror contributors (@modelops)
"""

EXAMPLES = r"""
- name: Show what the face swapper needs, with another model for it
  ansible.builtin.debug:
    msg: "{{ catalogue | modelops.hf_mirror.facefusion_pairs('3.8.1', ['face_swapper'], ['inswapper_128']) }}"
  vars:
    catalogue: "{{ lookup('ansible.builtin.file', 'models.yml') | from_yaml }}"
"""

RETURN = r"""
_value:
  description: One item for each repository, with C(repo_id) and C(names).
  type: list
  elements: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._facefusion.choice import choose


def facefusion_pairs(
    catalogue: Mapping[str, Any], version: str, processors: Sequence[str], names: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return what to place, or raise AnsibleFilterError with what is wrong."""
    try:
        return choose(catalogue, version, processors, names)
    except MirrorError as problem:
        raise AnsibleFilterError(str(problem)) from problem


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return name -> function."""
        return {"facefusion_pairs": facefusion_pairs}
