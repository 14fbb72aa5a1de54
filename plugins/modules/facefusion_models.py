#!/usr/bin/python
# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Place models from a mirror where FaceFusion looks for them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: facefusion_models
short_description: Install models from a mirror where FaceFusion looks for them
version_added: 0.9.0
description:
  - Downloads pairs of a model and its C(.hash) file from a mirror into FaceFusion's folder of models, so that
    FaceFusion starts without a download.
  - Each file is verified against the hash that the mirror lists for it (SHA-256 for LFS files, the Git blob's SHA-1 for
    the others), and each pair as FaceFusion does it, which deletes a model that does not match its C(.hash). Then it
    is moved into place atomically.
  - Valid files are not downloaded again, and not hashed again unless they changed. A file with other content, such as a
    C(.hash) that is an error page or has a newline, is replaced.
  - An interrupted download is resumed, in the same run and in the next one.
  - Removes nothing. Other files are left as they are.
  - Leaves C(.hf-mirror.json) and C(.hf-mirror.lock) in the folder, and hidden C(.part) files of unfinished downloads.
options:
  path:
    description:
      - The folder, C(.assets/models) in FaceFusion's own. It is created if it is missing.
      - When run as root, the files get the owner of the folder.
    type: path
    required: true
  endpoint:
    description: URL of the mirror. Proxies of the environment (C(http_proxy), C(no_proxy)) are used, as by curl.
    type: str
    required: true
  fallback_endpoint:
    description:
      - URL of a second source for files that the mirror fails to send, for example V(https://huggingface.co). It is
        asked for the same commit, and its files must have the hashes that the mirror lists.
      - If the mirror is down, the listing from when the same models were last installed applies. Models that were never
        installed are not downloaded then.
      - It gets no credentials.
    type: str
  models:
    description:
      - The models to install. There is no value for all of a repository.
      - Likenesses of real people (C(facefusion/deepfacelive-models-SCOPE)) go to C(SCOPE/NAME.dfm) and
        C(SCOPE/NAME.hash), as FaceFusion requires, all others to C(NAME.onnx) and C(NAME.hash).
    type: list
    elements: dict
    required: true
    suboptions:
      repo_id:
        description: The repository.
        type: str
        required: true
      names:
        description: Names of models, without C(.onnx).
        type: list
        elements: str
        required: true
  revision:
    description: Branch, tag or commit. The mirror resolves it once, and all files come from that commit.
    type: str
    default: main
  token:
    description: Access token for the mirror. Sent to the origin of O(endpoint) only, as all credentials are.
    type: str
  username:
    description: User name for a mirror that requires a login.
    type: str
    aliases: [url_username]
  password:
    description: Password of O(username).
    type: str
    aliases: [url_password]
  ca_path:
    description: PEM file on the host with the CA of the mirror's certificate. The system's CAs are also trusted.
    type: path
  client_cert:
    description: PEM file on the host with a certificate for the mirror, and its key unless there is O(client_key).
    type: path
  client_key:
    description: PEM file on the host with the key of O(client_cert), without a passphrase.
    type: path
  parallel:
    description: How many models are downloaded or hashed at the same time.
    type: int
    default: 4
  timeout:
    description: Timeout in seconds, for a connection and for data on it.
    type: int
    default: 30
requirements:
  - Nothing but Python.
attributes:
  check_mode:
    description: Reads the mirror and the folder like a run, and writes nothing.
    support: full
  diff_mode:
    description: Shows each file that is missing or wrong, with the expected size and hash.
    support: full
seealso:
  - plugin: modelops.hf_mirror.facefusion_pairs
    plugin_type: filter
    description: Converts names of processors into O(models).
author:
  - modelops.hf_mirror contributors (@modelops)
"""

EXAMPLES = r"""
- name: Install one model and those of the safety check
  modelops.hf_mirror.facefusion_models:
    path: /opt/facefusion/.assets/models
    endpoint: https://mirror.example.org
    models:
      - repo_id: facefusion/models-3.0.0
        names: [inswapper_128]
      - repo_id: facefusion/models-3.3.0
        names: [nsfw_1, nsfw_2, nsfw_3]

- name: Install what FaceFusion needs with its default settings, from the Hub if the mirror fails
  modelops.hf_mirror.facefusion_models:
    path: /opt/facefusion/.assets/models
    endpoint: https://mirror.example.org
    fallback_endpoint: https://huggingface.co
    token: "{{ vault_mirror_token }}"
    models: "{{ catalogue | modelops.hf_mirror.facefusion_pairs('3.8.1', ['face_swapper']) }}"
  vars:
    catalogue: "{{ lookup('ansible.builtin.file', 'models.yml') | from_yaml }}"
"""

RETURN = r"""
placed:
  description: Files that were missing, by their names in the folder. In check mode those that would be installed.
  returned: always, once the mirror was asked
  type: list
  elements: str
  sample: [inswapper_128.hash, inswapper_128.onnx]
repaired:
  description: Files that were there with other content. In check mode those that would be replaced.
  returned: always, once the mirror was asked
  type: list
  elements: str
missing:
  description: RV(placed) and RV(repaired) together.
  returned: in check mode
  type: list
  elements: str
bytes:
  description: The size of all of them.
  returned: always, once the mirror was asked
  type: int
  sample: 554253689
commits:
  description: For each repository the commit of its files.
  returned: always, once the mirror was asked
  type: dict
  sample: {facefusion/models-3.0.0: 7f9b2b6f1e1a6a3b6f0c0d9f5c9f6d1e2a3b4c5d}
sources:
  description: For each file that was installed or repaired the endpoint that it came from.
  returned: when not in check mode
  type: dict
  sample: {inswapper_128.onnx: "https://mirror.example.org"}
failures:
  description: Models that could not be installed, as C(REPO/NAME), with the reason. The others are installed.
  returned: always, once the mirror was asked
  type: dict
"""

from dataclasses import fields
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.modelops.hf_mirror.plugins.module_utils._base.errors import sentence
from ansible_collections.modelops.hf_mirror.plugins.module_utils._facefusion.endpoint import Access
from ansible_collections.modelops.hf_mirror.plugins.module_utils._facefusion.folder import nearest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._facefusion.pairs import read_pairs
from ansible_collections.modelops.hf_mirror.plugins.module_utils._facefusion.placement import (
    Outcome,
    Placement,
    Settings,
)
from ansible_collections.modelops.hf_mirror.plugins.module_utils._module.door import Call, answer


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "endpoint": {"type": "str", "required": True},
            "fallback_endpoint": {"type": "str"},
            "models": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "repo_id": {"type": "str", "required": True},
                    "names": {"type": "list", "elements": "str", "required": True},
                },
            },
            "revision": {"type": "str", "default": "main"},
            "token": {"type": "str", "no_log": True},
            "username": {"type": "str", "aliases": ["url_username"]},
            "password": {"type": "str", "no_log": True, "aliases": ["url_password"]},
            "ca_path": {"type": "path"},
            "client_cert": {"type": "path"},
            "client_key": {"type": "path", "no_log": False},
            "parallel": {"type": "int", "default": 4},
            "timeout": {"type": "int", "default": 30},
        },
        mutually_exclusive=[("token", "username")],
        required_together=[("username", "password")],
        required_by={"client_key": "client_cert"},
        supports_check_mode=True,
    )
    answer(module, "facefusion_models", work, lambda: nearest(Path(module.params["path"])), RETURN)


def work(call: Call) -> dict[str, Any]:
    params = call.params
    pairs = read_pairs(params["models"])
    access = Access(**{one.name: params[one.name] for one in fields(Access)})
    names = ("endpoint", "fallback_endpoint", "revision", "parallel", "timeout")
    placement = Placement(Settings(Path(params["path"]), access=access, **{name: params[name] for name in names}))
    outcome = placement.check(pairs) if call.check_mode else placement.run(pairs)
    found: dict[str, Any] = {**result(outcome), "warnings": outcome.warnings}
    if call.check_mode:
        found["missing"] = sorted([*found["placed"], *found["repaired"]])
    else:
        found["sources"] = outcome.sources
    if call.diff:
        found["diff"] = diff(outcome)
    if outcome.problems:
        # what does not fail is placed all the same
        found.update({"failed": True, "msg": sentence(outcome.problems, len(pairs))})
    return found


def result(outcome: Outcome) -> dict[str, Any]:
    return {
        "changed": bool(outcome.items),
        "placed": [item.name for item in outcome.items if not item.exists],
        "repaired": [item.name for item in outcome.items if item.exists],
        "bytes": sum(item.file.size for item in outcome.items),
        "commits": outcome.commits,
        "failures": {name: str(problem) for name, problem in outcome.problems.items()},
    }


def diff(outcome: Outcome) -> dict[str, str]:
    before = [f"{item.name} is {'wrong' if item.exists else 'missing'}\n" for item in outcome.items]
    after = [f"{item.name} {item.file.size} bytes {item.file.etag}\n" for item in outcome.items]
    return {"before": "".join(before), "after": "".join(after)}


if __name__ == "__main__":
    main()
