# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell systemd how a service fares: what ``systemctl status`` shows."""

from __future__ import annotations

import os
import socket


def tell_status(text: str) -> None:
    """Send a line, where systemd started this and wants any."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            line = " ".join(text.split())
            notify.sendto(f"STATUS={line}".encode(), "\0" + address[1:] if address.startswith("@") else address)
