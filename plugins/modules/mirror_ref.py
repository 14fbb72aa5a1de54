#!/usr/bin/python
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what a reference of a mirrored repository names, and which commits stay."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_ref
short_description: Promote, roll back, pin and freeze what a mirror publishes
version_added: 0.9.0
description:
  - Points a branch or tag to another commit in the store, keeps a commit, or freezes a reference.
  - It takes effect atomically, also during a sync. It does not contact the Hub and downloads nothing. A commit is
    published only if all its files exist and can be read.
  - The ledger records who did it and why.
options:
  repo_id:
    description: The repository, for instance V(facefusion/models-3.0.0).
    type: str
    required: true
  repo_type:
    description: The repository's type.
    type: str
    choices: [model, dataset, space]
    default: model
  ref:
    description: The branch or tag.
    type: str
    default: main
  commit:
    description:
      - A commit that the store has. Seven digits of it are enough.
      - Required for O(state=rolled_back), because a task that runs twice would roll back twice, and two mirrors may
        have published different commits before.
      - Optional for O(state=promoted), which then publishes the pending commit, or does nothing if there is none.
      - Optional for O(state=pinned) and O(state=unpinned), which then use the current commit of O(ref).
    type: str
  state:
    description:
      - V(promoted) publishes O(commit) under O(ref).
      - V(rolled_back) does the same with a commit that O(ref) named before. No sync publishes the rolled-back commit
        again, until somebody promotes it or the upstream moves to another one.
      - V(pinned) keeps O(commit), whatever is published. V(unpinned) keeps it no longer than the whitelist says.
      - V(frozen) holds O(ref) where it is, whatever the upstream does. V(unfrozen) lets it follow the upstream again.
    type: str
    choices: [promoted, rolled_back, pinned, unpinned, frozen, unfrozen]
    required: true
  note:
    description: The reason, for the ledger. It is recorded only if something changes.
    type: str
    default: ""
extends_documentation_fragment:
  - modelops.hf_mirror.settings.store
  - modelops.hf_mirror.settings.actor
attributes:
  check_mode:
    description: Makes the same checks as a run, and writes nothing.
    support: full
  diff_mode:
    description: Shows the commit of O(ref), or the state of O(commit) or O(ref), before and after.
    support: full
seealso:
  - module: modelops.hf_mirror.mirror_info
    description: Returns the commits in the store.
author:
  - modelops.hf_mirror contributors (@modelops)
"""

EXAMPLES = r"""
- name: Go back to the model of last week
  modelops.hf_mirror.mirror_ref:
    store: /srv/hf-mirror
    repo_id: facefusion/models-3.3.0
    commit: d949bce40a65
    state: rolled_back
    note: faces turn green
  become: true

- name: Publish the pending commit
  modelops.hf_mirror.mirror_ref:
    store: /srv/hf-mirror
    repo_id: facefusion/models-3.3.0
    state: promoted
  become: true
"""

RETURN = r"""
repo_id:
  description: The repository.
  returned: success
  type: str
repo_type:
  description: Its type.
  returned: success
  type: str
ref:
  description: The branch or tag.
  returned: success, except for O(state=pinned) and O(state=unpinned)
  type: str
commit:
  description: The whole id of the commit that O(ref) names now or in check mode would name, or of the pinned one.
  returned: success
  type: str
old:
  description: The previous commit of O(ref), null if it was not published.
  returned: when O(ref) moved
  type: str
serial:
  description: The number of this publish of O(ref).
  returned: when O(ref) moved
  type: int
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.door import UNIT, Call, answer
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.options import REQUIRED, Given, argument_spec
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.facts import RepoFacts
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.ref_order import RefOrder
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.refs import Change
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import open_store
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.ref_change import (
    BehindError,
    make_change,
    plan_change,
)

VERBS = {
    "promoted": "promote",
    "rolled_back": "rollback",
    "pinned": "pin",
    "unpinned": "unpin",
    "frozen": "freeze",
    "unfrozen": "unfreeze",
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec("store", "actor"),
            "repo_id": {"type": "str", "required": True},
            "repo_type": {"type": "str", "choices": ["model", "dataset", "space"], "default": "model"},
            "ref": {"type": "str", "default": "main"},
            "commit": {"type": "str"},
            "state": {"type": "str", "choices": list(VERBS), "required": True},
            "note": {"type": "str", "default": ""},
        },
        required_if=[("state", "rolled_back", ["commit"])],
        supports_check_mode=True,
        **REQUIRED,
    )
    answer(module, "mirror_ref", work, lambda: Given(module.params).store, RETURN, UNIT)


def work(call: Call) -> dict[str, Any]:
    given = Given(call.params)
    order = _order(call.params)
    store = open_store(given.store)

    def decide(facts: RepoFacts) -> Change:
        # a second run of the task finds nothing that waits: that is what was wanted
        is_done = order.verb == "promote" and not order.commit and order.revision not in facts.pending
        return None if is_done and order.revision in facts.refs else order(facts)

    try:
        change = (
            plan_change(store, order.repo, decide)
            if call.check_mode
            else make_change(store, order.repo, decide, given.settings().actor, call.params["note"])
        )
    except BehindError as problem:
        return {"failed": True, "msg": str(problem), "changed": True}
    found: dict[str, Any] = order.answer(store.repository(order.repo).facts(), change)
    if not call.diff:
        del found["diff"]
    return found


def _order(params: Mapping[str, Any]) -> RefOrder:
    verb, ref, commit = VERBS[params["state"]], params["ref"], params["commit"]
    if verb in ("pin", "unpin"):
        ref, commit = commit or ref, None
    return RefOrder.of(verb, params["repo_type"], params["repo_id"], ref, commit)


if __name__ == "__main__":
    main()
