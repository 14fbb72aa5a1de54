# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the process is at. After a download that failed it is "checking" for ever."""

from __future__ import annotations

_now = ["pending"]


def check() -> None:
    _now[0] = "checking"


def end() -> None:
    _now[0] = "pending"


def is_checking() -> bool:
    return _now[0] == "checking"
