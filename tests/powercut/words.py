# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest says on its console, a word and more a line, and what its engine can be at."""

from __future__ import annotations

CALL, TOLD, LEFT, PROBLEM, DONE, END = "call", "told", "left", "problem", "done", "end"
SYNC, PUBLISH, COLLECTION = "sync", "publish", "collection"
#: In the order in which the one that is further on counts, where several are under way.
STAGES = (SYNC, PUBLISH, COLLECTION)
#: Where the guest finds what it shares with the host, and its disk.
EXCHANGE, CHECKOUT, DISK = "/exchange", "/checkout", "/exchange/disk"
