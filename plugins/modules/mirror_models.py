#!/usr/bin/python
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sync chosen Hub repositories into a mirror's store."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_models
short_description: Sync chosen Hugging Face repositories into a mirror's store
version_added: 0.1.0
description:
  - Brings the repositories of a whitelist from the Hub into a store that nginx serves and any Hub client understands.
  - Every file is verified against the hash that the Hub declares (SHA-256 for LFS files, the Git blob's SHA-1 for the
    others) before it gets a name in the store. A branch or tag moves only when all its files are there.
  - What is there already is not fetched again, whichever repository it came with. A download that was cut resumes.
  - One repository that fails never stops the others. The task then fails at the end and names it.
  - Nothing is removed. What left the whitelist or the Hub stays served.
options:
  store:
    description:
      - The store's folder. It must exist, and belong to the user that the module runs as.
      - An empty folder becomes a store. A folder with other things in it is refused.
    type: path
    required: true
  models:
    description:
      - The whitelist, a list of entries. It is checked as a whole before anything is touched.
      - C(repo_id) names the repository, for instance V(facefusion/models-3.0.0). It is all that an entry needs.
      - C(repo_type) is V(model) (the default), V(dataset) or V(space).
      - C(revision) is a branch or tag without a slash in its name (default V(main)), C(refs/pr/N), C(refs/convert/NAME)
        or a commit of 40 hexadecimal digits.
      - C(files) lists the files to mirror. C(allow_patterns) gives shell patterns instead, as C(snapshot_download) of
        huggingface_hub takes them. With neither, all files are mirrored.
      - C(views) lists flat folders that shall hold the files as well, by hard link; nginx serves them under
        C(/models/VIEW/).
    type: list
    elements: dict
    required: true
    aliases: [models_to_sync]
  endpoint:
    description: URL of the Hub, or of anything that answers as the Hub does.
    type: str
    default: https://huggingface.co
  proxy:
    description: URL of an HTTP proxy for all requests, for instance V(http://proxy.example.com:3128).
    type: str
  token:
    description: Access token for the Hub, for gated and private repositories. It is sent to O(endpoint) only.
    type: str
  workers:
    description: How many files are fetched at the same time.
    type: int
    default: 4
requirements:
  - huggingface_hub >= 0.36
  - urllib3 >= 1.26
attributes:
  check_mode:
    description: Asks the Hub and the store the same questions as a run, and writes nothing.
    support: full
  diff_mode:
    description: Shows the old and new commit of each reference, and each file to be fetched with its size in bytes.
    support: full
author:
  - modelops.hf_mirror contributors (@modelops)
"""

EXAMPLES = r"""
- name: Mirror one model of one repository
  modelops.hf_mirror.mirror_models:
    store: /srv/hf-mirror
    models:
      - repo_id: deepinsight/inswapper-128
        files: [inswapper_128.onnx]
  become: true
  become_user: hf-mirror
  vars:
    ansible_python_interpreter: /opt/hf-mirror/venv/bin/python

- name: Mirror a tagged version without its training files, and FaceFusion's models also as a flat folder
  modelops.hf_mirror.mirror_models:
    store: /srv/hf-mirror
    models:
      - repo_id: sentence-transformers/all-MiniLM-L6-v2
        revision: v2.0
        allow_patterns: ["*.json", "*.safetensors", "*.txt"]
      - repo_id: facefusion/models-3.0.0
        views: [facefusion]
"""

RETURN = r"""
repos:
  description: One item for each repository of the whitelist, with what was done or, in check mode, would be done.
  returned: always, once the Hub was asked
  type: list
  elements: dict
  contains:
    repo_id:
      description: The repository.
      type: str
    repo_type:
      description: V(model), V(dataset) or V(space).
      type: str
    refs:
      description: For each reference that moved its name, and the old and new commit.
      type: list
      elements: dict
    commits:
      description: For each commit that was sealed its id, the number of its files and their size in bytes.
      type: list
      elements: dict
fetched_files:
  description: Contents that the store did not have. In check mode those that would be fetched.
  returned: always, once the Hub was asked
  type: int
  sample: 22
fetched_bytes:
  description: The size of RV(fetched_files) in bytes.
  returned: always, once the Hub was asked
  type: int
  sample: 5834020
views:
  description: Names of the views that changed.
  returned: always, once the Hub was asked
  type: list
  elements: str
failures:
  description: What could not be synced, by whitelist entry or repository, with the reason.
  returned: always, once the Hub was asked
  type: dict
"""

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.modelops.hf_mirror.plugins.module_utils._errors import MirrorError
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch import URLLIB3_ERROR
from ansible_collections.modelops.hf_mirror.plugins.module_utils._hub import HUGGINGFACE_HUB_ERROR, Hub
from ansible_collections.modelops.hf_mirror.plugins.module_utils._report import diff, result
from ansible_collections.modelops.hf_mirror.plugins.module_utils._store import Store
from ansible_collections.modelops.hf_mirror.plugins.module_utils._sync import Sync
from ansible_collections.modelops.hf_mirror.plugins.module_utils._whitelist import parse


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "store": {"type": "path", "required": True},
            "models": {"type": "list", "elements": "dict", "required": True, "aliases": ["models_to_sync"]},
            "endpoint": {"type": "str", "default": "https://huggingface.co"},
            "proxy": {"type": "str"},
            "token": {"type": "str", "no_log": True},
            "workers": {"type": "int", "default": 4},
        },
        supports_check_mode=True,
    )
    # nginx, another user, reads what is written here, whatever the operator's own umask is
    os.umask(0o022)
    try:
        run(module)
    except (MirrorError, OSError) as problem:
        module.fail_json(msg=str(problem))


def run(module: AnsibleModule) -> None:
    params: dict[str, Any] = module.params
    wanted = parse(params["models"])
    if params["workers"] < 1:
        raise MirrorError(f"workers is {params['workers']}, it must be at least 1")
    store = Store(Path(params["store"]))
    is_store = store.check()
    for library, error in (("huggingface_hub", HUGGINGFACE_HUB_ERROR), ("urllib3", URLLIB3_ERROR)):
        if error and module.check_mode:
            module.exit_json(
                skipped=True, msg=f"{missing_required_lib(library)} Until then nobody can tell what to fetch."
            )
        if error:
            module.fail_json(msg=missing_required_lib(library), exception=error)
    sync = Sync(store, Hub(params["endpoint"], params["token"], params["proxy"]), wanted, params["workers"])
    if module.check_mode:
        plan = sync.plan()
    else:
        store.prepare()
        with store.locked():
            plan = sync.plan()
            before = diff(plan)
            sync.execute(plan)
    answer = result(plan)
    answer["changed"] = plan.changes or not is_store
    if module._diff:
        answer["diff"] = diff(plan) if module.check_mode else before
    if plan.failures:
        # what does not fail is published all the same
        reasons = "; ".join(f"{name}: {reason}" for name, reason in plan.failures.items())
        module.fail_json(msg=f"{len(plan.failures)} of {len(wanted)} entries failed: {reasons}", **answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
