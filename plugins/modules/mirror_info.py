#!/usr/bin/python
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what a mirror's store has, and how it fares."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_info
short_description: Return the contents and the state of a mirror's store
version_added: 0.9.0
description:
  - Returns each repository with its references, their versions, its commits and why they are kept, each entry of the
    whitelist with its last success and its failures, the last run, and the disk usage.
  - Only reads the store. It does not contact the Hub and writes nothing.
extends_documentation_fragment:
  - modelops.hf_mirror.settings.store
attributes:
  check_mode:
    description: Changes nothing anyway.
    support: full
  diff_mode:
    description: Changes nothing anyway.
    support: none
seealso:
  - module: modelops.hf_mirror.mirror_ref
author:
  - modelops.hf_mirror contributors (@modelops)
"""

EXAMPLES = r"""
- name: Inspect the mirror
  modelops.hf_mirror.mirror_info:
    store: /srv/hf-mirror
  register: mirror

- name: Show which entries have a pending commit
  ansible.builtin.debug:
    msg: "{{ mirror.entries | selectattr('pending') | map(attribute='name') }}"
"""

RETURN = r"""
repos:
  description: The repositories of the store.
  returned: success
  type: list
  elements: dict
  contains:
    repo_id:
      description: The repository.
      type: str
    repo_type:
      description: V(model), V(dataset) or V(space).
      type: str
    gated:
      description: Whether the Hub gates the repository or keeps it private.
      type: bool
    license:
      description: The license of its card, null if there is none.
      type: str
    tags:
      description: The tags of its card.
      type: list
      elements: str
    problem:
      description: Why the repository can't be read, if so. The other values are empty then.
      type: str
    refs:
      description:
        - The references. Each has C(name), C(commit) (the published one), C(pending) (a commit that waits for
          approval), C(frozen), and C(versions).
        - C(versions) are its publishes, newest first, with C(serial), C(commit), C(time), C(actor), C(note) (why),
          C(rollback) and C(here), which is true if the store still has the commit, so that you can roll back to it.
      type: list
      elements: dict
    commits:
      description:
        - The commits that the store has. Each has C(commit), C(files), C(bytes), C(refs) (those that name it),
          C(pinned), C(listed) (the whitelist names it by its id), and C(retired_hours), which is null where something
          names it.
        - Commits share equal contents, so the sum of their bytes may be more than their disk usage.
      type: list
      elements: dict
entries:
  description:
    - Everything that ever was in the whitelist, and each reference of the store. Each has C(name), C(commit),
      C(pending), C(files), C(bytes), C(versions), C(pinned), C(retired), C(frozen), C(last_success) in seconds
      since 1970, C(failures) (in a row) and C(message).
  returned: success
  type: list
  elements: dict
last_run:
  description:
    - The last sync that finished, null if there was none. It has C(run) (its number), C(time), C(actor),
      C(duration) in seconds, C(succeeded) (the entries that changed or recovered), C(unchanged) (how many others),
      C(failed) (why, by entry) and C(fetched_bytes).
  returned: success
  type: dict
running:
  description: The sync in progress, null if there is none. It has C(by) and C(progress).
  returned: success
  type: dict
disk:
  description: The bytes of all contents, and those of the disk, as C(used_bytes), C(free_bytes),
    C(total_bytes) and C(free_inodes).
  returned: success
  type: dict
scrub:
  description:
    - C(last) is the last complete scrub of all contents, null if there was none, with C(began), C(ended),
      C(contents), C(bytes) and C(rotten). C(rotten) is how many contents are rotten now and not served.
  returned: success
  type: dict
node:
  description:
    - The last state that keepalived reported for this node of a pair, as C(state), C(since) and C(takeovers) (how often
      it became the active one). Null if it never did.
    - The state is V(active), V(standby), V(fault) or V(stopped).
  returned: success
  type: dict
traffic:
  description:
    - What C(hf-mirror count) found in the access log so far. Null if nothing was counted yet.
    - It has C(since) and C(counted) (in seconds since 1970), C(gaps) (how often a part of the log was gone before it
      was read), C(total) (requests and bytes by outcome), and C(hit_rate) of the last C(day), C(week) and C(month).
    - A hit rate has the downloads that were C(served) and C(missed), and C(rate) and C(bytes_rate), from 0 to 1. These
      are null if there were fewer than 20 downloads. Files that a repository never had are not missed.
  returned: success
  type: dict
peers:
  description:
    - How the other nodes fared when this one asked them last. Empty if it does not replicate any.
    - Each has C(endpoint), C(asked) and C(answered) (in seconds since 1970), C(problem), C(differences) (in how many
      places both stores differ, null if that is not known), C(since) (when the problem or the difference began, null
      if there is none), and C(node), which is what the peer says of itself.
  returned: success
  type: list
  elements: dict
store:
  description: The store's folder.
  returned: success
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.modelops.hf_mirror.plugins.module_utils._check.describe import describe
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.door import UNIT, Call, answer
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.options import REQUIRED, Given, argument_spec
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import open_store


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec("store"), supports_check_mode=True, **REQUIRED)
    answer(module, "mirror_info", work, lambda: Given(module.params).store, RETURN, UNIT)


def work(call: Call) -> dict[str, Any]:
    return {"changed": False, **describe(open_store(Given(call.params).store))}


if __name__ == "__main__":
    main()
