# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that checks a whitelist on the controller."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.modelops.hf_mirror.plugins.filter.whitelist import FilterModule


def test_a_right_whitelist_comes_back_and_a_wrong_one_is_explained() -> None:
    whitelist = FilterModule().filters()["whitelist"]
    entries = [{"repo_id": "a/b", "files": ["x"]}]
    assert whitelist(entries) == entries
    with pytest.raises(AnsibleFilterError, match=r"whitelist entry 1 \(a/b\): unknown key fles"):
        whitelist([{"repo_id": "a/b", "fles": ["x"]}])
