#!/usr/bin/python
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sync chosen Hub repositories into a mirror's store."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_models
short_description: Sync selected Hugging Face repositories into a mirror's store
version_added: 0.9.0
description:
  - Syncs the repositories of a whitelist from the Hub into a store that nginx serves and any Hub client understands.
  - Every file is verified against the hash that the Hub declares (SHA-256 for LFS files, the Git blob's SHA-1 for the
    others) before it gets a name in the store. A branch or tag moves only when all its files are there.
  - Contents that are already in the store are not downloaded again, whichever repository they came from. Interrupted
    downloads are resumed.
  - A repository that fails does not stop the others. The task then fails at the end and names it, with one message for
    each cause.
  - The store's folder must exist. An empty folder becomes a store. A folder with other files is rejected.
  - An upstream that goes back to an earlier commit, drops all files, is renamed, gated or removed is reported, not
    followed. Published commits stay available.
options:
  models:
    description:
      - The whitelist, a list of entries. It is checked as a whole before anything is changed.
      - C(repo_id) names the repository, for example V(facefusion/models-3.0.0). It is the only required key.
      - C(repo_type) is V(model) (the default), V(dataset) or V(space).
      - C(revision) is a branch or tag without a slash in its name (default V(main)), C(refs/pr/N), C(refs/convert/NAME)
        or a commit of 40 hexadecimal digits.
      - C(files) lists the files to mirror. C(allow_patterns) and C(ignore_patterns) give shell patterns instead, as
        C(snapshot_download) of huggingface_hub takes them. With none of them, all files are mirrored.
      - C(views) lists flat folders that also contain the files, as hard links; nginx serves them under
        C(/models/VIEW/). An entry fails if files of the same name differ there, or its repository is gated or private.
      - C(publish) is V(auto) (the default) or V(manual). V(manual) downloads and seals a new commit and leaves
        it pending.
      - C(token) is the name of one of O(tokens).
      - C(keep) is the number of published commits of the revision that are kept for a rollback (default V(2)).
      - C(formats) is V(any) (the default), V(no-pickle) or V(safe). V(no-pickle) holds a commit with a file
        that a loader would read as a pickle, also within archives. V(safe) publishes a commit only when each of its
        files is of a kind that is known to be harmless, by its structure. The message names the file, and why.
      - C(formats_allow) lists shell patterns of files that C(formats) does not check.
      - C(allow_rewind) follows an upstream that goes back to a commit that was published before (default V(false)).
      - C(labels) is a list of words for people.
      - One of O(models) and O(config) is required, and O(models) for O(state=absent).
    type: list
    elements: dict
    aliases: [models_to_sync]
  models_file:
    description:
      - If the whitelist of O(config) is a folder, the file in it that O(models) replaces, for example V(ansible.yml).
        The other files still apply. Without it O(models) is the whole whitelist.
    type: str
  state:
    description:
      - V(present) syncs the entries and removes nothing.
      - V(exact) also removes what no entry names, up to O(max_delete).
      - V(absent) removes the named revisions, also from all views, and the whole repository if none of its revisions is
        left. It does not contact the Hub.
    type: str
    choices: [present, exact, absent]
    default: present
  lock:
    description:
      - The content of a lock file, as C(hf-mirror lock) writes it. Each entry then gets exactly the commit and files of
        the lock, or fails.
    type: dict
  wait:
    description:
      - Wait for a run in progress on the same store, then do what is left. Otherwise the task fails at once.
    type: bool
    default: true
extends_documentation_fragment:
  - modelops.hf_mirror.settings.store
  - modelops.hf_mirror.settings.upstream
  - modelops.hf_mirror.settings.run
  - modelops.hf_mirror.settings.grace
  - modelops.hf_mirror.settings.actor
requirements:
  - huggingface_hub >= 0.36
  - urllib3 >= 2.2
  - hf_xet 1.8, for O(xet=true)
attributes:
  check_mode:
    description: Reads the Hub and the store like a run, and writes nothing.
    support: full
  diff_mode:
    description: Shows the old and new commit of each reference, and each file to download with its size in bytes.
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
  vars:
    ansible_python_interpreter: /opt/hf-mirror/venv/bin/python

- name: Sync what the host's own configuration and whitelist say
  modelops.hf_mirror.mirror_models:
    config: /etc/hf-mirror/config.yml
  become: true
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
    pending:
      description: For each reference with C(publish=manual) its name and the pending commit.
      type: list
      elements: dict
    commits:
      description: For each commit that was sealed its id, the number of its files and their size in bytes.
      type: list
      elements: dict
fetched_files:
  description: Number of contents that were downloaded, or in check mode would be.
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
removed:
  description: Repositories, and revisions as C(REPO@REF), that were removed.
  returned: always, once the Hub was asked
  type: list
  elements: str
retired:
  description: Commits that nothing references any more, as C(REPO@COMMIT). They are served by their ids for O(grace).
  returned: always, once the Hub was asked
  type: list
  elements: str
collected:
  description: Commits that were removed, or whose no longer listed files were removed, as C(REPO@COMMIT).
  returned: always, once the Hub was asked
  type: list
  elements: str
freed_bytes:
  description: The bytes freed by RV(collected) and by unreferenced contents.
  returned: always, once the Hub was asked
  type: int
failures:
  description:
    - What could not be synced, by whitelist entry, with the reason. Other failures are under V(views),
      V(removal), V(max_delete), V(retention), V(catalogue), V(ledger) or V(whitelist).
  returned: always, once the Hub was asked
  type: dict
"""

import json
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import (
    MirrorError,
    sentence,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import URLLIB3_ERROR
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.hub import HUGGINGFACE_HUB_ERROR
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.door import UNIT, Call, answer
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.options import (
    REQUIRED,
    Given,
    argument_spec,
    with_secrets,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.report import diff, result
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec("store", "upstream", "run", "grace", "actor"),
            "models": {"type": "list", "elements": "dict", "aliases": ["models_to_sync"]},
            "state": {"type": "str", "choices": ["present", "exact", "absent"], "default": "present"},
            "models_file": {"type": "str"},
            "lock": {"type": "dict"},
            "wait": {"type": "bool", "default": True},
        },
        required_one_of=[*REQUIRED["required_one_of"], ("models", "config")],
        required_by={"models_file": ["models", "config"]},
        # what goes is named in the task, and not all that a host has
        required_if=[("state", "absent", ["models"])],
        supports_check_mode=True,
    )
    answer(module, "mirror_models", work, lambda: Given(module.params).store, RETURN, UNIT, with_secrets)


def work(call: Call) -> dict[str, Any]:
    given, state = Given(call.params), call.params["state"]
    wanted = given.whitelist()
    engine = Engine(given.settings(lock=given.lock()))
    engine.store.check()
    missing = _missing_library(call)
    if missing:
        return missing
    outcome = engine.plan(wanted, state) if call.check_mode else engine.run(wanted, state, call.params["wait"], give_up)
    found = {**result(outcome.plan, outcome.problems), "changed": outcome.changed}
    if call.diff:
        found["diff"] = diff(outcome.plan)
    if outcome.problems:
        # what does not fail is published all the same
        found |= {"failed": True, "msg": sentence(outcome.problems, outcome.entries)}
    return found


def give_up(problem: MirrorError) -> None:
    """Say why and end the process, from whichever thread: what the others wait for does not come."""
    os.write(1, json.dumps({"failed": True, "msg": str(problem)}).encode() + b"\n")
    os._exit(1)


def _missing_library(call: Call) -> dict[str, Any] | None:
    """Say that a library is missing, or in check mode what can't be foreseen for that."""
    for library, error in {"huggingface_hub": HUGGINGFACE_HUB_ERROR, "urllib3": URLLIB3_ERROR}.items():
        if error and call.check_mode:
            text = f"{missing_required_lib(library)} Until then check mode can't predict what to download."
            return {"skipped": True, "msg": text}
        if error:
            return {"failed": True, "msg": missing_required_lib(library), "exception": error}
    return None


if __name__ == "__main__":
    main()
