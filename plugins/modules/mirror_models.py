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
  - One repository that fails never stops the others. The task then fails at the end and names it, one message for each
    cause.
  - O(store) must exist. An empty folder becomes a store. One with other things in it is refused.
  - An upstream that goes back to an earlier commit, drops all files, is renamed, gated or gone is reported, not
    followed. What is published stays served.
options:
  models:
    description:
      - The whitelist, a list of entries. It is checked as a whole before anything is touched.
      - C(repo_id) names the repository, for instance V(facefusion/models-3.0.0). It is all that an entry needs.
      - C(repo_type) is V(model) (the default), V(dataset) or V(space).
      - C(revision) is a branch or tag without a slash in its name (default V(main)), C(refs/pr/N), C(refs/convert/NAME)
        or a commit of 40 hexadecimal digits.
      - C(files) lists the files to mirror. C(allow_patterns) and C(ignore_patterns) give shell patterns instead, as
        C(snapshot_download) of huggingface_hub takes them. With none of them, all files are mirrored.
      - C(views) lists flat folders that shall hold the files as well, by hard link; nginx serves them under
        C(/models/VIEW/). An entry fails where files of one name differ there, or its repository is gated or private.
      - C(publish) is V(auto) (the default) or V(manual). V(manual) fetches and seals a new commit and leaves
        it pending.
      - C(token) is the name of one of O(tokens).
      - C(keep) is the number of published commits of the revision that stay, so that a person can go back to them
        (default V(2)).
      - C(formats) is V(any) (the default), V(no-pickle) or V(safe). V(no-pickle) holds a commit with a file
        that a loader would read as a pickle, also within archives. V(safe) publishes a commit only when each of its
        files is of a kind that is known to be harmless, by its structure. The message names the file, and why.
      - C(formats_allow) lists shell patterns of files that are not looked at for C(formats).
      - C(allow_rewind) follows an upstream that goes back to a commit that was published before (default V(false)).
      - C(labels) is a list of words for people.
    type: list
    elements: dict
    required: true
    aliases: [models_to_sync]
  state:
    description:
      - V(present) has the entries in the store and removes nothing.
      - V(exact) also removes what no entry names. O(max_delete) is its limit.
      - V(absent) removes the named revisions, and a repository as a whole when none of its revisions is left. No Hub is
        asked.
    type: str
    choices: [present, exact, absent]
    default: present
  lock:
    description:
      - The content of a lock file, as C(hf-mirror lock) writes it. Each entry then gets the commit and the files of the
        lock, to the byte, or fails.
    type: dict
  wait:
    description:
      - Wait for a run that is under way on the same store, then do what is left. Otherwise the task fails at once.
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
    pending:
      description: For each reference with C(publish=manual) its name and the commit that waits for a person.
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
removed:
  description: Repositories, and revisions as C(REPO@REF), that were removed.
  returned: always, once the Hub was asked
  type: list
  elements: str
retired:
  description: Commits that nothing names any more, as C(REPO@COMMIT). They are served by their ids for O(grace).
  returned: always, once the Hub was asked
  type: list
  elements: str
collected:
  description: Commits that are gone, or whose files that were not listed any more are, as C(REPO@COMMIT).
  returned: always, once the Hub was asked
  type: list
  elements: str
freed_bytes:
  description: The bytes that RV(collected) and contents that nothing named free.
  returned: always, once the Hub was asked
  type: int
failures:
  description:
    - What could not be synced, by whitelist entry, with the reason. What failed besides the entries is under V(views),
      V(removal), V(max_delete), V(retention), V(catalogue) or V(ledger).
  returned: always, once the Hub was asked
  type: dict
"""

import json
import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import (
    MirrorError,
    sentence,
    unexpected,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.owner import as_owner
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import URLLIB3_ERROR
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.hub import HUGGINGFACE_HUB_ERROR
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.lockfile import LockFile
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.report import diff, result
from ansible_collections.modelops.hf_mirror.plugins.module_utils._plan.whitelist import parse
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.engine import Engine
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.module_options import (
    argument_spec,
    settings_in,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._run.settings import Settings


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **argument_spec("store", "upstream", "run", "grace", "actor"),
            "models": {"type": "list", "elements": "dict", "required": True, "aliases": ["models_to_sync"]},
            "state": {"type": "str", "choices": ["present", "exact", "absent"], "default": "present"},
            "lock": {"type": "dict"},
            "wait": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    try:
        run(module)
    except (MirrorError, OSError) as problem:
        module.fail_json(msg=str(problem))
    except Exception as error:
        odd = unexpected(error)
        module.fail_json(msg=str(odd), exception=odd.trace)


def run(module: AnsibleModule) -> None:
    params: dict[str, Any] = module.params
    wanted = parse(params["models"])
    engine = Engine(_settings(params))
    engine.store.check()
    _need_libraries(module)
    with as_owner(engine.store.root):
        outcome = (
            engine.plan(wanted, params["state"])
            if module.check_mode
            else engine.run(wanted, params["state"], params["wait"], give_up)
        )
    answer = result(outcome.plan, outcome.problems)
    answer["changed"] = outcome.changed
    if module._diff:
        answer["diff"] = diff(outcome.plan)
    for warning in answer.pop("warnings"):
        module.warn(warning)
    if outcome.problems:
        # what does not fail is published all the same
        module.fail_json(msg=sentence(outcome.problems, len(wanted)), **answer)
    module.exit_json(**answer)


def give_up(problem: MirrorError) -> None:
    """Say why and end the process, from whichever thread: what the others wait for does not come."""
    os.write(1, json.dumps({"failed": True, "msg": str(problem)}).encode() + b"\n")
    os._exit(1)


def _settings(params: dict[str, Any]) -> Settings:
    lock = LockFile.from_json(params["lock"]) if params["lock"] else None
    return Settings(**{**settings_in(params), "store": Path(params["store"]), "lock": lock})


def _need_libraries(module: AnsibleModule) -> None:
    """Fail, or in check mode say what can't be foreseen, where a library is missing."""
    libraries = {"huggingface_hub": HUGGINGFACE_HUB_ERROR, "urllib3": URLLIB3_ERROR}
    for library, error in libraries.items():
        if error and module.check_mode:
            module.exit_json(
                skipped=True, msg=f"{missing_required_lib(library)} Until then nobody can tell what to fetch."
            )
        if error:
            module.fail_json(msg=missing_required_lib(library), exception=error)


if __name__ == "__main__":
    main()
