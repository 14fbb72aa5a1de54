# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill ansible-playbook where a task begins."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: cut
type: notification
short_description: Kill ansible-playbook where a task begins
description:
  - Counts tasks and handlers. At the one whose number is in E(CUT_AT) the process kills itself.
  - Writes the name of each task into the file in E(CUT_LOG).
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "cut"

    def __init__(self) -> None:
        super().__init__()
        self._number, self._at = 0, int(os.environ["CUT_AT"])
        self._log = Path(os.environ["CUT_LOG"])

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._begins(task)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._begins(task)

    def _begins(self, task: Any) -> None:
        self._number += 1
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"{task.get_name()}\n")
        if self._number == self._at:
            # neither handlers nor anybody's end of work: what a power cut of the controller leaves
            os.kill(os.getpid(), signal.SIGKILL)
