#!/usr/bin/python
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retire and collect what nothing in a mirror's store names any more."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_gc
short_description: Retire and collect unreferenced commits of a mirror's store
version_added: 0.9.0
description:
  - Does what every sync does at its end, without a sync. It does not contact the Hub.
  - A commit that nothing references any more is first retired. It stays served by its id for O(grace). A later run then
    collects it, with the contents that nothing else references.
  - Kept are the commit of each reference, its last C(keep) commits, pinned and pending commits, and commits that the
    whitelist names by their ids.
  - Nothing is collected in a repository that can't be read, or whose listings and files disagree. The task then fails
    at the end and names it.
options:
  models:
    description:
      - The whitelist, as M(modelops.hf_mirror.mirror_models) takes it. Its C(keep) sets how many commits of a reference
        are kept. Of a reference that it does not name, all are kept.
    type: list
    elements: dict
    aliases: [models_to_sync]
extends_documentation_fragment:
  - modelops.hf_mirror.settings.store
  - modelops.hf_mirror.settings.grace
  - modelops.hf_mirror.settings.actor
attributes:
  check_mode:
    description: Returns what would be retired and collected and how many bytes this would free, and writes nothing.
    support: full
  diff_mode:
    description: Shows each commit that is retired or collected, and each unreferenced content.
    support: full
author:
  - modelops.hf_mirror contributors (@modelops)
"""

EXAMPLES = r"""
- name: Free disk space
  modelops.hf_mirror.mirror_gc:
    store: /srv/hf-mirror
    models: "{{ models_to_sync }}"
  become: true
"""

RETURN = r"""
retired:
  description: Commits that are retired now, as C(REPO@COMMIT).
  returned: always, once the store was read
  type: list
  elements: str
collected:
  description: Commits that were removed, or whose no longer listed files were removed, as C(REPO@COMMIT).
  returned: always, once the store was read
  type: list
  elements: str
freed_bytes:
  description: The number of bytes freed.
  returned: always, once the store was read
  type: int
failures:
  description: Repositories in which nothing could be collected, and why.
  returned: always, once the store was read
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.door import UNIT, Call, answer
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.options import REQUIRED, Given, argument_spec
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.report import collection, diff
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine, open_store


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec("store", "grace", "actor"),
            "models": {"type": "list", "elements": "dict", "aliases": ["models_to_sync"]},
        },
        supports_check_mode=True,
        **REQUIRED,
    )
    answer(module, "mirror_gc", work, lambda: Given(module.params).store, RETURN, UNIT)


def work(call: Call) -> dict[str, Any]:
    given = Given(call.params)
    wanted = given.whitelist() if given.has_whitelist else []
    open_store(given.store)
    engine = Engine(given.settings())
    whitelist = engine.whitelist(wanted)
    outcome = engine.collect(list(whitelist.wanted), call.check_mode)
    found: dict[str, Any] = {"warnings": list(whitelist.problems.values())}
    found |= {"changed": outcome.changed, **collection(outcome.plan, outcome.problems)}
    if call.diff:
        found["diff"] = diff(outcome.plan)
    if outcome.problems:
        found |= {"failed": True, "msg": "; ".join(map(str, outcome.problems.values()))}
    return found


if __name__ == "__main__":
    main()
