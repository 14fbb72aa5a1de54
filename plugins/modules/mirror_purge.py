#!/usr/bin/python
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take down what a mirror must not serve any more."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_purge
short_description: Remove permanently what a mirror must not serve
version_added: 0.9.0
description:
  - Removes a repository, a file of it, or a content wherever it is, at once and permanently. No sync brings it back.
  - The other node of a pair does the same.
  - It does not contact the Hub, and does not wait for a run.
options:
  name:
    description:
      - A repository such as V(facefusion/models-3.0.0), or a content by its SHA-256 or Git blob SHA-1.
    type: str
    required: true
  repo_type:
    description: The repository's type.
    type: str
    choices: [model, dataset, space]
    default: model
  file:
    description: Only the contents of this path in any commit of the repository O(name). All repositories lose them.
    type: str
  state:
    description:
      - V(purged) removes it. V(lifted) allows a sync to download it again.
    type: str
    choices: [purged, lifted]
    default: purged
  note:
    description: The reason, for the ledger and for later messages.
    type: str
    default: ""
extends_documentation_fragment:
  - modelops.hf_mirror.settings.store
  - modelops.hf_mirror.settings.actor
attributes:
  check_mode:
    description: Returns what would be removed, and writes nothing.
    support: full
  diff_mode:
    description: Shows what is removed.
    support: full
author:
  - modelops.hf_mirror contributors (@modelops)
"""

EXAMPLES = r"""
- name: Remove one file from all commits
  modelops.hf_mirror.mirror_purge:
    store: /srv/hf-mirror
    name: facefusion/models-3.3.0
    file: hyperswap_1a_256.onnx
    note: taken down by its author
"""

RETURN = r"""
purged:
  description: What was removed, or in check mode would be, as C(REPO) or C(REPO@COMMIT PATH).
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.door import UNIT, Call, answer
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.options import REQUIRED, Given, argument_spec
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import open_store
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.purge import Purge, path_of, target_of


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec("store", "actor"),
            "name": {"type": "str", "required": True},
            "repo_type": {"type": "str", "choices": ["model", "dataset", "space"], "default": "model"},
            "file": {"type": "str"},
            "state": {"type": "str", "choices": ["purged", "lifted"], "default": "purged"},
            "note": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
        **REQUIRED,
    )
    answer(module, "mirror_purge", work, lambda: Given(module.params).store, RETURN, UNIT)


def work(call: Call) -> dict[str, Any]:
    params, given = call.params, Given(call.params)
    target = target_of(params["name"], params["repo_type"])
    path = path_of(params["file"])
    order = Purge(
        open_store(given.store), given.settings().actor, params["note"], params["state"] == "lifted", call.check_mode
    )
    purged = order.of(target, path)
    is_done = order.is_done(purged)
    gone = [] if is_done else order.apply(purged)
    found: dict[str, Any] = {"changed": not is_done, "purged": gone}
    if call.diff:
        found["diff"] = {"before": "".join(f"{name}\n" for name in gone), "after": ""}
    return found


if __name__ == "__main__":
    main()
