# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a library's error: the same each time, so that who repeats it is told once."""

from __future__ import annotations

import pytest
from ansible_collections.modelops.hf_mirror.plugins.module_utils._fetch.http import reason


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "OSError"),
        ("one\ntwo", "OSError: one"),
        ("<Connection(host='a', port=80) at 0x7f29597f0830>: No route to host", "OSError: No route to host"),
        ("(<Connection(host='a', port=80) at 0x7f29597f0830>, 'timed out')", "OSError: ('timed out')"),
    ],
)
def test_the_reason(text: str, told: str) -> None:
    assert reason(OSError(text)) == told
