#!/usr/bin/python
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify a mirror's store, and repair what is rotten."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_verify
short_description: Verify a mirror's store, and repair what is rotten
version_added: 0.9.0
description:
  - Verifies the structure of a store, or every byte of it.
  - A content that does not match its hash is made unreadable at once under all its names, for which nginx returns
    403. It is then downloaded again from the Hub, verified, and put in place of the rotten one under each of its
    names, also in views.
  - A rotten content that no repository needs any more is removed.
  - nginx and syncs continue meanwhile.
  - The task fails if damage is left.
options:
  mode:
    description:
      - V(structure) checks that all names are consistent, from each reference to the size of each content. It takes
        seconds and changes nothing. Each finding says how to repair it.
      - V(content) reads all contents again from the disk and compares their hashes. It continues where the last call
        ended. After the last content the next round begins.
    type: str
    choices: [structure, content]
    default: structure
  repair:
    description:
      - Download rotten contents again, for O(mode=content). Otherwise they are only made unreadable.
    type: bool
    default: true
  models:
    description:
      - The whitelist, as M(modelops.hf_mirror.mirror_models) takes it. It is used only to find which of O(tokens) opens
        which repository.
    type: list
    elements: dict
extends_documentation_fragment:
  - modelops.hf_mirror.settings.store
  - modelops.hf_mirror.settings.upstream
  - modelops.hf_mirror.settings.scrub
  - modelops.hf_mirror.settings.actor
requirements:
  - huggingface_hub >= 0.36, to repair
  - urllib3 >= 2.2, to repair
attributes:
  check_mode:
    description: With O(mode=content) everything is read as in a run, and nothing is changed or remembered.
    support: full
  diff_mode:
    description: There is no diff. See RV(findings).
    support: none
author:
  - modelops.hf_mirror contributors (@modelops)
"""

EXAMPLES = r"""
- name: Check that all names in the store are consistent
  modelops.hf_mirror.mirror_verify:
    store: /srv/hf-mirror
  become: true
  vars:
    ansible_python_interpreter: /opt/hf-mirror/venv/bin/python

- name: Read contents for six hours, 100 MB a second, and repair what is rotten
  modelops.hf_mirror.mirror_verify:
    store: /srv/hf-mirror
    mode: content
    rate: 100000000
    duration: 21600
  become: true
  vars:
    ansible_python_interpreter: /opt/hf-mirror/venv/bin/python
"""

RETURN = r"""
findings:
  description: What is wrong, or was until it was repaired.
  returned: always
  type: list
  elements: dict
  contains:
    what:
      description: What is wrong.
      type: str
      sample: its 4000000 bytes hash to 5a1b0c
    path:
      description: Where, relative to the store. With O(mode=structure).
      type: str
    damage:
      description: True if it affects clients, false if it is only left over. With O(mode=structure).
      type: bool
    mend:
      description: Commands that repair it. With O(mode=structure).
      type: list
      elements: str
    sync:
      description: Whether a sync is needed after these commands. With O(mode=structure).
      type: bool
    etag:
      description: The content's name. With O(mode=content).
      type: str
    names:
      description: All names that it has, relative to the store, 100 at most. With O(mode=content).
      type: list
      elements: str
    bytes:
      description: Its size on the disk. With O(mode=content).
      type: int
    state:
      description: V(repaired), V(removed) or V(left). With O(mode=content).
      type: str
    problem:
      description: Why it could not be repaired. With O(mode=content).
      type: str
contents:
  description: How many contents were read.
  returned: with O(mode=content)
  type: int
bytes:
  description: How many bytes were read.
  returned: with O(mode=content)
  type: int
complete:
  description: Whether the round is complete.
  returned: with O(mode=content)
  type: bool
last:
  description:
    - The last complete round. When it C(began) and C(ended) in seconds since 1970, how many C(contents) and
      C(bytes) it read, how many of them were C(rotten).
  returned: with O(mode=content)
  type: dict
"""

import dataclasses
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.fsck import fsck
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import URLLIB3_ERROR
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.hub import HUGGINGFACE_HUB_ERROR
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.door import UNIT, Call, answer
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.options import (
    REQUIRED,
    Given,
    argument_spec,
    with_secrets,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine, open_store
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store.store import Store


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec("store", "upstream", "scrub", "actor"),
            "mode": {"type": "str", "choices": ["structure", "content"], "default": "structure"},
            "repair": {"type": "bool", "default": True},
            "models": {"type": "list", "elements": "dict"},
        },
        supports_check_mode=True,
        **REQUIRED,
    )
    answer(module, "mirror_verify", work, lambda: Given(module.params).store, RETURN, UNIT, with_secrets)


def work(call: Call) -> dict[str, Any]:
    given = Given(call.params)
    store = open_store(given.store)
    if call.params["mode"] == "structure":
        damage, found = verify_structure(store)
    else:
        missing = _missing_library(call)
        if missing:
            return missing
        damage, found = verify_content(call, given, store)
    if damage:
        found |= {"failed": True, "msg": f"{len(damage)} damaged: {'; '.join(damage)}"}
    return found


def verify_structure(store: Store) -> tuple[list[str], dict[str, Any]]:
    found = fsck(store)
    damage = [f"{one.path} {one.what}" for one in found if one.damage]
    return damage, {"changed": False, "findings": [dataclasses.asdict(one) for one in found]}


def _missing_library(call: Call) -> dict[str, Any] | None:
    if call.params["repair"] and not call.check_mode:
        for library, error in {"huggingface_hub": HUGGINGFACE_HUB_ERROR, "urllib3": URLLIB3_ERROR}.items():
            if error:
                return {"failed": True, "msg": missing_required_lib(library), "exception": error}
    return None


def verify_content(call: Call, given: Given, store: Store) -> tuple[list[str], dict[str, Any]]:
    wanted = given.whitelist() if given.has_whitelist and call.params["models"] != [] else []
    engine = Engine(given.settings(store=store.root))
    report = engine.scrub(list(engine.whitelist(wanted).wanted), call.params["repair"], call.check_mode)
    found = report.to_json()
    found["findings"] = found.pop("rotten")
    if call.check_mode:
        found["changed"] = bool(report.left)
    left = [f"{one.etag} ({one.what}){f': {one.problem}' if one.problem else ''}" for one in report.left]
    return left, found


if __name__ == "__main__":
    main()
