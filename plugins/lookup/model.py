# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mirror has under a ref: commit, addresses, hashes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: model
short_description: Return the commit that a ref of a repository names on a mirror, and its files
version_added: 0.10.0
author:
  - modelops.hf_mirror contributors (@modelops)
description:
  - Asks the mirror's API at C(/api/mirror/v1/) (docs/api.md). Nothing is asked of the public Hub.
  - Use the commit from then on, so that a later publish does not change what a play installs.
options:
  _terms:
    description: The repositories, as C(ORG/NAME).
    required: true
  ref:
    description: A branch, a tag, C(refs/pr/N) or a commit.
    type: str
    default: main
  repo_type:
    description: The type of the repositories.
    type: str
    choices: [model, dataset, space]
    default: model
  endpoint:
    description: URL of the mirror, such as V(https://hub.example.com).
    type: str
    required: true
    vars:
      - name: hub_client_endpoint
    env:
      - name: HF_ENDPOINT
  token:
    description: A token of the mirror, if its rules ask for one.
    type: str
    vars:
      - name: hub_client_token
    env:
      - name: HF_TOKEN
  ca_path:
    description: File with the certificate of the mirror's CA, if the controller does not trust it.
    type: path
  timeout:
    description: Seconds to wait for an answer.
    type: int
    default: 30
seealso:
  - module: modelops.hf_mirror.mirror_info
"""

EXAMPLES = r"""
- name: Install a model by its hash
  vars:
    model: "{{ lookup('modelops.hf_mirror.model', 'deepinsight/inswapper-128', endpoint='https://hub.example.com') }}"
    file: "{{ model.files['inswapper_128.onnx'] }}"
  ansible.builtin.get_url:
    url: "{{ file.url }}"
    checksum: "sha256:{{ file.sha256 }}"
    dest: /srv/models/inswapper_128.onnx
    mode: "0644"
"""

RETURN = r"""
_list:
  description:
    - For each repository C(commit), C(bytes), and C(files) by path, each with C(url) (with the endpoint), C(size),
      C(etag) and C(sha256).
  type: list
  elements: dict
"""

import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

from ansible.errors import AnsibleLookupError
from ansible.module_utils.urls import open_url
from ansible.plugins.lookup import LookupBase

#: Bytes of an answer: a commit of 100,000 files has 40 MB.
_MOST = 64 << 20


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        """Return what the mirror tells of each repository."""
        self.set_options(var_options=variables, direct=kwargs)
        endpoint = str(self.get_option("endpoint")).rstrip("/")
        if urlsplit(endpoint).scheme not in ("http", "https"):
            raise AnsibleLookupError(f"endpoint is {endpoint!r}, it must be an http:// or https:// URL")
        return [self._version(endpoint, str(term)) for term in terms]

    def _version(self, endpoint: str, repo_id: str) -> dict[str, Any]:
        ref, kind = str(self.get_option("ref")), self.get_option("repo_type")
        url = f"{endpoint}/api/mirror/v1/{kind}s/{quote(repo_id)}/resolve/{quote(ref, safe='')}"
        told = self._asked(url, f"{repo_id}@{ref}")
        try:
            files = {
                str(one["path"]): {
                    "url": f"{endpoint}{one['url']}",
                    "size": int(one["size"]),
                    "etag": str(one["etag"]),
                    "sha256": str(one["sha256"]),
                }
                for one in told["files"]
            }
            return {"commit": str(told["commit"]), "bytes": int(told["bytes"]), "files": files}
        except (KeyError, TypeError, ValueError) as problem:
            raise AnsibleLookupError(f"{url} is no answer of a mirror: {problem!r}") from problem

    def _asked(self, url: str, what: str) -> Any:
        token = self.get_option("token")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            answer = open_url(
                url,
                headers=headers,
                timeout=self.get_option("timeout"),
                ca_path=self.get_option("ca_path"),
                # a token is for the mirror alone
                follow_redirects="none",
            )
            text = answer.read(_MOST + 1)
            if len(text) > _MOST:
                raise AnsibleLookupError(f"{url} has more than {_MOST} bytes")
            return json.loads(text)
        except HTTPError as problem:
            why = problem.headers.get("X-Error-Message") or problem.reason
            raise AnsibleLookupError(f"{what}: {url} answers {problem.code}: {why}") from problem
        except (URLError, OSError, ValueError) as problem:
            raise AnsibleLookupError(f"{what}: {url} can't be read: {problem}") from problem
