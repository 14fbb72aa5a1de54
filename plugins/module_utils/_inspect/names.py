# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of files in archives: where they lead, and how they are told."""

from __future__ import annotations

from .refused import Refused


def check_name(name: str) -> None:
    """Refuse what would be unpacked elsewhere."""
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or not parts[0] or parts[0].endswith(":"):
        raise Refused(f"has {ascii(name)[:100]} in it, which leads out of the folder that it is unpacked to")


def shown(name: str) -> str:
    """Return a name as a message has it."""
    return name if name.isprintable() and len(name) < 200 else ascii(name)[:200]
