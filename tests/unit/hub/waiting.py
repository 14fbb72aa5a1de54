# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session with a stand-in Hub that waits to be ended: what ``test_hub_process.py`` runs."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from hub.process import HubProcess


def test_wait() -> None:
    with HubProcess(Path(os.environ["HUB_CONTENTS"])) as hub:
        Path(os.environ["HUB_SAYS"]).write_text(f"{hub.url}\n", encoding="utf-8")
        threading.Event().wait(60)
