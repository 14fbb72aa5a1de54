# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror node on this machine: a store behind the mirror's server, which lets its peer in."""

from __future__ import annotations

from pathlib import Path

from mirror_server import Server


class Node(Server):
    """A node that serves ``store`` on a port of its own, with its files in ``folder``."""

    def __init__(self, store: Path, folder: Path) -> None:
        super().__init__(store, folder, mirror_nginx_peers=["127.0.0.1"])
